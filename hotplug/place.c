/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The addresses of new memory devices. */
#include <string.h>

#include "hotplug/place.h"
#include "lib/size.h"
#include "lib/util.h"
#include "qemu/host.h"
#include "qemu/mem-path.h"

#define X86_BLOCK_BYTES (UINT64_C(128) << 20) /* no x86 guest has smaller blocks */

uint64_t place_block_bytes(const struct view *v)
{
	bool is_x86 = v->machine.arch && !strcmp(v->machine.arch, "x86_64");

	if (v->has_guest)
		return v->before.block_size_bytes;
	return is_x86 ? X86_BLOCK_BYTES : 0;
}

/* The huge page size to which QEMU aligns a device; 0 if it is smaller than any block. */
static uint64_t page_bytes(const struct view *v, const struct backend_options *b)
{
	pid_t pid = qmp_peer_pid(v->qmp);
	struct huge_pages pages = { .page_bytes = b->hugetlb.value };
	struct mem_path file;

	if (pid && b->mem_path)
		return mem_path_read(&file, pid, b->mem_path) && file.medium == MEDIUM_HUGE
			       ? file.page_bytes
			       : 0;
	if (b->hugetlb.is_set && !pages.page_bytes && pid)
		(void)!host_huge_pages(&pages, 0);
	return pages.page_bytes;
}

/*
 * Find the end of the address space for memory devices, if it matters for a device from @first to
 * @last: the space is at least as large as maxmem leaves it. False if QEMU need not be asked, or
 * does not tell.
 */
static bool find_end(const struct view *v, uint64_t first, uint64_t last, uint64_t *end)
{
	const struct machine *m = &v->machine;

	if (!m->has_base_address || !m->has_limits || m->max_memory_bytes < m->base_memory_bytes ||
	    (first >= m->base_address &&
	     last - m->base_address <= m->max_memory_bytes - m->base_memory_bytes))
		return false;
	return machine_query_end(m, v->qmp, end);
}

static int no_gap(const struct view *v, uint64_t size_bytes, uint64_t end, uint64_t align_bytes,
		  unsigned fit, unsigned count, struct err *err)
{
	char size[SIZE_TEXT_MAX], gap[SIZE_TEXT_MAX], align[SIZE_TEXT_MAX];
	uint64_t gap_bytes = machine_largest_gap(&v->machine, end, align_bytes);

	if (count > 1)
		err_set(err, ERR_FAILED,
			"the address space for memory devices has gaps for only %u of %u DIMMs",
			fit, count);
	else
		err_set(err, ERR_FAILED,
			"the address space for memory devices has no gap of %s: the largest at a "
			"multiple of %s is %s",
			size_exact(size, size_bytes), size_exact(align, align_bytes),
			size_exact(gap, gap_bytes));
	return err_hint(err,
			"%sunplug what lies in between (see memhp list), or start QEMU with a "
			"larger -m ...,maxmem=SIZE",
			gap_bytes ? "smaller devices may fit (--dimm splits DIMMs); else " : "");
}

static int check_ends(const struct view *v, const uint64_t *sizes, const uint64_t *addresses,
		      unsigned count, uint64_t align_bytes, struct err *err)
{
	uint64_t last = 0, end;
	unsigned i;

	for (i = 0; i < count; i++)
		if (addresses[i] + sizes[i] > last)
			last = addresses[i] + sizes[i];
	if (!find_end(v, v->machine.base_address, last, &end))
		return 0;
	for (i = 0; i < count; i++)
		if (addresses[i] + sizes[i] > end)
			return no_gap(v, sizes[i], end, align_bytes, i, count, err);
	return 0;
}

int place_choose(const struct view *v, const struct backend_options *b, const uint64_t *sizes,
		 unsigned count, struct device_place *places, struct err *err)
{
	_cleanup_free_ uint64_t *ours = xcalloc(count + 1, sizeof(*ours));
	_cleanup_free_ uint64_t *tight = xcalloc(count + 1, sizeof(*tight));
	uint64_t block_bytes = place_block_bytes(v), pages = page_bytes(v, b);
	uint64_t align_bytes = block_bytes > pages ? block_bytes : pages ? pages : 1;
	bool is_known = machine_place(&v->machine, sizes, count, align_bytes, ours) &&
			machine_place(&v->machine, sizes, count, 1, tight);
	/* QEMU's alignment, the backend's, lies between the two, and so does its choice */
	bool is_told = is_known && block_bytes && memcmp(ours, tight, count * sizeof(*ours)) != 0;
	unsigned i;

	if (is_known && block_bytes && check_ends(v, sizes, ours, count, align_bytes, err))
		return -1;
	for (i = 0; i < count; i++)
		places[i] = (struct device_place){ .is_known = is_known && block_bytes,
						   .is_told = is_told,
						   .address = ours[i] };
	return 0;
}

/* Suggest an address that is free. */
static int hint_place(const struct view *v, uint64_t size_bytes, struct err *err)
{
	uint64_t block_bytes = place_block_bytes(v), address, end;

	if (!machine_place(&v->machine, &size_bytes, 1, block_bytes ? block_bytes : 1, &address) ||
	    (find_end(v, address, address + size_bytes, &end) && address + size_bytes > end))
		return err_hint(err, "memhp list shows what is where");
	return err_hint(err, "leave out --addr, or take 0x%llx, which is free",
			(unsigned long long)address);
}

int place_check(const struct view *v, uint64_t address, uint64_t size_bytes, struct err *err)
{
	const struct machine *m = &v->machine;
	uint64_t block_bytes = place_block_bytes(v), end;
	const struct memdev *taken = machine_device_in(m, address, size_bytes);
	char block[SIZE_TEXT_MAX];

	if (block_bytes && address % block_bytes) {
		err_set(err, ERR_FAILED,
			"the address 0x%llx is not a multiple of the guest's memory block size, %s",
			(unsigned long long)address, size_format(block, block_bytes));
		return hint_place(v, size_bytes, err);
	}
	if (taken) {
		err_set(err, ERR_FAILED, "'%s' lies at 0x%llx to 0x%llx", memdev_name(taken),
			(unsigned long long)taken->address,
			(unsigned long long)(taken->address + taken->max_size_bytes - 1));
		return hint_place(v, size_bytes, err);
	}
	if (address > UINT64_MAX - size_bytes ||
	    !find_end(v, address, address + size_bytes, &end) ||
	    (address >= m->base_address && address + size_bytes <= end))
		return 0;
	err_set(err, ERR_FAILED,
		"0x%llx is outside of the address space for memory devices, 0x%llx to 0x%llx",
		(unsigned long long)address, (unsigned long long)m->base_address,
		(unsigned long long)end - 1);
	return hint_place(v, size_bytes, err);
}
