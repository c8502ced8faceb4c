/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * cgroup: the limits of memory that stand above a process, of both versions of cgroups, from its
 * own up to the highest that can be seen (Documentation/admin-guide/cgroup-v2.rst,
 * cgroup-v1/memory.rst and cgroup-v1/hugetlb.rst of Linux). Must never: change anything.
 */
#ifndef QEMU_CGROUP_H
#define QEMU_CGROUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The tightest of the limits; of tasks, it is their number. */
struct cgroup_room {
	uint64_t bytes;	      /* can still be taken */
	uint64_t limit_bytes; /* what the file says */
	char *directory;      /* of the cgroup; the caller frees it */
	char file[48];	      /* in it: "memory.max" */
	bool counts_huge_pages;
};

/*
 * cgroup_memory_room() - ordinary memory, shared memory and tmpfs. The page cache counts as room,
 * since the kernel drops it before it kills, and swap does not. memory.high counts like memory.max:
 * above it the kernel slows QEMU down until it stands still. Huge pages count only where cgroups
 * are mounted with memory_hugetlb_accounting (Linux 6.6): counts_huge_pages.
 * Return: false when there is no limit, or none is known
 */
bool cgroup_memory_room(pid_t pid, struct cgroup_room *room);

/* cgroup_huge_room() - the same of huge pages of @page_bytes, used and reserved */
bool cgroup_huge_room(pid_t pid, uint64_t page_bytes, struct cgroup_room *room);

/* cgroup_task_room() - the same of threads (pids.max) */
bool cgroup_task_room(pid_t pid, struct cgroup_room *room);

/* cgroup_has_lower_swap_limit() - version 1: would memory.memsw.limit_in_bytes be below @bytes? It
 * then has to be raised before memory.limit_in_bytes can be. */
bool cgroup_has_lower_swap_limit(const struct cgroup_room *room, uint64_t bytes);

#endif
