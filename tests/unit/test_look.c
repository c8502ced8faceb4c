/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which blocks a look at the guest shows. */
#include <stdlib.h>
#include <string.h>

#include "hotplug/look.h"
#include "unit.h"

static void says(void (*add)(struct buf *words, const struct block_list *list),
		 const struct block_list *list, const char *expected)
{
	_cleanup_buf_ struct buf words = { 0 };

	add(&words, list);
	assert_string_equal(words.data, expected);
}

static void add(struct block_list *list, uint64_t first, uint64_t last, const char *state)
{
	struct blocks run = { .first = first, .last = last, .node = -1 };

	snprintf(run.state, sizeof(run.state), "%s", state);
	block_list_add(list, &run);
}

static void blocks_in_a_few_places_are_looked_at_alone(void **state)
{
	struct block_list list = { 0 };

	(void)state;
	add(&list, 40, 43, "offline");
	add(&list, 32, 35, "online");
	says(look_add_first, &list, "facts;near 1 32-35 40-43");
	says(look_add_again, &list, "memory;near 1 32-35 40-43");
	/* neighbours are one place, whatever they are */
	add(&list, 36, 39, "online");
	says(look_add_again, &list, "memory;near 1 32-43");
	block_list_free(&list);
}

static void no_blocks_or_many_places_are_a_look_at_all(void **state)
{
	struct block_list list = { 0 };
	uint64_t i;

	(void)state;
	says(look_add_first, &list, "scan");
	says(look_add_again, &list, "scan");
	for (i = 0; i < 16; i++)
		add(&list, 2 * i, 2 * i, "online");
	says(look_add_again, &list,
	     "memory;near 1 0-0 2-2 4-4 6-6 8-8 10-10 12-12 14-14 16-16 18-18 20-20 22-22 24-24 "
	     "26-26 28-28 30-30");
	add(&list, 32, 32, "online");
	says(look_add_again, &list, "scan");
	block_list_free(&list);
}

/* A machine with DIMMs of 512 MiB at these addresses, and with something else. */
static void devices(const uint64_t *addresses, unsigned count, const char *expected)
{
	_cleanup_free_ struct memdev *all = xcalloc(count + 1, sizeof(*all));
	struct machine m = { .devices = all, .devices_count = count + 1 };
	_cleanup_buf_ struct buf words = { 0 };
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
	look_add_devices(&words, &m);
	assert_string_equal(words.data, expected);
}

static void of_devices_the_dimms_are_looked_at(void **state)
{
	const uint64_t two[] = { UINT64_C(5) << 30, UINT64_C(4) << 30 };
	const uint64_t neighbours[] = { UINT64_C(4) << 30, (UINT64_C(4) << 30) + (512 << 20) };

	(void)state;
	devices(two, 0, "scan");
	devices(two, 2, "facts;near 0x 4294967296-4831838207 5368709120-5905580031");
	devices(neighbours, 2, "facts;near 0x 4294967296-5368709119");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_in_a_few_places_are_looked_at_alone),
		cmocka_unit_test(no_blocks_or_many_places_are_a_look_at_all),
		cmocka_unit_test(of_devices_the_dimms_are_looked_at),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
