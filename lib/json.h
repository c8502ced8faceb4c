/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * json: json-c through getters that check presence and type. json_object_get_string() on a number
 * gives its text, json_object_get_int() on a string a guess; nothing from outside is read that
 * way. Getters borrow: what they return lives as long as the object it came from.
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
 * Return: true when @object is an object that has @key with that type; *@out is untouched otherwise
 */
bool json_get_string(struct json_object *object, const char *key, const char **out);
bool json_get_u64(struct json_object *object, const char *key, uint64_t *out);
bool json_get_bool(struct json_object *object, const char *key, bool *out);
bool json_get_object(struct json_object *object, const char *key, struct json_object **out);
bool json_get_array(struct json_object *object, const char *key, struct json_object **out);

/* json_need_*() - the same for what a peer must send
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

/* json_add_printable() - add text from a process or a file, which need not be UTF-8 */
void json_add_printable(struct json_object *object, const char *key, const char *text);

/* json_text() - @object on one line, as QEMU reads it; owned by @object */
const char *json_text(struct json_object *object);

/* JSON objects out of a byte stream, one after the other, as QEMU's monitors and its guest agent
 * send them; bounded and strict. Of one stream; json_reader_init() it. */
struct json_reader {
	struct json_tokener *tokener;
	size_t bytes; /* of the message that is being read */
	size_t parts; /* arrays and commas of it, at most; an object counts as several */
};

void json_reader_init(struct json_reader *r);
void json_reader_free(struct json_reader *r);

/*
 * json_reader_next() - take the next message out of @in: one a line, or over many lines
 * @object:	receives it, always an object; the caller owns it; NULL without one
 * @bytes:	receives about how much memory it takes, rather more than less; 80 MiB at most
 * @why:	receives what is wrong with the stream, which is of no use then; not owned
 * Return: 1 with a message, 0 when none is complete (what has come of it is taken), -1 with @why
 */
int json_reader_next(struct json_reader *r, struct buf *in, struct json_object **object,
		     size_t *bytes, const char **why) __attribute__((warn_unused_result));

#endif
