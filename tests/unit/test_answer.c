/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The outcome of a request, as the guest reports it. */
#include <string.h>

#include "guest/answer.h"
#include "unit.h"

static const struct {
	const char *lines[3];
	enum result result; /* -1: it makes no sense */
	uint64_t block;
	const char *why;
} rows[] = {
	{ { "memory 1 2 3" }, RESULT_DONE, 0, "" },
	{ { "failed 35 Device or resource busy" }, RESULT_FAILED, 35, "Device or resource busy" },
	{ { "failed 35" }, RESULT_FAILED, 35, "" },
	{ { "failed 35 one", "failed 36 two" }, RESULT_FAILED, 35, "one" },
	{ { "stopped", "failed 36 two" }, RESULT_FAILED, 36, "two" },
	{ { "gone 7", "failed 36 two" }, RESULT_GONE, 7, "" },
	{ { "failed 36 two", "gone 7" }, RESULT_FAILED, 36, "two" },
	{ { "absent 7", "stopped" }, RESULT_STOPPED, 0, "" },
	{ { "stopped", "absent 7" }, RESULT_STOPPED, 0, "" },
	{ { "absent 7", "blocks 1 2 online 0 1 Movable" }, RESULT_ABSENT, 0, "" },
	{ { "failed x busy" }, -1, 0, "" },
	{ { "failed  busy" }, -1, 0, "" },
	{ { "gone" }, RESULT_DONE, 0, "" },
	{ { "gone -1" }, -1, 0, "" },
	{ { "gone 99999999999999999999" }, -1, 0, "" },
};

static void what_came_of_it_is_read(void **state)
{
	size_t i, j;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct answer answer = { 0 };
		struct err err = { 0 };

		for (j = 0; j < 3 && rows[i].lines[j]; j++)
			answer_put(&answer, (unsigned)j, rows[i].lines[j]);
		check(answer_read(&answer, &err) == ((int)rows[i].result < 0 ? -1 : 0), "row %zu",
		      i);
		if ((int)rows[i].result >= 0) {
			check(answer.result == rows[i].result, "row %zu", i);
			check(answer.block == rows[i].block, "row %zu", i);
			check(!strcmp(answer.why, rows[i].why), "row %zu", i);
		}
		answer_free(&answer);
	}
}

static void what_holds_a_block_is_kept(void **state)
{
	struct answer answer = { 0 };
	struct err err;

	(void)state;
	answer_put(&answer, 0, "held -12 anon flags: 0x1");
	assert_int_equal(answer_read(&answer, &err), 0);
	assert_string_equal(answer.blocker, "-12 anon flags: 0x1");
	answer_free(&answer);
	assert_null(answer.blocker);
}

static void an_answer_is_whole_with_its_end(void **state)
{
	struct answer answer = { 0 };

	(void)state;
	assert_false(answer_end(&answer));
	answer_put(&answer, 1, "end");
	assert_false(answer_end(&answer));
	answer_put(&answer, 0, "memory 1 2 3");
	assert_true(answer_end(&answer));
	assert_int_equal(answer.count, 1);
	answer_free(&answer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_came_of_it_is_read),
		cmocka_unit_test(what_holds_a_block_is_kept),
		cmocka_unit_test(an_answer_is_whole_with_its_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
