/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where new devices go. */
#include "recorded.h"

/* A DIMM at "addr" with "size" MiB, for the lists below. */
struct place {
	uint64_t address, size_mib;
};

static void put_devices(struct machine *m, const struct place *places)
{
	m->devices = xcalloc(16, sizeof(*m->devices));
	for (; places->size_mib; places++)
		m->devices[m->devices_count++] = (struct memdev){
			.type = xstrdup("dimm"),
			.address = places->address,
			.has = MEMDEV_HAS_ADDRESS,
			.size_bytes = places->size_mib * M,
			.max_size_bytes = places->size_mib * M,
		};
}

static bool predict(const struct machine *m, uint64_t size_bytes, uint64_t *address)
{
	return machine_place(m, &size_bytes, 1, 2 * M, address);
}

/* Each row was measured: with those DIMMs present, QEMU 7.2 put a DIMM of that size there. */
static void a_dimm_goes_where_qemu_puts_it(void **state)
{
	static const struct {
		struct place places[10];
		uint64_t size_mib, address;
	} rows[] = {
		{ { { 0 } }, 512, 0x100000000 },
		{ { { 0x110000000, 256 }, { 0x128000000, 128 }, { 0x160000000, 512 } },
		  512,
		  0x130000000 },
		{ { { 0x110000000, 256 },
		    { 0x128000000, 128 },
		    { 0x130000000, 512 },
		    { 0x160000000, 512 } },
		  256,
		  0x100000000 },
		{ { { 0x100000000, 256 },
		    { 0x110000000, 256 },
		    { 0x128000000, 128 },
		    { 0x130000000, 512 },
		    { 0x160000000, 512 } },
		  128,
		  0x120000000 },
		{ { { 0x100000000, 256 },
		    { 0x110000000, 256 },
		    { 0x120000000, 128 },
		    { 0x128000000, 128 },
		    { 0x130000000, 512 },
		    { 0x160000000, 512 } },
		  640,
		  0x180000000 },
		{ { { 0x100000000, 256 },
		    { 0x110000000, 256 },
		    { 0x120000000, 128 },
		    { 0x128000000, 128 },
		    { 0x130000000, 512 },
		    { 0x160000000, 512 },
		    { 0x180000000, 640 } },
		  384,
		  0x1a8000000 },
		{ { { 0x100000000, 256 },
		    { 0x110000000, 256 },
		    { 0x120000000, 128 },
		    { 0x128000000, 128 },
		    { 0x130000000, 512 },
		    { 0x160000000, 512 },
		    { 0x180000000, 640 },
		    { 0x1a8000000, 384 } },
		  128,
		  0x150000000 },
		{ { { 0x100000000, 130 } }, 128, 0x108200000 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct machine m = { .has_base_address = true, .base_address = 0x100000000 };
		uint64_t address = 0;

		put_devices(&m, rows[i].places);
		check(predict(&m, rows[i].size_mib * M, &address), "row %zu", i);
		check(address == rows[i].address, "row %zu: 0x%llx", i,
		      (unsigned long long)address);
		machine_free(&m);
	}
}

/* Measured: 384 MiB more went after the virtio-pmem, since virtio-mem reserves its max-size. */
static void a_dimm_does_not_go_where_virtio_mem_may_grow(void **state)
{
	struct machine m = { .has_base_address = true, .base_address = 0x100000000 };
	uint64_t address = 0;

	(void)state;
	read_text(&m, recorded);
	assert_true(predict(&m, 384 * M, &address));
	assert_int_equal(address, 0x190000000);
	machine_free(&m);
}

static void several_dimms_go_behind_and_between_each_other(void **state)
{
	struct machine m = { .has_base_address = true, .base_address = 0x100000000 };
	const uint64_t sizes[] = { 256 * M, 128 * M, 128 * M };
	uint64_t addresses[ARRAY_SIZE(sizes)];

	(void)state;
	read_text(&m,
		  "[{\"type\": \"dimm\", \"data\": {\"addr\": 4429185024, \"size\": 134217728}}]");
	assert_true(machine_place(&m, sizes, ARRAY_SIZE(sizes), 2 * M, addresses));
	assert_int_equal(addresses[0], 0x110000000);
	assert_int_equal(addresses[1], 0x100000000);
	assert_int_equal(addresses[2], 0x120000000);
	machine_free(&m);
}

/* A guest can use only whole blocks, whatever alignment QEMU accepts. */
static void several_places_are_multiples_of_the_alignment(void **state)
{
	static const struct {
		struct place places[4];
		uint64_t base, sizes_mib[3], align_mib, addresses[3];
	} rows[] = {
		{ { { 0x100000000, 130 } },
		  0x100000000,
		  { 128, 256, 128 },
		  128,
		  { 0x110000000, 0x118000000, 0x128000000 } },
		{ { { 0x100000000, 126 } },
		  0x100000000,
		  { 128, 256, 128 },
		  128,
		  { 0x108000000, 0x110000000, 0x120000000 } },
		/* the gap before the second DIMM: too small for one size, just right for another */
		{ { { 0x100000000, 2 }, { 0x114000000, 64 } },
		  0x100000000,
		  { 256, 128, 128 },
		  128,
		  { 0x118000000, 0x108000000, 0x128000000 } },
		/* device memory that begins inside a block, as on loongarch */
		{ { { 0 } },
		  0xb0000000,
		  { 512, 1024, 512 },
		  512,
		  { 0xc0000000, 0xe0000000, 0x120000000 } },
	};
	size_t i, j;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct machine m = { .has_base_address = true, .base_address = rows[i].base };
		uint64_t sizes[3], addresses[3];

		put_devices(&m, rows[i].places);
		for (j = 0; j < 3; j++)
			sizes[j] = rows[i].sizes_mib[j] * M;
		assert_true(machine_place(&m, sizes, 3, rows[i].align_mib * M, addresses));
		for (j = 0; j < 3; j++)
			check(addresses[j] == rows[i].addresses[j], "row %zu, %zu: 0x%llx", i, j,
			      (unsigned long long)addresses[j]);
		machine_free(&m);
	}
}

