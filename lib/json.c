/* SPDX-License-Identifier: GPL-3.0-or-later */
/* json-c through getters that check presence and type. */
#include "lib/json.h"
#include "lib/util.h"

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
