/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which zone new memory goes to. */
#include "unit.h"

#include "hotplug/zone.h"

#define M	   (UINT64_C(1) << 20)
#define G	   (UINT64_C(1) << 30)
#define PIECES_MAX 64

static void add_blocks(struct transaction *t, uint64_t first, uint64_t count, const char *word,
		       const char *zones)
{
	struct blocks run = { .first = first, .last = first + count - 1, .node = 0 };

	snprintf(run.state, sizeof(run.state), "%s", word);
	snprintf(run.zones, sizeof(run.zones), "%s", zones);
	if (count)
		block_list_add(&t->view.before.blocks, &run);
}

/* A guest with that much memory online in the kernel's zones and in Movable, and some offline. */
static void have(struct transaction *t, uint64_t kernel_bytes, uint64_t movable_bytes)
{
	*t = (struct transaction){ .view.has_guest = true,
				   .view.before.block_size_bytes = 128 * M };
	add_blocks(t, 0, kernel_bytes / (128 * M), "online", "none");
	add_blocks(t, 1000, movable_bytes / (128 * M), "online", "Movable");
	add_blocks(t, 2000, 80, "offline", "Normal Movable");
}

static void one_piece_goes_to_movable_while_that_is_3_x_the_kernels(void **state)
{
	static const struct {
		uint64_t kernel_bytes, movable_bytes, size_bytes;
		enum zone asked, taken;
		const char *reason;
	} rows[] = {
		{ 512 * M, 0, 512 * M, ZONE_AUTO, ZONE_MOVABLE,
		  "auto chose Movable: 512 MiB is at most 3 times the kernel's 512 MiB" },
		{ 512 * M, 1024 * M, 512 * M, ZONE_AUTO, ZONE_MOVABLE,
		  "auto chose Movable: 1.5 GiB is at most 3 times the kernel's 512 MiB" },
		{ 512 * M, 1024 * M, 768 * M, ZONE_AUTO, ZONE_KERNEL,
		  "auto chose kernel: 1.75 GiB Movable would be over 3 times its 512 MiB" },
		{ 512 * M, 0, 64 * G, ZONE_AUTO, ZONE_KERNEL,
		  "auto chose kernel: 64 GiB Movable would be over 3 times its 512 MiB" },
		{ 512 * M, 0, 64 * G, ZONE_MOVABLE, ZONE_MOVABLE, "" },
		{ 512 * M, 0, 128 * M, ZONE_KERNEL, ZONE_KERNEL, "" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		char reason[ZONE_REASON_MAX] = "left from before";
		struct transaction t;

		have(&t, rows[i].kernel_bytes, rows[i].movable_bytes);
		check(zone_choose(&t, rows[i].asked, rows[i].size_bytes, reason) == rows[i].taken,
		      "row %zu", i);
		check(!strcmp(reason, rows[i].reason), "row %zu: %s", i, reason);
		guest_memory_free(&t.view.before);
	}
}

/* The kernel's pieces come first, as few as the ratio allows. */
static void of_many_pieces_the_first_go_to_the_kernel(void **state)
{
	static const struct {
		uint64_t kernel_bytes, movable_bytes, size_bytes;
		unsigned count;
		enum zone asked;
		unsigned first;
	} rows[] = {
		{ 512 * M, 0, 512 * M, 3, ZONE_AUTO, 0 },
		{ 512 * M, 0, 512 * M, 4, ZONE_AUTO, 1 }, /* 1 GiB : 1.5 GiB */
		{ 512 * M, 0, 512 * M, 7, ZONE_AUTO, 1 }, /* 1 GiB : 3 GiB */
		{ 512 * M, 0, 512 * M, 8, ZONE_AUTO, 2 },
		{ 512 * M, 0, 1 * G, 64, ZONE_AUTO, 16 },
		{ 512 * M, 1536 * M, 512 * M, 4, ZONE_AUTO, 1 },
		{ 8 * G, 0, 1 * G, 16, ZONE_AUTO, 0 },
		{ 512 * M, 3 * G, 512 * M, 2, ZONE_AUTO, 2 }, /* even then it is not 3 : 1 */
		{ 512 * M, 0, 1 * G, 64, ZONE_MOVABLE, 0 },
		{ 8 * G, 0, 128 * M, 4, ZONE_KERNEL, 4 },
		{ 512 * M, 0, 512 * M, 0, ZONE_AUTO, 0 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t sizes[PIECES_MAX], movable = rows[i].movable_bytes,
					    kernel = rows[i].kernel_bytes;
		char reason[ZONE_REASON_MAX], even[ZONE_REASON_MAX];
		unsigned j, first;
		struct transaction t;

		for (j = 0; j < rows[i].count; j++)
			sizes[j] = rows[i].size_bytes;
		have(&t, kernel, movable);
		first = zone_split(&t, rows[i].asked, sizes, rows[i].count, reason);
		check(first == rows[i].first, "row %zu: %u, %s", i, first, reason);
		check(!*reason == (rows[i].asked != ZONE_AUTO), "row %zu: %s", i, reason);
		check(t.kernel_added_bytes == first * rows[i].size_bytes, "row %zu", i);
		check(t.movable_added_bytes == (rows[i].count - first) * rows[i].size_bytes,
		      "row %zu", i);
		guest_memory_free(&t.view.before);
		have(&t, kernel, movable);
		check(zone_split_even(&t, rows[i].asked, rows[i].size_bytes, rows[i].count, even) ==
			      rows[i].first,
		      "row %zu", i);
		check(!strcmp(even, reason), "row %zu: %s", i, even);
		check(t.kernel_added_bytes == first * rows[i].size_bytes, "row %zu", i);
		guest_memory_free(&t.view.before);
	}
}

/* As many as a QEMU device may claim: takes no longer than one. */
static void a_billion_pieces_are_not_counted_one_by_one(void **state)
{
	char reason[ZONE_REASON_MAX];
	struct transaction t;

	(void)state;
	have(&t, 512 * M, 0);
	assert_true(zone_split_even(&t, ZONE_AUTO, 1 * M, UINT64_C(1) << 40, reason) ==
		    (UINT64_C(1) << 38) - 384);
	guest_memory_free(&t.view.before);
}

static void pieces_of_different_sizes_are_counted_as_they_are(void **state)
{
	const uint64_t sizes[] = { 2 * G, 1 * G, 512 * M };
	char reason[ZONE_REASON_MAX];
	struct transaction t;

	(void)state;
	have(&t, 512 * M, 0);
	assert_int_equal(zone_split(&t, ZONE_AUTO, sizes, 3, reason), 1);
	assert_string_equal(reason, "auto put 1 of 3 in kernel: 1.5 GiB Movable is at most 3 times "
				    "its 2.5 GiB");
	guest_memory_free(&t.view.before);
}

/* As resize does it: virtio-mem first, then DIMMs. */
static void several_calls_add_up(void **state)
{
	uint64_t gib = 1 * G;
	char reason[ZONE_REASON_MAX];
	struct transaction t;

	(void)state;
	have(&t, 512 * M, 0);
	assert_int_equal(zone_choose(&t, ZONE_AUTO, gib, reason), ZONE_MOVABLE);
	assert_int_equal(zone_choose(&t, ZONE_AUTO, gib, reason), ZONE_KERNEL);
	assert_int_equal(zone_choose(&t, ZONE_AUTO, 3 * gib, reason), ZONE_MOVABLE);
	assert_int_equal(zone_choose(&t, ZONE_MOVABLE, gib, reason), ZONE_MOVABLE);
	assert_int_equal(zone_choose(&t, ZONE_AUTO, 128 * M, reason), ZONE_KERNEL);
	assert_int_equal(t.movable_added_bytes, 5 * gib);
	assert_int_equal(t.kernel_added_bytes, gib + 128 * M);
	guest_memory_free(&t.view.before);
}

static void a_guest_that_cannot_be_told_chooses(void **state)
{
	struct transaction t = { .view.has_guest = true, .view.before.is_agent_only = true };
	char reason[ZONE_REASON_MAX];
	struct err err = { 0 };

	(void)state;
	assert_int_equal(zone_choose(&t, ZONE_AUTO, 64 * G, reason), ZONE_ANY);
	assert_non_null(strstr(reason, "left the zone to the guest's kernel"));
	assert_int_equal(zone_check(&t.view, ZONE_AUTO, &err), 0);
	assert_int_equal(zone_check(&t.view, ZONE_MOVABLE, &err), -1);
	assert_int_equal(zone_check(&t.view, ZONE_KERNEL, &err), -1);
	assert_int_equal(err.code, ERR_FAILED);
	t.view.before.is_agent_only = false;
	assert_int_equal(zone_check(&t.view, ZONE_MOVABLE, &err), 0);
}

static void a_guest_that_is_not_known_has_no_say(void **state)
{
	struct transaction t = { .view.has_guest = false };
	uint64_t sizes[] = { 64 * G, 64 * G };
	char reason[ZONE_REASON_MAX];

	(void)state;
	assert_int_equal(zone_split(&t, ZONE_AUTO, sizes, 2, reason), 0);
	assert_string_equal(reason, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_piece_goes_to_movable_while_that_is_3_x_the_kernels),
		cmocka_unit_test(of_many_pieces_the_first_go_to_the_kernel),
		cmocka_unit_test(a_billion_pieces_are_not_counted_one_by_one),
		cmocka_unit_test(pieces_of_different_sizes_are_counted_as_they_are),
		cmocka_unit_test(several_calls_add_up),
		cmocka_unit_test(a_guest_that_cannot_be_told_chooses),
		cmocka_unit_test(a_guest_that_is_not_known_has_no_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
