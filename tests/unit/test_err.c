/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The one error object. */
#include "unit.h"

#include "lib/err.h"

static void an_error_is_built_from_the_inside_out(void **state)
{
	struct err err = { 0 };

	(void)state;
	assert_int_equal(err_set(&err, ERR_QEMU_REFUSED, "no free slot in '%s'", "vm"), -1);
	assert_int_equal(err_wrap(&err, "QEMU takes no DIMM"), -1);
	assert_int_equal(err_wrap(&err, "cannot plug '%s'", "512M"), -1);
	assert_int_equal(err_append(&err, "the backend '%s' is left", "memhp0-mem"), -1);
	assert_string_equal(err.message,
			    "cannot plug '512M': QEMU takes no DIMM: no free slot in 'vm'; "
			    "the backend 'memhp0-mem' is left");
	assert_int_equal(err.code, ERR_QEMU_REFUSED);
	assert_string_equal(err.hint, "");
}

static void context_keeps_the_kind_and_the_hint(void **state)
{
	struct err err = { 0 };

	(void)state;
	err_set(&err, ERR_USAGE, "bad");
	assert_int_equal(err_hint(&err, "write %s", "512M"), -1);
	err_wrap(&err, "context");
	err_append(&err, "more");
	assert_string_equal(err.hint, "write 512M");
	assert_int_equal(err.code, ERR_USAGE);
}

static void a_new_failure_forgets_the_old_hint(void **state)
{
	struct err err = { 0 };

	(void)state;
	err_set(&err, ERR_USAGE, "bad");
	err_hint(&err, "old");
	err_hint(&err, "new");
	assert_string_equal(err.hint, "new");
	err_set(&err, ERR_FAILED, "worse");
	assert_string_equal(err.hint, "");
	assert_string_equal(err.message, "worse");
}

/* Each case ends with a message that fills the buffer and is still a string. */
static void too_long_a_message_is_cut(void **state)
{
	char text[2000];
	struct err err = { 0 };

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	err_set(&err, ERR_FAILED, "%s", text);
	assert_int_equal(strlen(err.message), sizeof(err.message) - 1);
	err_wrap(&err, "front");
	assert_int_equal(strlen(err.message), sizeof(err.message) - 1);
	assert_int_equal(strncmp(err.message, "front: xxx", 10), 0);
	err_append(&err, "no room for this");
	assert_int_equal(strlen(err.message), sizeof(err.message) - 1);
	err_wrap(&err, "%s", text);
	assert_int_equal(strlen(err.message), sizeof(err.message) - 1);
	err_hint(&err, "%s", text);
	assert_string_equal(err.hint, ""); /* half of a command is another command */
	assert_int_equal(err.code, ERR_FAILED);
}

static void an_addition_to_an_almost_full_message_is_cut(void **state)
{
	size_t room;

	(void)state;
	for (room = 0; room < 8; room++) {
		char text[sizeof(((struct err *)0)->message)];
		struct err err = { 0 };

		memset(text, 'x', sizeof(text));
		text[sizeof(text) - 1 - room] = '\0';
		err_set(&err, ERR_FAILED, "%s", text);
		assert_int_equal(err_append(&err, "abcdefgh"), -1);
		check(strlen(err.message) < sizeof(err.message), "room %zu", room);
		check(!strncmp(err.message, text, strlen(text)), "room %zu", room);
	}
}

static void every_kind_has_its_exit_code_and_name(void **state)
{
	static const struct {
		enum err_code code;
		int exit_code;
		const char *name;
	} rows[] = {
		{ ERR_NONE, 0, "none" },
		{ ERR_FAILED, 1, "failed" },
		{ ERR_QEMU_REFUSED, 1, "qemu-refused" },
		{ ERR_USAGE, 2, "usage" },
		{ ERR_QEMU_UNREACHABLE, 3, "qemu-unreachable" },
		{ ERR_GUEST_UNREACHABLE, 4, "guest-unreachable" },
		{ ERR_GUEST_REFUSED, 5, "guest-refused" },
		{ ERR_TIMEOUT, 6, "timeout" },
		{ ERR_PARTIAL, 7, "partial" },
		{ ERR_INTERRUPTED, 130, "interrupted" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		check(err_exit_code(rows[i].code) == rows[i].exit_code, "%s", rows[i].name);
		check(!strcmp(err_code_name(rows[i].code), rows[i].name), "%s", rows[i].name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_error_is_built_from_the_inside_out),
		cmocka_unit_test(context_keeps_the_kind_and_the_hint),
		cmocka_unit_test(a_new_failure_forgets_the_old_hint),
		cmocka_unit_test(too_long_a_message_is_cut),
		cmocka_unit_test(an_addition_to_an_almost_full_message_is_cut),
		cmocka_unit_test(every_kind_has_its_exit_code_and_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
