/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What QEMU's events say about the end of a guest. */
#include "unit.h"

#include "qemu/ending.h"

static bool take(struct endings *e, const char *event, const char *reason, int64_t now_ms)
{
	_cleanup_json_ struct json_object *data = json_object_new_object();

	if (reason)
		json_object_object_add(data, "reason", json_object_new_string(reason));
	return endings_take(e, event, data, now_ms);
}

static void check_words(const struct endings *e, const char *words)
{
	_cleanup_buf_ struct buf out = { 0 };

	endings_describe(e, &out);
	assert_string_equal(buf_text(&out), words);
}

static void each_end_is_told_in_words(void **state)
{
	static const struct {
		const char *event, *reason, *words;
	} rows[] = {
		{ "RESET", "guest-reset", "the guest has been reset (guest-reset)" },
		{ "RESET", NULL, "the guest has been reset" },
		{ "SHUTDOWN", "host-qmp-quit", "the VM has shut down (host-qmp-quit)" },
		{ "GUEST_PANICKED", NULL, "the guest's kernel has panicked" },
		{ "GUEST_CRASHLOADED", NULL,
		  "the guest's kernel has panicked and starts its crash kernel" },
		/* a text that QEMU never sends is not repeated */
		{ "RESET", "\033[31mred", "the guest has been reset" },
		{ "RESET", "a-very-very-very-very-very-long-reason", "the guest has been reset" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct endings e = { 0 };

		check(take(&e, rows[i].event, rows[i].reason, 0), "%s", rows[i].words);
		assert_int_equal(e.count, 1);
		check(endings_end_qemu(&e) == !strcmp(rows[i].event, "SHUTDOWN"), "%s", rows[i].words);
		check_words(&e, rows[i].words);
	}
}

static void other_events_are_no_end(void **state)
{
	static const char *const events[] = { "STOP",	  "RESUME", "POWERDOWN",      "SUSPEND",
					      "WATCHDOG", "WAKEUP", "DEVICE_DELETED", "",
					      "reset",	  "RESETS" };
	struct endings e = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(events); i++)
		check(!take(&e, events[i], NULL, 0), "%s", events[i]);
	assert_int_equal(e.count, 0);
	assert_false(endings_take(&e, "STOP", NULL, 0));
	assert_true(endings_take(&e, "RESET", NULL, 0));
}

static void a_panic_and_what_follows_is_one_end(void **state)
{
	struct endings e = { 0 };

	(void)state;
	take(&e, "GUEST_PANICKED", NULL, 0);
	take(&e, "RESET", "guest-reset", 9000);
	assert_int_equal(e.count, 1);
	check_words(&e,
		    "the guest's kernel has panicked, and the guest has been reset (guest-reset)");
	/* the next kernel panics too */
	take(&e, "GUEST_PANICKED", NULL, 10000);
	assert_int_equal(e.count, 2);
	take(&e, "SHUTDOWN", "guest-panic", 10000);
	assert_int_equal(e.count, 2);
	check_words(&e, "the guest's kernel has panicked, and the VM has shut down again "
			"(guest-panic)");
}

static void a_reset_at_once_after_another_is_the_same(void **state)
{
	struct endings e = { 0 };

	(void)state;
	take(&e, "RESET", "host-qmp-system-reset", 100);
	take(&e, "RESET", "guest-reset", 130);
	assert_int_equal(e.count, 1);
	check_words(&e, "the guest has been reset (host-qmp-system-reset)");
	take(&e, "RESET", "guest-reset", 4000);
	assert_int_equal(e.count, 2);
	check_words(&e, "the guest has been reset again (guest-reset)");
	take(&e, "SHUTDOWN", "guest-shutdown", 4001);
	assert_int_equal(e.count, 3);
	assert_false(e.is_reset);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_end_is_told_in_words),
		cmocka_unit_test(other_events_are_no_end),
		cmocka_unit_test(a_panic_and_what_follows_is_one_end),
		cmocka_unit_test(a_reset_at_once_after_another_is_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
