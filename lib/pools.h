/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * pools: what of a guest's memory going offline takes and coming online does not bring back, as
 * guest.sh says it, parsed strictly: pools of huge pages (Documentation/admin-guide/mm/
 * hugetlbpage.rst of Linux; offline_pages() dissolves those that are free), vm.min_free_kbytes,
 * which init_per_zone_wmark_min() computes anew, and the nodes of cpusets of cgroup v1
 * (hotplug_update_tasks_legacy()). Must never: talk to the guest.
 */
#ifndef LIB_POOLS_H
#define LIB_POOLS_H

#include <stdbool.h>
#include <stdint.h>

#define POOL_ALL (-1) /* as a node: of all nodes together */

/* The huge pages of one size that a node has. */
struct pool {
	int node; /* POOL_ALL: of all nodes */
	uint64_t page_kib;
	uint64_t pages, free_pages, surplus_pages; /* surplus: beyond the pool, while in use */
};

/* Of a run of blocks: the pages that are part of a huge page, without the first of each. */
struct pool_tails {
	uint64_t block;		  /* the first */
	uint64_t pages, page_kib; /* page_kib: of a plain page */
};

struct pools {
	bool is_known; /* the guest was asked, and has answered */
	struct pool *list;
	unsigned count;
	struct pool_tails *tails;
	unsigned tails_count;
	uint64_t floor_kib; /* vm.min_free_kbytes; 0: unknown */
	bool has_cpusets;   /* "recall" has answered: */
	uint64_t cpusets;   /* groups that may use fewer nodes than before; UINT64_MAX: unknown */
};

/* pools_parse_floor(), ..._pool(), ..._tails(), ..._cpusets() - add what a line says; @rest is what
 * stands behind its first word, and is written to. Return: false when it makes no sense */
bool pools_parse_floor(struct pools *p, char *rest);
bool pools_parse_pool(struct pools *p, char *rest);
bool pools_parse_tails(struct pools *p, char *rest);
bool pools_parse_cpusets(struct pools *p, char *rest);

void pools_free(struct pools *p);

/* pools_find() - the pool of that node and size; NULL when there is none */
const struct pool *pools_find(const struct pools *p, int node, uint64_t page_kib);

/* pools_lasting() - the pages of that pool that stay when they are free: without surplus */
uint64_t pools_lasting(const struct pools *p, int node, uint64_t page_kib);

/* pools_free_bytes() - in free huge pages, of all sizes */
uint64_t pools_free_bytes(const struct pools *p);

/* pools_smallest_kib() - the smallest size of which there are any; 0: none */
uint64_t pools_smallest_kib(const struct pools *p);

/* pools_bytes_in_blocks() - what lies in huge pages in the blocks that the guest was asked about;
 * @p has their tails, @smallest_kib is the smallest size that these can have */
uint64_t pools_bytes_in_blocks(const struct pools *p, uint64_t smallest_kib);

#endif
