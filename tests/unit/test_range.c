/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which blocks commands of guest.sh change, read back from them. */
#include "unit.h"

#include "hotplug/range.h"

static const struct {
	const char *commands;
	uint64_t blocks, first, last; /* how many, and which the first and the last of them */
	const char *zone;
} rows[] = {
	{ "change 55 raise movable 32-35;scan", 4, 32, 35, "Movable" },
	{ "change 55 lower any 35-32 9-9;scan", 5, 35, 9, NULL },
	{ "change 5 raise kernel 32-33;change 5 raise movable 34-37;scan", 6, 32, 37, NULL },
	{ "change 5 lift kernel 32-33;change 5 raise kernel 40-41", 4, 32, 41, "kernel" },
	{ "appear 1 32-35&&change 55 raise movable 32-35;scan", 4, 32, 35, "Movable" },
	{ "appear 1 32-35;change 55 raise movable 36-39;scan", 4, 36, 39, "Movable" },
	{ "ease 55 39-36;scan", 4, 39, 36, NULL },
	{ "swift online_movable 32-35;scan", 0, 0, 0, NULL },
	{ "change 55 raise movable", 0, 0, 0, NULL },
	{ "scan", 0, 0, 0, NULL },
	{ "", 0, 0, 0, NULL },
};

static void blocks_are_counted_in_their_order(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *commands = rows[i].commands, *zone = range_zone(commands);

		check(range_blocks(commands) == rows[i].blocks, "row %zu", i);
		check(zone ? rows[i].zone && !strcmp(zone, rows[i].zone) : !rows[i].zone, "row %zu",
		      i);
		if (!rows[i].blocks)
			continue;
		check(range_place(commands, rows[i].first) == 1, "row %zu", i);
		check(range_place(commands, rows[i].last) == rows[i].blocks, "row %zu", i);
		check(!range_place(commands, 1000), "row %zu", i);
	}
	assert_int_equal(range_place("change 55 lower any 35-32 9-7;scan", 8), 6);
	assert_int_equal(range_place("change 55 lower any 35-32 9-7;scan", 33), 3);
}

static void each_range_knows_what_it_is_to_be(void **state)
{
	struct range_reader reader = {
		.commands =
			"change 5 lower any 35-34;change 5 raise movable 32-33 40-40;ease 5 50-50"
	};
	struct range range;

	(void)state;
	assert_true(range_next(&reader, &range) && !range.is_online && range.from == 35 &&
		    range.to == 34);
	assert_true(range_next(&reader, &range) && range.is_online && range.from == 32);
	assert_true(range_next(&reader, &range) && range.is_online && range.from == 40);
	assert_true(range_next(&reader, &range) && !range.is_online && range.from == 50);
	assert_false(range_next(&reader, &range));
	assert_false(range_next(&reader, &range));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_are_counted_in_their_order),
		cmocka_unit_test(each_range_knows_what_it_is_to_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
