/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * host: the memory of this machine. Must never: believe that QEMU runs here too.
 */
#ifndef QEMU_HOST_H
#define QEMU_HOST_H

#include <stdbool.h>
#include <stdint.h>

/* host_available_bytes() - MemAvailable of /proc/meminfo; false when that is not known */
bool host_available_bytes(uint64_t *bytes);

/* The huge pages of one size (Documentation/admin-guide/mm/hugetlbpage.rst). */
struct huge_pages {
	uint64_t page_bytes;
	uint64_t total; /* nr_hugepages */
	uint64_t free;	/* neither used nor reserved, and those that may be made on demand */
};

/*
 * host_huge_pages() - what there is in huge pages
 * @page_bytes:	their size; 0 for the host's default
 * Return: false when the host has no pages of that size; pages->page_bytes is set if it is known
 */
bool host_huge_pages(struct huge_pages *pages, uint64_t page_bytes);

/* host_commit_bytes() - what may still be promised where the kernel promises no more than it has
 * (vm.overcommit_memory=2, Documentation/mm/overcommit-accounting.rst); false where it does not
 * count, or is not known */
bool host_commit_bytes(uint64_t *bytes);

/* host_nodes() - the NUMA nodes that there are, as "0-1,3"; the caller frees it; NULL when unknown
 */
char *host_nodes(void);

/* host_node_bytes() - what can be had of a node's memory: free, or only page cache */
bool host_node_bytes(unsigned node, uint64_t *bytes);

/* host_node_huge_bytes() - what is free in huge pages of that size on a node */
bool host_node_huge_bytes(unsigned node, uint64_t page_bytes, uint64_t *bytes);

#endif
