/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The blocks that a guest is asked for, and the meaning of its answer. */
#include <stdlib.h>
#include <string.h>

#include "guest/shell.h"
#include "hotplug/memory.h"
#include "unit.h"

static void asks(void (*ask)(struct request *r, const struct block_list *list),
		 const struct block_list *list, const char *expected)
{
	_cleanup_request_ struct request r = { 0 };
	_cleanup_free_ char *text = NULL;

	ask(&r, list);
	text = shell_encode(&r);
	assert_string_equal(text, expected);
}

static void add(struct block_list *list, uint64_t first, uint64_t last, const char *state)
{
	struct blocks run = { .first = first, .last = last, .node = -1 };

	snprintf(run.state, sizeof(run.state), "%s", state);
	block_list_add(list, &run);
}

static void blocks_in_a_few_places_are_asked_for_alone(void **state)
{
	struct block_list list = { 0 };

	(void)state;
	add(&list, 40, 43, "offline");
	add(&list, 32, 35, "online");
	asks(memory_request_first, &list, "facts;near 1 32-35 40-43");
	asks(memory_request_again, &list, "memory;near 1 32-35 40-43");
	/* neighbours are one place, whatever their state */
	add(&list, 36, 39, "online");
	asks(memory_request_again, &list, "memory;near 1 32-43");
	block_list_free(&list);
}

static void no_blocks_or_many_places_are_a_scan(void **state)
{
	struct block_list list = { 0 };
	uint64_t i;

	(void)state;
	asks(memory_request_first, &list, "scan");
	asks(memory_request_again, &list, "scan");
	asks(memory_request_again, NULL, "scan");
	for (i = 0; i < 16; i++)
		add(&list, 2 * i, 2 * i, "online");
	asks(memory_request_again, &list,
	     "memory;near 1 0-0 2-2 4-4 6-6 8-8 10-10 12-12 14-14 16-16 18-18 20-20 22-22 24-24 "
	     "26-26 28-28 30-30");
	add(&list, 32, 32, "online");
	asks(memory_request_again, &list, "scan");
	block_list_free(&list);
}

/* A machine with 512 MiB DIMMs at these addresses, and other devices. */
static void devices(const uint64_t *addresses, unsigned count, const char *expected)
{
	_cleanup_free_ struct memdev *all = xcalloc(count + 1, sizeof(*all));
	struct machine m = { .devices = all, .devices_count = count + 1 };
	_cleanup_request_ struct request r = { 0 };
	_cleanup_free_ char *text = NULL;
	unsigned i;

	for (i = 0; i < count; i++)
		all[i] = (struct memdev){ .type = (char *)"dimm",
					  .has = MEMDEV_HAS_ADDRESS,
					  .address = addresses[i],
					  .size_bytes = UINT64_C(512) << 20 };
	all[count] = (struct memdev){ .type = (char *)"virtio-mem",
				      .has = MEMDEV_HAS_ADDRESS,
				      .address = UINT64_C(1) << 40,
				      .size_bytes = UINT64_C(512) << 20 };
	memory_request_devices(&r, &m);
	text = shell_encode(&r);
	assert_string_equal(text, expected);
}

static void of_devices_the_dimms_are_asked_for(void **state)
{
	const uint64_t two[] = { UINT64_C(5) << 30, UINT64_C(4) << 30 };
	const uint64_t neighbours[] = { UINT64_C(4) << 30, (UINT64_C(4) << 30) + (512 << 20) };

	(void)state;
	devices(two, 0, "scan");
	devices(two, 2, "facts;near 0x 4294967296-4831838207 5368709120-5905580031");
	devices(neighbours, 2, "facts;near 0x 4294967296-5368709119");
}

static void some_blocks_are_no_sum_of_all(void **state)
{
	const char *const lines[] = { "blocks 32 35 online 0 1 Movable" };
	struct block_list list = { 0 };
	struct guest_memory g = { 0 };
	struct answer answer = { 0 };
	_cleanup_request_ struct request r = { 0 }, scan = { 0 };
	struct err err;

	(void)state;
	answer_put(&answer, 0, lines[0]);
	add(&list, 32, 35, "");
	memory_request_again(&r, &list);
	assert_int_equal(memory_read(&g, &r, &answer, &err), 0);
	assert_true(g.is_partial && g.blocks.count == 1);
	request_add(&scan, VERB_SCAN);
	assert_int_equal(memory_read(&g, &scan, &answer, &err), 0);
	assert_false(g.is_partial);
	guest_memory_free(&g);
	answer_free(&answer);
	block_list_free(&list);
}

/* An agent's answers, which may be anything, are parsed as strictly as a shell's. */
static void an_agent_is_read_strictly(void **state)
{
	static const struct {
		struct agent_run runs[2];
		uint64_t size;
		bool is_right;
	} rows[] = {
		{ { { 0, 7, true, 1 }, { 32, 35, false, -1 } }, 128 << 20, true },
		{ { { 0, 7, true, 1 }, { 7, 9, false, -1 } }, 128 << 20, false },
		{ { { 0, 7, true, 1 }, { 8, 10000000, false, -1 } }, 128 << 20, false },
		{ { { 0, 7, true, 1 }, { 32, 35, false, -1 } }, 3, false },
		{ { { 0, 7, true, 1 }, { 32, 35, false, -1 } }, 0, false },
	};
	_cleanup_request_ struct request r = { 0 };
	size_t i;

	(void)state;
	request_add(&r, VERB_SCAN);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct answer answer = { .is_from_agent = true,
					 .memory = { .has_info = true,
						     .kernel = "6.1.0",
						     .block_size_bytes = rows[i].size } };
		struct guest_memory g = { 0 };
		struct err err;

		answer_add_run(&answer, &rows[i].runs[0]);
		answer_add_run(&answer, &rows[i].runs[1]);
		assert_int_equal(memory_read(&g, &r, &answer, &err), rows[i].is_right ? 0 : -1);
		assert_true(g.is_agent_only && !g.is_root && !strcmp(g.kernel, "6.1.0"));
		if (rows[i].is_right)
			assert_true(g.blocks.count == 2 && blocks_are_offline(&g.blocks.runs[1]) &&
				    g.blocks.runs[1].removable == REMOVABLE_UNKNOWN);
		guest_memory_free(&g);
		answer_free(&answer);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_in_a_few_places_are_asked_for_alone),
		cmocka_unit_test(no_blocks_or_many_places_are_a_scan),
		cmocka_unit_test(of_devices_the_dimms_are_asked_for),
		cmocka_unit_test(some_blocks_are_no_sum_of_all),
		cmocka_unit_test(an_agent_is_read_strictly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
