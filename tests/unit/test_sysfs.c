/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a scan of the guest says: blocks, states and zones. */
#include "blocks.h"

#define M (UINT64_C(1) << 20)
#define G (UINT64_C(1) << 30)

static int parse(struct guest_memory *g, const char *const *lines, unsigned count, struct err *err)
{
	return sysfs_parse(g, (char *const *)(uintptr_t)lines, count, err);
}

static void a_scan_is_read(void **state)
{
	static const char *const lines[] = {
		"guest 6.1.0-18-cloud-amd64 1 online_movable contig-zones N",
		"memory 487628 399344 403000",
		"size 8000000",
		"blocks 0 2 online 0 1 none",
		"blocks 3 3 online 0 0 DMA32",
		"blocks 32 34 offline 1 0 Normal Movable",
		"blocks 35 35 going-offline 1 - Movable",
	};
	struct guest_memory g = { 0 };
	struct err err = { 0 };

	(void)state;
	assert_int_equal(parse(&g, lines, ARRAY_SIZE(lines), &err), 0);
	assert_string_equal(g.kernel, "6.1.0-18-cloud-amd64");
	assert_true(g.is_root);
	assert_string_equal(g.auto_online, "online_movable");
	assert_string_equal(g.online_policy, "contig-zones");
	assert_false(g.memmap_on_memory);
	assert_int_equal(g.has, GUEST_HAS_TOTAL | GUEST_HAS_FREE | GUEST_HAS_AVAILABLE);
	assert_int_equal(g.total_bytes, 487628 * 1024);
	assert_int_equal(g.free_bytes, 399344 * 1024);
	assert_int_equal(g.available_bytes, 403000 * 1024);
	assert_int_equal(g.block_size_bytes, 128 * M);
	lists(&g.blocks, "0-2 online none, 3-3 online DMA32, 32-34 offline Normal Movable, "
			 "35-35 going-offline Movable");
	assert_int_equal(g.blocks.runs[2].node, 1);
	assert_int_equal(g.blocks.runs[0].removable, REMOVABLE_YES);
	assert_int_equal(g.blocks.runs[1].removable, REMOVABLE_NO);
	assert_int_equal(g.blocks.runs[3].removable, REMOVABLE_UNKNOWN);
	guest_memory_free(&g);
	assert_int_equal(g.blocks.count, 0);
}

static void a_dash_is_unknown_and_not_zero(void **state)
{
	static const char *const lines[] = { "guest - 0 - - -", "memory - 12 -", "size -",
					     "blocks 7 8 - - - -" };
	struct guest_memory g = { 0 };
	struct err err = { 0 };

	(void)state;
	assert_int_equal(parse(&g, lines, ARRAY_SIZE(lines), &err), 0);
	assert_string_equal(g.kernel, "");
	assert_string_equal(g.auto_online, "");
	assert_string_equal(g.online_policy, "");
	assert_false(g.is_root);
	assert_int_equal(g.has, GUEST_HAS_FREE);
	assert_int_equal(g.block_size_bytes, 0);
	assert_int_equal(g.blocks.count, 1);
	assert_string_equal(g.blocks.runs[0].state, "");
	assert_string_equal(g.blocks.runs[0].zones, "");
	assert_int_equal(g.blocks.runs[0].node, -1);
	assert_int_equal(g.blocks.runs[0].removable, REMOVABLE_UNKNOWN);
	guest_memory_free(&g);
}

