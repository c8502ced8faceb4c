/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * pools: what going offline takes from a guest and coming online does not bring back, as guest.sh
 * reports it, parsed strictly: pools of huge pages (Documentation/admin-guide/mm/hugetlbpage.rst of
 * Linux; offline_pages() dissolves free ones), vm.min_free_kbytes, which
 * init_per_zone_wmark_min() recalculates, and the nodes of cpusets of cgroup v1
 * (hotplug_update_tasks_legacy()). Must never: talk to the guest.
 */
#ifndef LIB_POOLS_H
#define LIB_POOLS_H

#include <stdbool.h>
#include <stdint.h>

#define POOL_ALL (-1) /* as a node: all nodes together */

/* A node's huge pages of one size. */
struct pool {
	int node; /* POOL_ALL: all nodes */
	uint64_t page_kib;
	uint64_t pages, free_pages, surplus_pages; /* surplus: beyond the pool, while in use */
};

/* In a run of blocks: the pages that are part of a huge page but not its first. */
struct pool_tails {
	uint64_t block;		  /* the first */
	uint64_t pages, page_kib; /* page_kib: of a plain page */
};

struct pools {
	bool is_known; /* the guest has answered */
	struct pool *list;
	unsigned count;
	struct pool_tails *tails;
	unsigned tails_count;
	uint64_t floor_kib; /* vm.min_free_kbytes; 0: unknown */
	bool has_cpusets;   /* "recall" has answered: */
	uint64_t cpusets;   /* groups that may use fewer nodes than before; UINT64_MAX: unknown */
};

/* pools_parse_floor(), ..._pool(), ..._tails(), ..._cpusets() - add what a line says; @rest follows
 * its first word, and is modified. Return: false if it makes no sense */
bool pools_parse_floor(struct pools *p, char *rest);
bool pools_parse_pool(struct pools *p, char *rest);
bool pools_parse_tails(struct pools *p, char *rest);
bool pools_parse_cpusets(struct pools *p, char *rest);

void pools_free(struct pools *p);

/* pools_find() - the pool of that node and size; NULL for none */
const struct pool *pools_find(const struct pools *p, int node, uint64_t page_kib);

/* pools_lasting() - the pages of that pool that remain when freed: without surplus */
uint64_t pools_lasting(const struct pools *p, int node, uint64_t page_kib);

/* pools_free_bytes() - the memory in free huge pages of all sizes */
uint64_t pools_free_bytes(const struct pools *p);

/* pools_smallest_kib() - the smallest size that has pages; 0: none */
uint64_t pools_smallest_kib(const struct pools *p);

/* pools_bytes_in_blocks() - what lies in huge pages in the blocks that the guest was asked about;
 * @p has their tails, @smallest_kib is the smallest size that these can have */
uint64_t pools_bytes_in_blocks(const struct pools *p, uint64_t smallest_kib);

#endif
