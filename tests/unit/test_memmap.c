/* SPDX-License-Identifier: GPL-3.0-or-later */
/* When a DIMM's memory map is in the DIMM itself. */
#include "unit.h"

#include "hotplug/memmap.h"

#define MIB (UINT64_C(1) << 20)

static struct guest_memory guest(const char *kernel, uint64_t block_bytes, uint64_t page_bytes)
{
	struct guest_memory g = { .memmap_on_memory = true,
				  .block_size_bytes = block_bytes,
				  .page_bytes = page_bytes };

	snprintf(g.kernel, sizeof(g.kernel), "%s", kernel);
	return g;
}

static void the_kernel_s_version_decides_of_which_dimms(void **state)
{
	static const struct {
		const char *kernel;
		bool one_block, more_blocks;
	} rows[] = {
		{ "6.1.0-56-cloud-amd64", true, false },
		{ "6.0.0", true, false },
		{ "6.7.12+bpo-amd64", true, false },
		{ "6.8.0-31-generic", true, true },
		{ "6.8", true, true },
		{ "6.12.9", true, true },
		{ "7.0-rc1", true, true },
		{ "10.1.1", true, true },
		/* hugetlb_free_vmemmap may switch it off without a trace */
		{ "5.19.17", false, false },
		{ "5.14.0-427.el9.x86_64", false, false },
		{ "5.4.0", false, false },
		/* not a version */
		{ "", false, false },
		{ "-", false, false },
		{ "6", false, false },
		{ "6.", false, false },
		{ "6.x", false, false },
		{ "6.8x", false, false },
		{ "6..8", false, false },
		{ "06.8", false, false },
		{ ".6.8", false, false },
		{ "x6.8", false, false },
		{ "99999999999999999999.8", false, false },
		{ "6.99999999999999999999", false, false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct guest_memory g = guest(rows[i].kernel, 128 * MIB, 0);

		check(memmap_lies_inside(&g, "x86_64", 128 * MIB) == rows[i].one_block, "%s",
		      rows[i].kernel);
		check(memmap_lies_inside(&g, "x86_64", 256 * MIB) == rows[i].more_blocks, "%s",
		      rows[i].kernel);
		g.memmap_on_memory = false;
		check(!memmap_lies_inside(&g, "x86_64", 128 * MIB), "%s off", rows[i].kernel);
	}
}

static void the_map_of_a_block_fills_whole_huge_pages(void **state)
{
	static const struct {
		const char *arch;
		uint64_t block_mib, page_bytes;
		bool is_inside, wants_pages;
	} rows[] = {
		{ "x86_64", 128, 0, true, false },	 { "x86_64", 2048, 0, true, false },
		{ "x86_64", 64, 0, false, false }, /* no kernel has that */
		{ "aarch64", 128, 4096, true, false },	 { "aarch64", 128, 16384, false, false },
		{ "aarch64", 512, 65536, false, false }, { "aarch64", 128, 0, false, true },
		{ "ppc64", 256, 65536, false, false }, /* unknown whether it uses radix */
		{ "riscv64", 128, 4096, false, false },	 { NULL, 128, 4096, false, false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t block_bytes = rows[i].block_mib * MIB;
		struct guest_memory g = guest("6.1.0", block_bytes, rows[i].page_bytes);

		check(memmap_lies_inside(&g, rows[i].arch, block_bytes) == rows[i].is_inside,
		      "row %zu", i);
		check(memmap_wants_page_size(&g, rows[i].arch) == rows[i].wants_pages, "row %zu",
		      i);
	}
}

static void without_memory_hotplug_there_is_no_map(void **state)
{
	struct guest_memory g = guest("6.8.0", 0, 4096);

	(void)state;
	assert_false(memmap_lies_inside(&g, "x86_64", 128 * MIB));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_kernel_s_version_decides_of_which_dimms),
		cmocka_unit_test(the_map_of_a_block_fills_whole_huge_pages),
		cmocka_unit_test(without_memory_hotplug_there_is_no_map),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
