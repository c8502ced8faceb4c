/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How far a job has come, as a line. */
#include "unit.h"

#include "lib/progress.h"

#define G (UINT64_C(1) << 30)

/* 512 blocks since half a minute ago; @done of them are done, the last one at @moved_ms. */
static struct progress blocks_done(uint64_t done, int64_t moved_ms)
{
	struct progress p;

	progress_begin(&p, "online");
	progress_expect(&p, "blocks", 512, 64 * G, "Movable");
	progress_reach(&p, 0, 0, 1000);
	progress_reach(&p, done, done * G / 8, moved_ms);
	return p;
}

static const char *line_of(const struct progress *p, int64_t now_ms, unsigned columns)
{
	static char text[256];
	_cleanup_buf_ struct buf line = { 0 };

	progress_format(p, now_ms, now_ms, columns, &line);
	snprintf(text, sizeof(text), "%s", buf_text(&line));
	return text;
}

static void only_what_is_known_is_shown(void **state)
{
	struct progress p;

	(void)state;
	progress_begin(&p, "look");
	assert_string_equal(line_of(&p, 3999, 79), "look  3 s so far");
	progress_begin(&p, "attach");
	progress_expect(&p, "backends", 1, 8 * G, NULL);
	progress_reach(&p, 0, 0, 0);
	assert_string_equal(line_of(&p, 12000, 79), "attach  8 GiB  12 s so far");
	progress_expect(&p, "blocks", 512, 64 * G, "Movable");
	assert_string_equal(line_of(&p, 2000, 79), "attach  64 GiB  Movable  2 s so far");
	progress_expect(&p, NULL, 0, 4 * G, NULL);
	progress_reach(&p, 0, G, 0);
	assert_string_equal(line_of(&p, 2000, 79),
			    "attach  [###----------]  1 of 4 GiB  2 s so far");
	progress_expect(&p, NULL, 0, 0, NULL);
	progress_reach(&p, 0, 0, 0);
	assert_string_equal(line_of(&p, 2000, 79), "attach  2 s so far");
}

static void what_has_no_room_is_left_out(void **state)
{
	struct progress p = blocks_done(212, 9000);
	static const struct {
		unsigned columns;
		const char *line;
	} rows[] = {
		{ 199, "online  [#########---------------]  212/512 blocks  26.5 of 64 GiB  "
		       "Movable  12 s left" },
		{ 79,
		  "online  [#####--------]  212/512 blocks  26.5 of 64 GiB  Movable  12 s left" },
		{ 70, "online  [####-------]  212/512 blocks  26.5 of 64 GiB  12 s left" },
		{ 50, "online  [###-----]  212/512 blocks  12 s left" },
		{ 39, "online  [##----]  212/512  12 s left" },
		{ 30, "online  212/512  12 s left" },
		{ 20, "online  12 s left" },
		{ 10, "online" },
		{ 3, "" },
		{ 0, "" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *line = line_of(&p, 9000, rows[i].columns);

		check(!strcmp(line, rows[i].line), "row %zu: '%s'", i, line);
	}
	for (i = 0; i < 300; i++)
		check(strlen(line_of(&p, 9000, (unsigned)i)) <= i, "%zu columns", i);
}

static void it_only_grows_and_never_too_far(void **state)
{
	struct progress p = blocks_done(100, 2000);

	(void)state;
	progress_reach(&p, 99, 99 * G / 8, 3000);
	assert_int_equal(p.done, 100);
	progress_reach(&p, 513, 64 * G, 3000);
	progress_reach(&p, 512, 65 * G, 3000);
	assert_int_equal(p.done, 100);
	assert_int_equal(p.moved_ms, 2000);
	progress_reach(&p, 512, 64 * G, 3000);
	assert_int_equal(p.done, 512);
	assert_int_equal(p.done_bytes, 64 * G);
}

static void the_time_left_is_told_when_it_can_be(void **state)
{
	static const struct {
		uint64_t done;
		int64_t moved_ms, now_ms, left_ms;
	} rows[] = {
		{ 0, 0, 9000, -1 },				    /* nothing done */
		{ 256, 2000, 2000, -1 },			    /* too short a time */
		{ 256, 5000, 5000, 4000 },			    /* half done in 4 s */
		{ 128, 5000, 6000, 11000 }, { 256, 5000, 8999, 1 }, /* the rest is late ... */
		{ 256, 5000, 9000, -1 },			    /* ... and now it is unknown */
		{ 512, 9000, 9000, -1 },			    /* all done */
		{ 1, 900000, 900000, -1 },			    /* two weeks: not shown */
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct progress p = blocks_done(rows[i].done, rows[i].moved_ms);
		int64_t left_ms = progress_left_ms(&p, rows[i].now_ms);

		check(i + 1 == ARRAY_SIZE(rows) || left_ms == rows[i].left_ms, "row %zu: %lld", i,
		      (long long)left_ms);
		p.is_part = true;
		check(progress_left_ms(&p, rows[i].now_ms) < 0, "row %zu", i);
	}
}

/* Work done before counting began does not count for the pace. */
static void the_pace_is_that_of_what_was_seen(void **state)
{
	struct progress p;

	(void)state;
	progress_begin(&p, "online");
	progress_expect(&p, "blocks", 512, 64 * G, NULL);
	progress_reach(&p, 256, 32 * G, 1000);
	progress_reach(&p, 384, 48 * G, 5000);
	assert_int_equal(progress_left_ms(&p, 5000), 4000);
}

static void times_are_short(void **state)
{
	static const struct {
		int64_t ms;
		const char *line;
	} rows[] = {
		{ 1000, "look  1 s so far" },	  { 99999, "look  99 s so far" },
		{ 100000, "look  2 min so far" }, { 5999000, "look  100 min so far" },
		{ 6000000, "look  2 h so far" },  { 36000000, "look  10 h so far" },
	};
	struct progress p;
	size_t i;

	(void)state;
	progress_begin(&p, "look");
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *line = line_of(&p, rows[i].ms, 79);

		check(!strcmp(line, rows[i].line), "row %zu: '%s'", i, line);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_is_known_is_shown),
		cmocka_unit_test(what_has_no_room_is_left_out),
		cmocka_unit_test(it_only_grows_and_never_too_far),
		cmocka_unit_test(the_time_left_is_told_when_it_can_be),
		cmocka_unit_test(the_pace_is_that_of_what_was_seen),
		cmocka_unit_test(times_are_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