static void the_memory_map_policy_is_read(void **state)
{
	static const struct {
		const char *line;
		bool is_on;
	} rows[] = {
		{ "guest 6.1 1 offline contig-zones Y", true },
		{ "guest 6.8 1 offline contig-zones force", true },
		{ "guest 6.8 1 offline contig-zones N", false },
		{ "guest 5.4 1 offline - -", false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct guest_memory g = { 0 };
		struct err err = { 0 };

		check(!parse(&g, &rows[i].line, 1, &err), "%s", rows[i].line);
		check(g.memmap_on_memory == rows[i].is_on, "%s", rows[i].line);
		guest_memory_free(&g);
	}
}

static void what_an_agent_without_a_shell_says_is_read(void **state)
{
	static const char *const timed[] = { "guest 6.1.0 1 offline contig-zones N timed" };
	const struct blocks runs[] = {
		{ .first = 0,
		  .last = 3,
		  .state = "online",
		  .node = -1,
		  .removable = REMOVABLE_YES },
		{ .first = 32,
		  .last = 33,
		  .state = "offline",
		  .node = -1,
		  .removable = REMOVABLE_UNKNOWN },
	};
	struct guest_memory g = { 0 };
	char text[STATE_TEXT_MAX];
	struct err err = { 0 };

	(void)state;
	assert_int_equal(sysfs_set_limited(&g, "6.1.0", true, 128 << 20, &err), 0);
	assert_int_equal(sysfs_add_blocks(&g, &runs[0], &err), 0);
	assert_int_equal(sysfs_add_blocks(&g, &runs[1], &err), 0);
	assert_int_equal(sysfs_add_blocks(&g, &runs[1], &err), -1);
	assert_true(g.is_agent_only && g.is_root && !g.is_timed && !g.has);
	assert_string_equal(g.auto_online, "");
	assert_int_equal(g.blocks.count, 2);
	assert_int_equal(blocks_zone(&g.blocks.runs[0]), ZONE_ANY);
	assert_string_equal(blocks_format_state(text, &g.blocks.runs[0]), "online");
	assert_string_equal(blocks_format_state(text, &g.blocks.runs[1]), "offline");
	assert_int_equal(sysfs_sum(&g, -1).movable_bytes, 0);
	assert_int_equal(parse(&g, timed, 1, &err), 0);
	assert_true(g.is_timed && !g.is_agent_only);
	guest_memory_free(&g);
}

static void a_state_is_put_into_words(void **state)
{
	struct blocks online = run_of(1, 2, "online", "Movable");
	struct blocks offline = run_of(1, 2, "offline", "Normal Movable");
	char text[STATE_TEXT_MAX];

	(void)state;
	assert_string_equal(blocks_format_state(text, &online), "online in zone Movable");
	assert_string_equal(blocks_format_state(text, &offline), "offline");
}

static void lines_of_other_commands_are_left_alone(void **state)
{
	static const char *const lines[] = { "failed 33 Device or resource busy",
					     "stopped",
					     "absent 7",
					     "size 8000000",
					     "",
					     "guests",
					     "blocksize 3" };
	struct guest_memory g = { 0 };
	struct err err = { 0 };

	(void)state;
	assert_int_equal(parse(&g, lines, ARRAY_SIZE(lines), &err), 0);
	assert_int_equal(g.block_size_bytes, 128 * M);
	assert_int_equal(parse(&g, lines, 0, &err), 0);
	assert_int_equal(g.block_size_bytes, 0);
	guest_memory_free(&g);
}

static const char *const malformed[] = {
	"guest ",
	"guest 6.1",
	"guest 6.1 1 offline contig-zones",
	"guest 6.1\033[31m 1 offline contig-zones N",
	"guest 6.1;reboot 1 offline contig-zones N",
	"guest 6.1 1 off\x9bline contig-zones N",
	"guest 6.1 1 a-word-that-is-longer-than-any-policy contig-zones N",
	"guest 6.1 1 offline a-word-that-is-longer-than-any-policy N",
	"guest "
	"6.1-a-release-that-is-longer-than-a-kernel-s-release-can-be-as-uname-2-has-it-in-64-bytes "
	"1 - - -",
	"memory ",
	"memory 1",
	"memory 1 2",
	"memory -1 2 3",
	"memory 1 +2 3",
	"memory 1 2 3kB",
	"memory 0x1 2 3",
	"memory 1.5 2 3",
	"memory 18014398509481984 2 3", /* 2^64 bytes */
	"memory 1125899906842625 2 3",	/* more than 2^60 */
	"memory 99999999999999999999 2 3",
	"free ",
	"free 1",
	"free -1 2",
	"free 1 2kB",
	"free 1 -",
	"free 4503599627370497 1", /* 2^64 bytes */
	"free 1 4503599627370497",
	"size ",
	"size 0",
	"size 3",
	"size 0x8000000",
	"size 8000000 ",
	"size -8000000",
	"size 8000001",
	"size 10000000000000000", /* 2^64 */
	"size 8000000000000000",  /* 2^63: no block number but 0 and 1 has an address */
	"size 1",
	"size 80000", /* less than 1 MiB */
	"size 2000000000",
	"size g",
	"blocks ",
	"blocks 1",
	"blocks 1 2",
	"blocks 1 2 online",
	"blocks 1 2 online 0",
	"blocks 1 2 online 0 1",
	"blocks 2 1 online 0 1 Normal",
	"blocks -1 2 online 0 1 Normal",
	"blocks 1 +2 online 0 1 Normal",
	"blocks 1-2 3 online 0 1 Normal",
	"blocks a 2 online 0 1 Normal",
	"blocks 1 10000000 online 0 1 Normal",
	"blocks 0 18446744073709551615 online 0 1 Normal",
	"blocks 1 99999999999999999999 online 0 1 Normal",
	"blocks 1 2 a-state-longer-than-any 0 1 Normal",
	"blocks 1 2 on\033line 0 1 Normal",
	"blocks 1 2 online! 0 1 Normal",
	"blocks 1 2 online x 1 Normal",
	"blocks 1 2 online 1024 1 Normal",
	"blocks 1 2 online -1 1 Normal",
	"blocks 1 2 online 0 x Normal",
	"blocks 1 2 online 0 2 Normal",
	"blocks 1 2 online 0 1 Nor\tmal",
	"blocks 1 2 online 0 1 Norm\xc3\xa4l",
	"blocks 1 2 online 0 1 Normal;Movable",
	"blocks 1 2 online 0 1 Zone Zone Zone Zone Zone Zone Zone Zone Zone Zone Zone Zone",
};

static void a_malformed_line_is_refused_and_quoted(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(malformed); i++) {
		const char *const lines[] = { "size 8000000", malformed[i] };
		struct guest_memory g = { 0 };
		struct err err = { 0 };

		check(parse(&g, lines, 2, &err) == -1, "'%s'", malformed[i]);
		check(err.code == ERR_GUEST_UNREACHABLE, "'%s'", malformed[i]);
		check(!strncmp(err.message, "cannot understand the guest: '", 30), "'%s'",
		      malformed[i]);
		check(!strncmp(err.message + 30, malformed[i],
			       20 < strlen(malformed[i]) ? 20 : strlen(malformed[i])),
		      "'%s'", malformed[i]);
		guest_memory_free(&g);
	}
}

