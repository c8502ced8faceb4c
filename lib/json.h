/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * json: json-c through getters that check presence and type. On a number json_object_get_string()
 * returns its text, on a string json_object_get_int() returns a guess; input is never read that
 * way. Getters borrow: their results live as long as the object they came from.
 */
#ifndef LIB_JSON_H
#define LIB_JSON_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"
#include "lib/util.h"

#define _cleanup_json_ __attribute__((cleanup(json_cleanup), unused))

void json_cleanup(struct json_object **object);

/* json_get_*() - read member @key of @object into *@out
 * Return: true if @object is an object that has @key with that type; else *@out is unchanged
 */
bool json_get_string(struct json_object *object, const char *key, const char **out);
bool json_get_u64(struct json_object *object, const char *key, uint64_t *out);
bool json_get_bool(struct json_object *object, const char *key, bool *out);
bool json_get_object(struct json_object *object, const char *key, struct json_object **out);
bool json_get_array(struct json_object *object, const char *key, struct json_object **out);

/* json_need_*() - the same for members that a peer must send
 * @err:	"no string 'id' in the answer"
 * Return: 0 or -1 */
int json_need_string(struct json_object *object, const char *key, const char **out, struct err *err)
	__attribute__((warn_unused_result));
int json_need_u64(struct json_object *object, const char *key, uint64_t *out, struct err *err)
	__attribute__((warn_unused_result));

/* json_add_*() - add a member; JSON null when @known is false or @text is NULL */
void json_add_string(struct json_object *object, const char *key, const char *text);
void json_add_u64(struct json_object *object, const char *key, bool known, uint64_t value);
void json_add_bool(struct json_object *object, const char *key, bool known, bool value);

/* json_add_printable() - add text from a process or a file, which may not be UTF-8 */
void json_add_printable(struct json_object *object, const char *key, const char *text);

/* json_text() - @object on one line, as QEMU reads it; owned by @object */
const char *json_text(struct json_object *object);

/* Reads JSON objects from a byte stream, as QEMU's monitors and its guest agent send them; bounded
 * and strict. One for each stream; json_reader_init() it. */
struct json_reader {
	struct json_tokener *tokener;
	size_t bytes; /* of the current message */
	size_t parts; /* arrays and commas of it, at most; an object counts as several */
};

void json_reader_init(struct json_reader *r);
void json_reader_free(struct json_reader *r);

/*
 * json_reader_next() - take the next message out of @in, on one line or on several
 * @object:	receives it, always an object; the caller owns it; NULL without one
 * @bytes:	receives about how much memory it takes, rather too much than too little; 80 MiB at
 *		most
 * @why:	receives what is wrong with the stream, which is unusable then; not owned
 * Return: 1 with a message, 0 if none is complete (its beginning is consumed), -1 with @why
 */
int json_reader_next(struct json_reader *r, struct buf *in, struct json_object **object,
		     size_t *bytes, const char **why) __attribute__((warn_unused_result));

#endif
