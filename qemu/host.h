/* SPDX-License-Identifier: GPL-3.0-or-later */
/* host: the memory of this machine. Does not assume that QEMU runs here too. */
#ifndef QEMU_HOST_H
#define QEMU_HOST_H

#include <stdbool.h>
#include <stdint.h>

/* host_available_bytes() - MemAvailable of /proc/meminfo; false if not known */
bool host_available_bytes(uint64_t *bytes);

/* The huge pages of one size (Documentation/admin-guide/mm/hugetlbpage.rst). */
struct huge_pages {
	uint64_t page_bytes;
	uint64_t total; /* nr_hugepages */
	uint64_t free;	/* neither used nor reserved, plus those that may be allocated on demand */
};

/*
 * host_huge_pages() - the huge pages of one size
 * @page_bytes:	their size; 0 for the host's default
 * Return: false if the host has no pages of that size; pages->page_bytes is set if known
 */
bool host_huge_pages(struct huge_pages *pages, uint64_t page_bytes);

/* host_commit_bytes() - what may still be committed under strict overcommit
 * (vm.overcommit_memory=2, Documentation/mm/overcommit-accounting.rst); false if that is off or not
 * known */
bool host_commit_bytes(uint64_t *bytes);

/* host_nodes() - the NUMA nodes, such as "0-1,3"; the caller frees it; NULL if unknown */
char *host_nodes(void);

/* host_node_bytes() - the available memory of a node: free, or page cache */
bool host_node_bytes(unsigned node, uint64_t *bytes);

/* host_node_huge_bytes() - the free huge pages of one size on a node, in bytes */
bool host_node_huge_bytes(unsigned node, uint64_t page_bytes, uint64_t *bytes);

#endif
