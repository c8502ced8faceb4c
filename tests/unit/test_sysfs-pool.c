/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pools of huge pages, as a guest reports them. */
#include "unit.h"

#include "sysfs.h"

static int parse(struct guest_memory *g, const char *const *lines, unsigned count, struct err *err)
{
	return sysfs_parse(g, (char *const *)(uintptr_t)lines, count, err);
}

static void pools_are_read(void **state)
{
	static const char *const lines[] = {
		"floor 2569",		"pool 0 2048 200 150 10",
		"pool 1 2048 7 7 0",	"pool - 2048 207 157 10",
		"pool - 1048576 2 1 0", "tails 32 1022 4",
		"tails 40 511 4",	"cpusets 3",
	};
	struct guest_memory g = { 0 };
	struct err err;

	(void)state;
	assert_int_equal(parse(&g, lines, ARRAY_SIZE(lines), &err), 0);
	assert_true(g.pools.is_known);
	assert_int_equal(g.pools.floor_kib, 2569);
	assert_int_equal(pools_lasting(&g.pools, 0, 2048), 190);
	assert_int_equal(pools_lasting(&g.pools, POOL_ALL, 2048), 197);
	assert_int_equal(pools_lasting(&g.pools, 2, 2048), 0);
	assert_int_equal(pools_free_bytes(&g.pools), (157 * UINT64_C(2048) + 1048576) * 1024);
	assert_int_equal(pools_smallest_kib(&g.pools), 2048);
	assert_int_equal(pools_bytes_in_blocks(&g.pools, 2048), 3 * UINT64_C(2048) * 1024);
	assert_true(g.pools.has_cpusets);
	assert_int_equal(g.pools.cpusets, 3);
	guest_memory_free(&g);
}

static void what_is_not_known_is_not_0(void **state)
{
	static const char *const lines[] = { "floor -", "cpusets -" };
	struct guest_memory g = { 0 };
	struct err err;

	(void)state;
	assert_int_equal(parse(&g, lines, 1, &err), 0);
	assert_true(g.pools.is_known && !g.pools.floor_kib && !g.pools.has_cpusets);
	assert_int_equal(parse(&g, lines, 2, &err), 0);
	assert_true(g.pools.cpusets == UINT64_MAX);
	assert_int_equal(parse(&g, lines, 0, &err), 0);
	assert_false(g.pools.is_known);
	guest_memory_free(&g);
}

/* A few pages that look like tails by chance are not a huge page. */
static void fewer_tails_than_a_page_has_are_none(void **state)
{
	static const char *const lines[] = { "tails 32 510 4" };
	struct guest_memory g = { 0 };
	struct err err;

	(void)state;
	assert_int_equal(parse(&g, lines, 1, &err), 0);
	assert_int_equal(pools_bytes_in_blocks(&g.pools, 2048), 0);
	guest_memory_free(&g);
}

/* Values read one after the other may not match. */
static void more_free_than_there_are_is_all(void **state)
{
	static const char *const lines[] = { "pool - 2048 10 12 11" };
	struct guest_memory g = { 0 };
	struct err err;

	(void)state;
	assert_int_equal(parse(&g, lines, 1, &err), 0);
	assert_int_equal(pools_free_bytes(&g.pools), 10 * UINT64_C(2) << 20);
	assert_int_equal(pools_lasting(&g.pools, POOL_ALL, 2048), 0);
	guest_memory_free(&g);
}

static void nonsense_is_refused(void **state)
{
	static const char *const bad[][2] = {
		{ "floor x", NULL },
		{ "floor 1 2", NULL },
		{ "floor 99999999999999999", NULL },
		{ "pool 0 0 1 1 1", NULL },
		{ "pool 0 2048 1 1", NULL },
		{ "pool 0 2048 1 1 1 1", NULL },
		{ "pool -1 2048 1 1 1", NULL },
		{ "pool 99999 2048 1 1 1", NULL },
		{ "pool 0 99999999999 1 1 1", NULL },
		{ "pool 0 2048 -1 1 1", NULL },
		{ "pool 0 2048 1 1 1", "pool 0 2048 1 1 1" },
		{ "tails 1 1", NULL },
		{ "tails 1 1 0", NULL },
		{ "tails 1 1 4 4", NULL },
		{ "tails a 1 4", NULL },
		{ "cpusets x", NULL },
		{ "cpusets 1 2", NULL },
	};
	struct guest_memory g = { 0 };
	struct err err;
	unsigned i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(parse(&g, bad[i], bad[i][1] ? 2 : 1, &err), -1);
		assert_int_equal(err.code, ERR_GUEST_UNREACHABLE);
	}
	guest_memory_free(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pools_are_read),
		cmocka_unit_test(what_is_not_known_is_not_0),
		cmocka_unit_test(fewer_tails_than_a_page_has_are_none),
		cmocka_unit_test(more_free_than_there_are_is_all),
		cmocka_unit_test(nonsense_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
