/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pools of huge pages, and the floor of free memory. */
#include <stdlib.h>
#include <string.h>

#include "lib/pools.h"
#include "lib/util.h"

#define NODE_MAX  65535
#define KIB_MAX	  (UINT64_C(1) << 34) /* of a page: Linux's largest is 16 GiB */
#define PAGES_MAX (UINT64_C(1) << 40)
#define LINES_MAX 8192 /* 1024 nodes with every page size of a machine */
#define SHARE_MAX (KIB_MAX / 4)

void pools_free(struct pools *p)
{
	free(p->list);
	free(p->tails);
	*p = (struct pools){ 0 };
}

/* The next word as a number of at most @most. */
static bool take_number(char **rest, uint64_t most, uint64_t *out)
{
	const char *word = strsep(rest, " ");

	return word && parse_u64(word, 10, out) && *out <= most;
}

bool pools_parse_floor(struct pools *p, char *rest)
{
	p->is_known = true;
	p->floor_kib = 0;
	return !strcmp(rest, "-") || (take_number(&rest, PAGES_MAX, &p->floor_kib) && !rest);
}

bool pools_parse_pool(struct pools *p, char *rest)
{
	const char *word = strsep(&rest, " ");
	struct pool pool = { .node = POOL_ALL };
	uint64_t node;

	if (!take_number(&rest, KIB_MAX, &pool.page_kib) ||
	    !take_number(&rest, PAGES_MAX, &pool.pages) ||
	    !take_number(&rest, PAGES_MAX, &pool.free_pages) ||
	    !take_number(&rest, PAGES_MAX, &pool.surplus_pages) || rest || !pool.page_kib)
		return false;
	/* values read one after the other may not match */
	if (pool.free_pages > pool.pages)
		pool.free_pages = pool.pages;
	if (pool.surplus_pages > pool.pages)
		pool.surplus_pages = pool.pages;
	if (strcmp(word, "-") != 0) {
		if (!parse_u64(word, 10, &node) || node > NODE_MAX)
			return false;
		pool.node = (int)node;
	}
	if (p->count == LINES_MAX || pools_find(p, pool.node, pool.page_kib))
		return false;
	p->list = xgrow(p->list, p->count, sizeof(*p->list));
	p->list[p->count++] = pool;
	return true;
}

bool pools_parse_tails(struct pools *p, char *rest)
{
	struct pool_tails tails;

	if (!take_number(&rest, PAGES_MAX, &tails.block) ||
	    !take_number(&rest, PAGES_MAX, &tails.pages) ||
	    !take_number(&rest, SHARE_MAX, &tails.page_kib) || rest || !tails.page_kib ||
	    p->tails_count == LINES_MAX)
		return false;
	p->tails = xgrow(p->tails, p->tails_count, sizeof(*p->tails));
	p->tails[p->tails_count++] = tails;
	return true;
}

bool pools_parse_cpusets(struct pools *p, char *rest)
{
	p->has_cpusets = true;
	p->cpusets = UINT64_MAX;
	return !strcmp(rest, "-") || (take_number(&rest, PAGES_MAX, &p->cpusets) && !rest);
}

const struct pool *pools_find(const struct pools *p, int node, uint64_t page_kib)
{
	unsigned i;

	for (i = 0; i < p->count; i++)
		if (p->list[i].node == node && p->list[i].page_kib == page_kib)
			return &p->list[i];
	return NULL;
}

uint64_t pools_lasting(const struct pools *p, int node, uint64_t page_kib)
{
	const struct pool *pool = pools_find(p, node, page_kib);

	return pool ? pool->pages - pool->surplus_pages : 0;
}

uint64_t pools_free_bytes(const struct pools *p)
{
	uint64_t kib = 0;
	unsigned i;

	for (i = 0; i < p->count; i++)
		if (p->list[i].node == POOL_ALL && p->list[i].free_pages)
			kib += p->list[i].free_pages < PAGES_MAX / p->list[i].page_kib
				       ? p->list[i].free_pages * p->list[i].page_kib
				       : PAGES_MAX;
	return kib < UINT64_MAX / 1024 ? kib * 1024 : UINT64_MAX;
}

uint64_t pools_smallest_kib(const struct pools *p)
{
	uint64_t kib = 0;
	unsigned i;

	for (i = 0; i < p->count; i++)
		if (!kib || p->list[i].page_kib < kib)
			kib = p->list[i].page_kib;
	return kib;
}

/* A huge page has one page that is not a tail. Fewer tails than in the smallest do not count. */
uint64_t pools_bytes_in_blocks(const struct pools *p, uint64_t smallest_kib)
{
	uint64_t pages = 0;
	unsigned i;

	for (i = 0; i < p->tails_count; i++) {
		uint64_t each = smallest_kib / p->tails[i].page_kib;

		if (each > 1)
			pages += p->tails[i].pages / (each - 1);
	}
	return pages < UINT64_MAX / 1024 / (smallest_kib + 1) ? pages * smallest_kib * 1024
							      : UINT64_MAX;
}