/* MemFree is 1000 pages of 4 KiB, of which the buddy lists have those below. */
static void what_is_free_in_movable_is_a_part_of_what_is_free(void **state)
{
	static const struct {
		const char *memory, *line;
		uint64_t bytes;
		bool is_known;
	} rows[] = {
		{ "memory 9999 4000 4000", "free 250 750", 750 * 4096, true },
		{ "memory 9999 4000 4000", "free 1000 0", 0, true },
		{ "memory 9999 4000 4000", "free 0 1000", 1000 * 4096, true },
		/* pages of 64 KiB */
		{ "memory 999999 64000 64000", "free 500 500", 500 * 65536, true },
		{ "memory 9999 4000 4000", "free 0 0", 0, false },
		{ "memory 9999 - 4000", "free 250 750", 0, false },
		{ "memory 9999 4000 4000", "other 1 2", 0, false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *const lines[] = { rows[i].memory, rows[i].line };
		struct guest_memory g = { 0 };
		struct err err = { 0 };

		check(!parse(&g, lines, 2, &err), "row %zu: %s", i, err.message);
		check(!!(g.has & GUEST_HAS_MOVABLE_FREE) == rows[i].is_known, "row %zu", i);
		check(g.movable_free_bytes == rows[i].bytes, "row %zu: %llu", i,
		      (unsigned long long)g.movable_free_bytes);
		guest_memory_free(&g);
	}
}

static void blocks_that_overlap_or_go_backwards_are_refused(void **state)
{
	static const char *const seconds[] = { "blocks 8 9 online 0 1 Normal",
					       "blocks 4 4 offline 0 1 Normal",
					       "blocks 0 1 online 0 1 Normal",
					       "blocks 0 99 online 0 1 none" };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(seconds); i++) {
		const char *const lines[] = { "blocks 4 8 online 0 1 Normal", seconds[i] };
		struct guest_memory g = { 0 };
		struct err err = { 0 };

		check(parse(&g, lines, 2, &err) == -1, "'%s'", seconds[i]);
		guest_memory_free(&g);
	}
}

