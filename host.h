/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * host: the memory of this machine. May call: peer, util. Must never: believe that QEMU runs here
 * too.
 */
#ifndef HOST_H
#define HOST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* host_available_bytes() - MemAvailable of /proc/meminfo; false when that is not known */
bool host_available_bytes(uint64_t *bytes);

/* The huge pages of one size (Documentation/admin-guide/mm/hugetlbpage.rst). */
struct huge_pages {
	uint64_t page_bytes;
	uint64_t total; /* nr_hugepages */
	uint64_t free;	/* neither used nor reserved for somebody */
};

/*
 * host_huge_pages() - what there is in huge pages
 * @page_bytes:	their size; 0 for the host's default
 * Return: false when the host has no pages of that size; pages->page_bytes is set if it is known
 */
bool host_huge_pages(struct huge_pages *pages, uint64_t page_bytes);

/*
 * host_is_directory() - does a path of another process lead to a directory?
 * @pid:	it is looked for where that process sees it
 */
bool host_is_directory(pid_t pid, const char *path);

#endif
