/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The getters that check all input. */
#include "unit.h"

#include "lib/json.h"

static const char sample[] =
	"{\"string\": \"text\", \"empty\": \"\", \"digits\": \"12\", \"zero\": 0, \"int\": 12,"
	" \"negative\": -1, \"largest\": 9223372036854775807, \"unsigned\": 18446744073709551615,"
	" \"double\": 1.0, \"true\": true, \"false\": false, \"null\": null, \"object\": {}, "
	"\"array\": []}";

static const char *const keys[] = { "string",	"empty",   "digits",   "zero",	 "int",
				    "negative", "largest", "unsigned", "double", "true",
				    "false",	"null",	   "object",   "array",	 "missing" };

static bool is_one_of(const char *key, const char *const *wanted)
{
	for (; *wanted; wanted++)
		if (!strcmp(key, *wanted))
			return true;
	return false;
}

static void strings_are_read_from_strings_only(void **state)
{
	static const char *const good[] = { "string", "empty", "digits", NULL };
	_cleanup_json_ struct json_object *object = json_tokener_parse(sample);
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(keys); i++) {
		const char *text = sample;

		check(json_get_string(object, keys[i], &text) == is_one_of(keys[i], good), "%s",
		      keys[i]);
		check((text != sample) == is_one_of(keys[i], good), "%s", keys[i]);
	}
}

static void numbers_are_read_from_whole_unsigned_numbers_only(void **state)
{
	static const struct {
		const char *key;
		uint64_t value;
	} good[] = {
		{ "zero", 0 }, { "int", 12 }, { "largest", INT64_MAX }, { "unsigned", UINT64_MAX }
	};
	_cleanup_json_ struct json_object *object = json_tokener_parse(sample);
	size_t i, j;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(keys); i++) {
		uint64_t value = 4711, wanted = 4711;

		for (j = 0; j < ARRAY_SIZE(good); j++)
			if (!strcmp(good[j].key, keys[i]))
				wanted = good[j].value;
		check(json_get_u64(object, keys[i], &value) == (wanted != 4711), "%s", keys[i]);
		check(value == wanted, "%s: %llu", keys[i], (unsigned long long)value);
	}
}

static void truth_values_are_read_from_those_only(void **state)
{
	_cleanup_json_ struct json_object *object = json_tokener_parse(sample);
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(keys); i++) {
		bool is_true = !strcmp(keys[i], "true"), is_false = !strcmp(keys[i], "false");
		bool value = is_false;

		check(json_get_bool(object, keys[i], &value) == (is_true || is_false), "%s",
		      keys[i]);
		check(value == is_true, "%s", keys[i]);
	}
}

static void objects_and_arrays_are_not_mixed_up(void **state)
{
	_cleanup_json_ struct json_object *object = json_tokener_parse(sample);
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(keys); i++) {
		struct json_object *inner = NULL, *array = NULL;

		check(json_get_object(object, keys[i], &inner) == !strcmp(keys[i], "object"), "%s",
		      keys[i]);
		check(json_get_array(object, keys[i], &array) == !strcmp(keys[i], "array"), "%s",
		      keys[i]);
		check((inner != NULL) == !strcmp(keys[i], "object"), "%s", keys[i]);
		check((array != NULL) == !strcmp(keys[i], "array"), "%s", keys[i]);
	}
}

static void what_is_no_object_has_no_members(void **state)
{
	static const char *const texts[] = { "[]", "1", "\"text\"", "true", "null" };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_json_ struct json_object *value = json_tokener_parse(texts[i]);
		struct json_object *object;
		const char *text;
		uint64_t number;
		bool truth;

		check(!json_get_string(value, "a", &text), "%s", texts[i]);
		check(!json_get_u64(value, "a", &number), "%s", texts[i]);
		check(!json_get_bool(value, "a", &truth), "%s", texts[i]);
		check(!json_get_object(value, "a", &object), "%s", texts[i]);
		check(!json_get_array(value, "a", &object), "%s", texts[i]);
	}
}

static void what_a_peer_must_send_is_missed_by_name(void **state)
{
	_cleanup_json_ struct json_object *object = json_tokener_parse(sample);
	struct err err = { 0 };
	const char *text = NULL;
	uint64_t number = 0;

	(void)state;
	assert_int_equal(json_need_string(object, "string", &text, &err), 0);
	assert_string_equal(text, "text");
	assert_int_equal(json_need_u64(object, "int", &number, &err), 0);
	assert_int_equal(number, 12);
	assert_int_equal(err.code, ERR_NONE);
	assert_int_equal(json_need_string(object, "int", &text, &err), -1);
	assert_string_equal(err.message, "no string 'int' in the answer");
	assert_int_equal(json_need_u64(object, "digits", &number, &err), -1);
	assert_string_equal(err.message, "no number 'digits' in the answer");
	assert_int_equal(json_need_u64(object, "negative", &number, &err), -1);
	assert_string_equal(text, "text");
	assert_int_equal(number, 12);
}

static void what_is_not_known_is_null(void **state)
{
	_cleanup_json_ struct json_object *object = json_object_new_object();

	(void)state;
	json_add_string(object, "a", "x/y");
	json_add_string(object, "b", NULL);
	json_add_u64(object, "c", true, UINT64_MAX);
	json_add_u64(object, "d", false, 7);
	json_add_bool(object, "e", true, false);
	json_add_bool(object, "f", false, true);
	assert_string_equal(json_text(object),
			    "{\"a\":\"x/y\",\"b\":null,\"c\":18446744073709551615,"
			    "\"d\":null,\"e\":false,\"f\":null}");
}

static void text_is_one_line_without_control_characters(void **state)
{
	_cleanup_json_ struct json_object *object = json_object_new_object();

	(void)state;
	json_add_string(object, "a", "\n\r\t\033[31m\x01\"\\");
	assert_string_equal(json_text(object), "{\"a\":\"\\n\\r\\t\\u001b[31m\\u0001\\\"\\\\\"}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strings_are_read_from_strings_only),
		cmocka_unit_test(numbers_are_read_from_whole_unsigned_numbers_only),
		cmocka_unit_test(truth_values_are_read_from_those_only),
		cmocka_unit_test(objects_and_arrays_are_not_mixed_up),
		cmocka_unit_test(what_is_no_object_has_no_members),
		cmocka_unit_test(what_a_peer_must_send_is_missed_by_name),
		cmocka_unit_test(what_is_not_known_is_null),
		cmocka_unit_test(text_is_one_line_without_control_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
