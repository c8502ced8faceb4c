/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The memory to be added to a QEMU. */
#include <string.h>

#include "lib/proc.h"
#include "qemu/demand.h"
#include "qemu/host.h"

/* Huge pages count as locked only if a host device pins them. */
static void read_locks(struct demand *d)
{
	uint64_t locked = 0, pinned = 0, resident = 0;

	proc_status_bytes(d->pid, "VmLck", &locked);
	proc_status_bytes(d->pid, "VmPin", &pinned);
	proc_status_bytes(d->pid, "VmRSS", &resident);
	d->locked_bytes = locked > pinned ? locked : pinned;
	d->is_pinning = d->locked_bytes >= d->boot_bytes / 2 && proc_holds(d->pid, "/dev/vfio/");
	d->is_locking = d->is_pinning || (locked && locked >= resident / 2);
}

static void read_unused(struct demand *d)
{
	uint64_t resident = 0, huge = 0;

	proc_status_bytes(d->pid, "VmRSS", &resident);
	proc_status_bytes(d->pid, "HugetlbPages", &huge);
	d->unused_bytes = bytes_less(d->guest_bytes, resident + huge);
}

static void find_page(struct demand *d)
{
	struct huge_pages pages;

	d->is_huge = true;
	host_huge_pages(&pages, d->backend->hugetlb.value);
	d->page_bytes = pages.page_bytes;
	d->huge_bytes = d->size_bytes;
}

/* A private mapping of a tmpfs file takes each page twice: in the file, and as a copy once
 * written. */
static void read_path(struct demand *d)
{
	uint64_t rest_bytes;

	d->has_path = mem_path_read(&d->path, d->pid, d->backend->mem_path);
	d->is_file = d->path.file_bytes < d->device_bytes;
	d->taken_bytes = 0;
	if (!d->has_path)
		return;
	/* what the file already has is in use */
	rest_bytes =
		d->is_growth ? d->size_bytes : bytes_less(d->size_bytes, d->path.allocated_bytes);
	switch (d->path.medium) {
	case MEDIUM_HUGE:
		d->is_huge = true;
		d->page_bytes = d->path.page_bytes;
		d->huge_bytes = d->file_bytes = d->is_private ? d->size_bytes : rest_bytes;
		break;
	case MEDIUM_MEMORY:
		d->file_bytes = rest_bytes;
		d->taken_bytes = rest_bytes + (d->is_private ? d->size_bytes : 0);
		break;
	case MEDIUM_DISK:
		d->file_bytes = d->is_private ? 0 : rest_bytes;
		d->taken_bytes = d->is_private ? d->size_bytes : 0;
		break;
	}
}

bool demand_is_of(pid_t pid, uint64_t boot_bytes)
{
	uint64_t address_space;

	return pid && proc_status_bytes(pid, "VmSize", &address_space) &&
	       address_space >= boot_bytes;
}

bool demand_complete(struct demand *d)
{
	if (!demand_is_of(d->pid, d->boot_bytes))
		return false;
	read_locks(d);
	read_unused(d);
	/* -mem-prealloc applies to all backends (softmmu/vl.c) */
	d->is_prealloc = d->backend->prealloc.is_set || proc_has_argument(d->pid, "mem-prealloc");
	d->taken_bytes = d->size_bytes;
	d->is_private = !backend_is_shared(d->backend);
	d->is_file = backend_type(d->backend) == BACKEND_MEMFD;
	if (d->backend->mem_path)
		read_path(d);
	else if (d->backend->hugetlb.is_set)
		find_page(d);
	if (d->is_huge)
		d->taken_bytes = 0;
	return true;
}

bool demand_is_now(const struct demand *d)
{
	return d->is_prealloc || (d->is_locking && (!d->is_huge || d->is_pinning)) ||
	       (d->is_huge && d->backend->reserve != RESERVE_OFF);
}
