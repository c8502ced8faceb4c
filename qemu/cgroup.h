/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * cgroup: the memory limits that apply to a process, in both cgroup versions, from its own cgroup
 * up to the topmost visible one (Linux's Documentation/admin-guide/cgroup-v2.rst,
 * cgroup-v1/memory.rst and cgroup-v1/hugetlb.rst). Changes nothing.
 */
#ifndef QEMU_CGROUP_H
#define QEMU_CGROUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The tightest limit; for tasks, "bytes" is their number. */
struct cgroup_room {
	uint64_t bytes;	      /* still available */
	uint64_t limit_bytes; /* the value in the file */
	char *directory;      /* of the cgroup; the caller frees it */
	char file[48];	      /* the file in it, such as "memory.max" */
	bool counts_huge_pages;
};

/*
 * cgroup_memory_room() - for ordinary memory, shared memory and tmpfs. The page cache counts as
 * available, since the kernel drops it before it kills a process; swap does not. memory.high counts
 * like memory.max: above it the kernel throttles QEMU to a standstill. Huge pages count only if
 * cgroups are mounted with memory_hugetlb_accounting (Linux 6.6): counts_huge_pages.
 * Return: false if there is no limit, or none is known
 */
bool cgroup_memory_room(pid_t pid, struct cgroup_room *room);

/* cgroup_huge_room() - the same for huge pages of @page_bytes, used and reserved */
bool cgroup_huge_room(pid_t pid, uint64_t page_bytes, struct cgroup_room *room);

/* cgroup_task_room() - the same for threads (pids.max) */
bool cgroup_task_room(pid_t pid, struct cgroup_room *room);

/* cgroup_has_lower_swap_limit() - version 1: would memory.memsw.limit_in_bytes be below @bytes? If
 * so, it must be raised before memory.limit_in_bytes can be. */
bool cgroup_has_lower_swap_limit(const struct cgroup_room *room, uint64_t bytes);

#endif
