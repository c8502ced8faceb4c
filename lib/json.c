/* SPDX-License-Identifier: GPL-3.0-or-later */
/* json-c through getters that check presence and type. */
#include <string.h>

#include "lib/json.h"
#include "lib/text.h"
#include "lib/util.h"

/* Per message in a stream. */
#define BYTES_MAX (16 << 20)
#define DEPTH_MAX 64
/* In json-c 0.16 "{}" takes 900 bytes of memory, and a "0" in an object with its name takes 217: so
 * a part takes at most this many, and an object four times as many. */
#define PART_BYTES   256
#define OBJECT_PARTS 4
#define PARTS_MAX    (1 << 18)

void json_cleanup(struct json_object **object)
{
	json_object_put(*object);
}

static struct json_object *member(struct json_object *object, const char *key, enum json_type type)
{
	struct json_object *value;

	if (!json_object_is_type(object, json_type_object) ||
	    !json_object_object_get_ex(object, key, &value) || !json_object_is_type(value, type))
		return NULL;
	return value;
}

bool json_get_string(struct json_object *object, const char *key, const char **out)
{
	struct json_object *value = member(object, key, json_type_string);

	if (value)
		*out = json_object_get_string(value);
	return value;
}

bool json_get_u64(struct json_object *object, const char *key, uint64_t *out)
{
	struct json_object *value = member(object, key, json_type_int);

	/* json-c clamps: a negative number reads as 0 */
	if (!value || json_object_get_int64(value) < 0)
		return false;
	*out = json_object_get_uint64(value);
	return true;
}

bool json_get_bool(struct json_object *object, const char *key, bool *out)
{
	struct json_object *value = member(object, key, json_type_boolean);

	if (value)
		*out = json_object_get_boolean(value);
	return value;
}

bool json_get_object(struct json_object *object, const char *key, struct json_object **out)
{
	struct json_object *value = member(object, key, json_type_object);

	if (value)
		*out = value;
	return value;
}

bool json_get_array(struct json_object *object, const char *key, struct json_object **out)
{
	struct json_object *value = member(object, key, json_type_array);

	if (value)
		*out = value;
	return value;
}

int json_need_string(struct json_object *object, const char *key, const char **out, struct err *err)
{
	if (!json_get_string(object, key, out))
		return err_set(err, ERR_FAILED, "no string '%s' in the answer", key);
	return 0;
}

int json_need_u64(struct json_object *object, const char *key, uint64_t *out, struct err *err)
{
	if (!json_get_u64(object, key, out))
		return err_set(err, ERR_FAILED, "no number '%s' in the answer", key);
	return 0;
}

void json_add_string(struct json_object *object, const char *key, const char *text)
{
	json_object_object_add(object, key, text ? json_object_new_string(text) : NULL);
}

void json_add_printable(struct json_object *object, const char *key, const char *text)
{
	_cleanup_free_ char *copy = text ? xstrdup(text) : NULL;

	if (copy)
		printable(copy);
	json_add_string(object, key, copy);
}

void json_add_u64(struct json_object *object, const char *key, bool known, uint64_t value)
{
	json_object_object_add(object, key, known ? json_object_new_uint64(value) : NULL);
}

void json_add_bool(struct json_object *object, const char *key, bool known, bool value)
{
	json_object_object_add(object, key, known ? json_object_new_boolean(value) : NULL);
}

const char *json_text(struct json_object *object)
{
	return json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN |
							      JSON_C_TO_STRING_NOSLASHESCAPE);
}

void json_reader_init(struct json_reader *r)
{
	*r = (struct json_reader){ .tokener = json_tokener_new_ex(DEPTH_MAX) };
	json_tokener_set_flags(r->tokener, JSON_TOKENER_STRICT | JSON_TOKENER_ALLOW_TRAILING_CHARS |
						   JSON_TOKENER_VALIDATE_UTF8);
}

void json_reader_free(struct json_reader *r)
{
	json_tokener_free(r->tokener);
	*r = (struct json_reader){ 0 };
}

static int broken(const char **why, const char *text)
{
	*why = text;
	return -1;
}

/* The maximum number of parts in the text; characters inside strings count too. */
static size_t count_parts(const char *text, size_t len)
{
	size_t i, parts = 0;

	for (i = 0; i < len; i++) {
		if (text[i] == '{')
			parts += OBJECT_PARTS;
		else
			parts += text[i] == '[' || text[i] == ',';
	}
	return parts;
}

/* The first @len bytes belong to the message: is it still within what QEMU would send? */
static int take_part(struct json_reader *r, struct buf *in, size_t len, const char **why)
{
	r->parts += count_parts(in->data, len);
	r->bytes += len;
	buf_drop(in, len);
	if (r->bytes > BYTES_MAX)
		return broken(why, "a message of more than 16 MiB");
	if (r->parts > PARTS_MAX)
		return broken(why, "a message of more than 262144 parts");
	return 0;
}

int json_reader_next(struct json_reader *r, struct buf *in, struct json_object **object,
		     size_t *bytes, const char **why)
{
	enum json_tokener_error state;
	int status;

	*object = NULL;
	if (!r->bytes && in->len)
		buf_drop(in, strspn(in->data, " \t\r\n"));
	if (!in->len)
		return 0;
	*object = json_tokener_parse_ex(r->tokener, in->data, (int)in->len);
	state = json_tokener_get_error(r->tokener);
	if (state == json_tokener_continue)
		return take_part(r, in, in->len, why);
	if (state != json_tokener_success)
		return broken(why, json_tokener_error_desc(state));
	status = take_part(r, in, json_tokener_get_parse_end(r->tokener), why);
	*bytes = r->bytes + r->parts * PART_BYTES;
	json_tokener_reset(r->tokener);
	r->bytes = r->parts = 0;
	if (!status && json_object_is_type(*object, json_type_object))
		return 1;
	json_object_put(*object);
	*object = NULL;
	return status ? -1 : broken(why, "a message that is not an object");
}