static void a_second_scan_replaces_the_first(void **state)
{
	static const char *const first[] = { "size 8000000", "blocks 0 3 online 0 1 none" };
	static const char *const second[] = { "size 10000000", "blocks 0 1 online 0 1 none" };
	struct guest_memory g = { 0 };
	struct err err = { 0 };

	(void)state;
	assert_int_equal(parse(&g, first, 2, &err), 0);
	assert_int_equal(parse(&g, second, 2, &err), 0);
	assert_int_equal(g.block_size_bytes, 256 * M);
	lists(&g.blocks, "0-1 online none");
	guest_memory_free(&g);
}

static void memory_is_found_in_its_blocks(void **state)
{
	static const struct {
		uint64_t address, size_bytes, block_size_bytes;
		bool is_whole;
		uint64_t first, last;
	} rows[] = {
		{ 0x100000000, 512 * M, 128 * M, true, 32, 35 },
		{ 0x140000000, 128 * M, 128 * M, true, 40, 40 },
		{ 0, 128 * M, 128 * M, true, 0, 0 },
		{ 0x40000000, G, 128 * M, true, 8, 15 }, /* arm64 virt begins at 1 GiB */
		{ UINT64_C(0x10000000000), 8 * G, 128 * M, true, 8192, 8255 },
		{ 0x1000000000, 4 * G, 2 * G, true, 32, 33 },	 /* a guest of 64 GiB */
		{ 0x100000000, 256 * M, 256 * M, true, 16, 16 }, /* pseries */
		{ UINT64_C(0xffffffff80000000), 2 * G, 2 * G, true, 8589934591, 8589934591 },
		{ 0x100000000, 130 * M, 128 * M, false, 0, 0 },
		{ 0x108200000, 128 * M, 128 * M, false, 0, 0 },
		{ 0x100000000, 512 * M, 2 * G, false, 0, 0 },
		{ 0x120000000, 2 * G, 2 * G, false, 0, 0 },
		{ 0x100000000, 0, 128 * M, false, 0, 0 },
		{ 0x100000000, 512 * M, 0, false, 0, 0 },
		{ 0x100000000, 1, 128 * M, false, 0, 0 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct blocks run;

		check(sysfs_blocks_of(rows[i].address, rows[i].size_bytes, rows[i].block_size_bytes,
				      &run) == rows[i].is_whole,
		      "row %zu", i);
		check(!rows[i].is_whole || (run.first == rows[i].first && run.last == rows[i].last),
		      "row %zu", i);
		check(run.node == -1 && run.removable == REMOVABLE_UNKNOWN && !run.state[0] &&
			      !run.zones[0],
		      "row %zu", i);
	}
}

static void a_state_is_compared_exactly(void **state)
{
	static const struct {
		const char *state, *zones;
		bool is_online, is_offline;
		enum zone zone;
	} rows[] = {
		{ "online", "Movable", true, false, ZONE_MOVABLE },
		{ "online", "Normal", true, false, ZONE_KERNEL },
		{ "online", "DMA32", true, false, ZONE_KERNEL },
		{ "online", "none", true, false, ZONE_ANY },
		{ "online", "", true, false, ZONE_ANY },
		{ "offline", "Normal Movable", false, true, ZONE_ANY },
		{ "offline", "Movable", false, true, ZONE_ANY },
		{ "going-offline", "Movable", false, false, ZONE_ANY },
		{ "", "", false, false, ZONE_ANY },
		{ "online_movable", "Movable", false, false, ZONE_ANY },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct blocks run = run_of(0, 0, rows[i].state, rows[i].zones);

		check(blocks_are_online(&run) == rows[i].is_online, "row %zu", i);
		check(blocks_are_offline(&run) == rows[i].is_offline, "row %zu", i);
		check(blocks_zone(&run) == rows[i].zone, "row %zu", i);
	}
}

static void zones_and_states_are_added_up_in_bytes(void **state)
{
	static const char *const lines[] = {
		"size 80000000",
		"blocks 0 0 online 0 0 none",
		"blocks 1 1 online 0 0 DMA32",
		"blocks 2 3 online 0 1 Normal",
		"blocks 32 34 online 0 1 Movable",
		"blocks 35 39 offline 0 1 Movable",
		"blocks 40 40 going-offline 0 1 Movable",
	};
	struct block_sum sum;
	uint64_t movable_bytes = 1, kernel_bytes = 1;
	struct guest_memory g = { 0 };
	struct err err = { 0 };

	(void)state;
	assert_int_equal(parse(&g, lines, ARRAY_SIZE(lines), &err), 0);
	sum = sysfs_sum(&g, -1);
	movable_bytes = sum.movable_bytes;
	kernel_bytes = sum.online_bytes - sum.movable_bytes;
	assert_int_equal(movable_bytes, 3 * 2 * G);
	assert_int_equal(kernel_bytes, 4 * 2 * G);
	assert_int_equal(sum.online_bytes, 7 * 2 * G);
	assert_int_equal(sum.offline_bytes, 5 * 2 * G);
	guest_memory_free(&g);
}

static void zones_have_the_words_of_the_guest_program(void **state)
{
	(void)state;
	assert_string_equal(sysfs_zone_word(ZONE_AUTO), "auto");
	assert_string_equal(sysfs_zone_word(ZONE_MOVABLE), "movable");
	assert_string_equal(sysfs_zone_word(ZONE_KERNEL), "kernel");
	assert_string_equal(sysfs_zone_word(ZONE_ANY), "any");
}

static void blocks_are_named_as_in_sysfs(void **state)
{
	char text[BLOCKS_TEXT_MAX];

	(void)state;
	assert_string_equal(blocks_format(text, 33, 33), "memory33");
	assert_string_equal(blocks_format(text, 32, 35), "memory32-memory35");
	assert_string_equal(blocks_format(text, UINT64_MAX - 1, UINT64_MAX),
			    "memory18446744073709551614-memory18446744073709551615");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_scan_is_read),
		cmocka_unit_test(a_dash_is_unknown_and_not_zero),
		cmocka_unit_test(the_memory_map_policy_is_read),
		cmocka_unit_test(what_an_agent_without_a_shell_says_is_read),
		cmocka_unit_test(a_state_is_put_into_words),
		cmocka_unit_test(lines_of_other_commands_are_left_alone),
		cmocka_unit_test(a_malformed_line_is_refused_and_quoted),
		cmocka_unit_test(what_is_free_in_movable_is_a_part_of_what_is_free),
		cmocka_unit_test(blocks_that_overlap_or_go_backwards_are_refused),
		cmocka_unit_test(a_second_scan_replaces_the_first),
		cmocka_unit_test(memory_is_found_in_its_blocks),
		cmocka_unit_test(a_state_is_compared_exactly),
		cmocka_unit_test(zones_and_states_are_added_up_in_bytes),
		cmocka_unit_test(zones_have_the_words_of_the_guest_program),
		cmocka_unit_test(blocks_are_named_as_in_sysfs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
