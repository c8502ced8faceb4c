/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where the guest's kernel puts the memory map of new memory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hotplug/memmap.h"
#include "lib/util.h"

#define X86_PAGE_BYTES	  4096
#define STRUCT_PAGE_BYTES 64
#define ENTRY_BYTES	  8 /* of a page table */

/* A kernel release as a comparable number: 6.1 is 6001; 0 if it cannot be parsed. */
static unsigned version_of(const char *release)
{
	char *end;
	unsigned long major, minor;

	if (*release < '1' || *release > '9')
		return 0;
	major = strtoul(release, &end, 10);
	if (*end != '.' || end[1] < '0' || end[1] > '9' || major > 999)
		return 0;
	minor = strtoul(end + 1, &end, 10);
	return minor > 999 || (*end && !strchr(".-+_~", *end)) ? 0
							       : (unsigned)(major * 1000 + minor);
}

/* Before Linux 6.0, hugetlb_free_vmemmap disabled it without a trace in sysfs. */
static bool can_count(const struct guest_memory *g)
{
	return g->memmap_on_memory && version_of(g->kernel) >= 6000;
}

/* 0: not known */
static uint64_t page_bytes_of(const struct guest_memory *g, const char *arch)
{
	if (arch && !strcmp(arch, "x86_64"))
		return X86_PAGE_BYTES;
	return arch && !strcmp(arch, "aarch64") ? g->page_bytes : 0;
}

bool memmap_wants_page_size(const struct guest_memory *g, const char *arch)
{
	return can_count(g) && arch && !strcmp(arch, "aarch64") && !g->page_bytes;
}

bool memmap_lies_inside(const struct guest_memory *g, const char *arch, uint64_t dimm_bytes)
{
	uint64_t page_bytes = page_bytes_of(g, arch), block_bytes = g->block_size_bytes;
	uint64_t huge_bytes = page_bytes / ENTRY_BYTES * page_bytes;

	if (!can_count(g) || !page_bytes || !block_bytes)
		return false;
	/* before Linux 6.8 only for a DIMM of one block; since then each block holds its own */
	if (version_of(g->kernel) < 6008 && dimm_bytes != block_bytes)
		return false;
	return block_bytes / page_bytes * STRUCT_PAGE_BYTES % huge_bytes == 0;
}