static void the_largest_gap_is_one_that_can_be_used(void **state)
{
	static const struct {
		struct place places[4];
		uint64_t base, end, gap_mib;
	} rows[] = {
		{ { { 0 } }, 0x100000000, 0x140000000, 1024 },
		{ { { 0 } }, 0xb4000000, 0xda000000, 512 },
		{ { { 0x100000000, 130 } }, 0x100000000, 0x140000000, 768 },
		{ { { 0x104000000, 128 }, { 0x138000000, 2 } }, 0x100000000, 0x140000000, 640 },
		{ { { 0x100000000, 1024 } }, 0x100000000, 0x140000000, 0 },
		{ { { 0x100000000, 2048 } }, 0x100000000, 0x140000000, 0 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct machine m = { .has_base_address = true, .base_address = rows[i].base };
		uint64_t gap;

		put_devices(&m, rows[i].places);
		gap = machine_largest_gap(&m, rows[i].end, 128 * M);
		check(gap == rows[i].gap_mib * M, "row %zu: %llu", i, (unsigned long long)gap / M);
		machine_free(&m);
	}
}

static void a_device_is_found_by_what_it_takes(void **state)
{
	static const struct place places[] = { { 0x108000000, 128 }, { 0x118000000, 130 }, { 0 } };
	struct machine m = { 0 };

	(void)state;
	put_devices(&m, places);
	assert_null(machine_device_in(&m, 0x100000000, 128 * M));
	assert_ptr_equal(machine_device_in(&m, 0x100000000, 128 * M + 1), &m.devices[0]);
	assert_ptr_equal(machine_device_in(&m, 0x10fffffff, 1), &m.devices[0]);
	assert_null(machine_device_in(&m, 0x110000000, 128 * M));
	assert_ptr_equal(machine_device_in(&m, 0x120000000, 128 * M), &m.devices[1]);
	assert_null(machine_device_in(&m, 0x120200000, UINT64_MAX - 0x120200000));
	machine_free(&m);
}

static void no_address_is_predicted_from_half_the_facts(void **state)
{
	struct machine m = { .base_address = 0x100000000 };
	uint64_t address;

	(void)state;
	assert_false(predict(&m, 128 * M, &address));
	m.has_base_address = true;
	read_text(&m, "[{\"type\": \"dimm\", \"data\": {\"size\": 134217728}}]");
	assert_false(predict(&m, 128 * M, &address));
	m.devices[0].has = MEMDEV_HAS_ADDRESS;
	assert_false(predict(&m, UINT64_MAX, &address));
	m.devices[0].max_size_bytes = UINT64_MAX;
	assert_false(predict(&m, 128 * M, &address));
	machine_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_dimm_goes_where_qemu_puts_it),
		cmocka_unit_test(a_dimm_does_not_go_where_virtio_mem_may_grow),
		cmocka_unit_test(several_dimms_go_behind_and_between_each_other),
		cmocka_unit_test(several_places_are_multiples_of_the_alignment),
		cmocka_unit_test(the_largest_gap_is_one_that_can_be_used),
		cmocka_unit_test(a_device_is_found_by_what_it_takes),
		cmocka_unit_test(no_address_is_predicted_from_half_the_facts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
