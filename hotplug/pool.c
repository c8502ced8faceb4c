/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What taking blocks offline costs the guest besides their memory, and restoring it. */
#include <stdlib.h>

#include "hotplug/ask.h"
#include "hotplug/pool.h"
#include "lib/size.h"
#include "lib/util.h"

#define FLOOR_DRIFT 8 /* the value that the kernel computes varies by less than 1/8 */

/* Ask the guest for something other than its blocks; the caller frees @out. */
static int ask(struct transaction *t, const struct request *r, enum work work,
	       struct guest_memory *out, struct err *err)
{
	struct guest_memory kept = t->view.after;
	int status;

	t->view.after = (struct guest_memory){ 0 };
	status = hotplug_ask(t, r, work, err);
	*out = t->view.after;
	t->view.after = kept;
	return status ? -1 : 0;
}

/* The same for a single verb. */
static int ask_verb(struct transaction *t, enum verb verb, enum work work, struct guest_memory *out,
		    struct err *err)
{
	_cleanup_request_ struct request r = { 0 };

	request_add(&r, verb);
	return ask(t, &r, work, out, err);
}

/* The online blocks of @list, as runs without state; the caller frees them. */
static struct block_list online_runs(const struct block_list *list)
{
	struct block_list runs = { 0 };
	unsigned i;

	for (i = 0; i < list->count; i++) {
		const struct blocks run = { .first = list->runs[i].first,
					    .last = list->runs[i].last };

		if (blocks_are_online(&list->runs[i]))
			block_list_add(&runs, &run);
	}
	return runs;
}

static int refuse(uint64_t bytes, uint64_t free_bytes, bool is_known, struct err *err)
{
	char held[SIZE_TEXT_MAX], left[SIZE_TEXT_MAX];

	err_set(err, ERR_GUEST_REFUSED,
		is_known ? "the guest would lose %s of its huge pages (%s of them are free)"
			 : "the guest may lose up to %s of its huge pages (%s of them are free)",
		size_format(held, bytes), size_format(left, free_bytes));
	return err_hint(err, "--force takes them; in the guest, /sys/kernel/mm/hugepages says how "
			     "many it has");
}

/* How much of the blocks is in huge pages; *is_known: false when the guest cannot tell. */
static int read_huge_bytes(struct transaction *t, const struct block_list *runs, uint64_t *bytes,
			   bool *is_known, struct err *err)
{
	_cleanup_request_ struct request r = { 0 };
	struct command *tails = request_add(&r, VERB_HUGE_TAILS);
	struct guest_memory answer;
	unsigned i;
	int status;

	for (i = 0; i < runs->count; i++)
		command_add_range(tails, runs->runs[i].first, runs->runs[i].last);
	status = ask(t, &r, WORK_READ, &answer, err);
	*is_known = answer.pools.tails_count;
	*bytes = pools_bytes_in_blocks(&answer.pools, pools_smallest_kib(&t->view.before.pools));
	guest_memory_free(&answer);
	return status;
}

int hotplug_check_pool(struct transaction *t, const struct block_list *list, struct err *err)
{
	uint64_t free_bytes = pools_free_bytes(&t->view.before.pools), huge_bytes;
	struct block_list runs = online_runs(list);
	bool is_known;
	int status = 0;

	t->is_pool_safe = !free_bytes || !runs.count;
	if (!t->is_pool_safe && !t->is_forced) {
		status = read_huge_bytes(t, &runs, &huge_bytes, &is_known, err);
		t->is_pool_safe = !status && is_known && !huge_bytes;
		if (!status && !t->is_pool_safe)
			status = refuse(is_known && huge_bytes < free_bytes ? huge_bytes
									    : free_bytes,
					free_bytes, is_known, err);
	}
	block_list_free(&runs);
	return status;
}

/* Has the kernel raised the value that had been set? It never lowers it below that. */
static bool is_floor_raised(const struct pools *before, const struct pools *now)
{
	return before->floor_kib &&
	       now->floor_kib > before->floor_kib + before->floor_kib / FLOOR_DRIFT;
}

/* The number of pages missing from a pool. */
static uint64_t missing(const struct pools *before, const struct pools *now, int node,
			uint64_t page_kib)
{
	uint64_t was = pools_lasting(before, node, page_kib);
	uint64_t is = pools_lasting(now, node, page_kib);

	return was > is ? was - is : 0;
}

/*
 * Refill the pool of each node that lacks pages of this size, with at most @pages in total; returns
 * the remainder. The kernel converts the number written for one node into a total for all nodes,
 * and counts surplus pages first (set_max_huge_pages() in mm/hugetlb.c).
 */
static uint64_t add_nodes(const struct view *v, const struct pools *now, uint64_t page_kib,
			  uint64_t pages, struct command *c)
{
	const struct pools *before = &v->before.pools;
	const struct pool *all = pools_find(now, POOL_ALL, page_kib);
	uint64_t surplus = all ? all->surplus_pages : 0;
	unsigned i;

	for (i = 0; i < before->count && pages; i++) {
		int node = before->list[i].node;
		const struct pool *pool = pools_find(now, node, page_kib);
		uint64_t more = missing(before, now, node, page_kib), has = pool ? pool->pages : 0;

		if (node == POOL_ALL || before->list[i].page_kib != page_kib || !more)
			continue;
		more = more < pages ? more : pages;
		pages -= more;
		has += more;
		command_add_refill(
			c, &(struct refill){ node, page_kib, has > surplus ? has - surplus : 0 });
	}
	return pages;
}

/* Add the writes that restore the former state; none if nothing has changed. */
static void add_refill(const struct transaction *t, const struct pools *now, struct command *c)
{
	const struct pools *before = &t->view.before.pools;
	unsigned i;

	/* pages that were not in the blocks were taken by another process */
	for (i = 0; i < before->count && !t->is_pool_safe; i++) {
		uint64_t kib = before->list[i].page_kib,
			 pages = missing(before, now, POOL_ALL, kib);

		if (before->list[i].node == POOL_ALL && add_nodes(&t->view, now, kib, pages, c))
			command_add_refill(
				c, &(struct refill){ POOL_ALL, kib,
						     pools_lasting(before, POOL_ALL, kib) });
	}
	if (is_floor_raised(before, now))
		command_add_refill(c, &(struct refill){ POOL_ALL, 0, before->floor_kib });
}

/* Read back: report the first value that is not as it was. */
static int check_given(const struct transaction *t, const struct pools *now, struct err *err)
{
	const struct pools *before = &t->view.before.pools;
	char page[SIZE_TEXT_MAX];
	unsigned i;

	for (i = 0; i < before->count && !t->is_pool_safe; i++) {
		uint64_t kib = before->list[i].page_kib;

		if (before->list[i].node == POOL_ALL && missing(before, now, POOL_ALL, kib))
			return err_set(err, ERR_PARTIAL,
				       "the guest has %llu huge pages of %s now, had %llu",
				       (unsigned long long)pools_lasting(now, POOL_ALL, kib),
				       size_format(page, kib * 1024),
				       (unsigned long long)pools_lasting(before, POOL_ALL, kib));
	}
	if (is_floor_raised(before, now))
		return err_set(
			err, ERR_PARTIAL, "the guest's vm.min_free_kbytes is %llu now, was %llu",
			(unsigned long long)now->floor_kib, (unsigned long long)before->floor_kib);
	return 0;
}

/* Write what @r begins with, and read the values back. */
static int refill(struct transaction *t, struct request *r, struct err *err)
{
	struct guest_memory answer;
	int status;

	r->list[0].seconds = hotplug_seconds_left(t);
	request_add(r, VERB_POOLS);
	status = ask(t, r, WORK_RESTORE, &answer, err);
	if (!status)
		status = check_given(t, &answer.pools, err);
	guest_memory_free(&answer);
	return status;
}

/* Let cpusets use the nodes again that have their memory back. */
static int recall_cpusets(struct transaction *t, struct err *err)
{
	struct guest_memory answer;
	int status = ask_verb(t, VERB_RECALL, WORK_RESTORE, &answer, err);
	uint64_t lost = answer.pools.has_cpusets ? answer.pools.cpusets : UINT64_MAX;

	guest_memory_free(&answer);
	if (status || !lost)
		return status;
	return lost == UINT64_MAX
		       ? err_set(err, ERR_PARTIAL,
				 "it is not known which nodes the guest's cpusets could use")
		       : err_set(err, ERR_PARTIAL,
				 "%llu of the guest's cpusets may use fewer nodes",
				 (unsigned long long)lost);
}

static int give_back_pools(struct transaction *t, struct err *err)
{
	_cleanup_request_ struct request r = { 0 };
	struct command *c = request_add(&r, VERB_REFILL);
	struct guest_memory answer = { 0 };
	int status = 0;

	if (!t->view.after.pools.is_known)
		status = ask_verb(t, VERB_POOLS, WORK_READ, &answer, err);
	if (!status)
		add_refill(t, t->view.after.pools.is_known ? &t->view.after.pools : &answer.pools,
			   c);
	if (c->refills_count)
		status = refill(t, &r, err);
	guest_memory_free(&answer);
	return status;
}

int hotplug_restore_pools(struct transaction *t, struct err *err)
{
	if (!t->view.before.pools.is_known || transaction_guest_has_ended(t))
		return 0;
	if (give_back_pools(t, err) || (t->view.has_cpusets && recall_cpusets(t, err)))
		return err_wrap(err, "some of what going offline took is not back");
	return 0;
}

void hotplug_restore_floor(struct transaction *t)
{
	_cleanup_request_ struct request r = { 0 };
	const struct refill floor = { POOL_ALL, 0, t->view.before.pools.floor_kib };
	struct err ignored;

	if (!is_floor_raised(&t->view.before.pools, &t->view.after.pools))
		return;
	command_add_refill(request_add(&r, VERB_REFILL), &floor);
	(void)!refill(t, &r, &ignored);
}

struct loss *hotplug_losses(const struct view *v, unsigned *count)
{
	const struct pools *before = &v->before.pools, *now = &v->after.pools;
	struct loss *taken = xcalloc(before->count + 1, sizeof(*taken));
	unsigned i;

	*count = 0;
	for (i = 0; i < before->count && now->is_known; i++) {
		uint64_t kib = before->list[i].page_kib;

		if (before->list[i].node == POOL_ALL && missing(before, now, POOL_ALL, kib))
			taken[(*count)++] = (struct loss){
				.page_bytes = kib * 1024,
				.pages = missing(before, now, POOL_ALL, kib),
				.left = pools_lasting(now, POOL_ALL, kib),
			};
	}
	return taken;
}

int hotplug_append_losses(const struct view *v, struct err *err)
{
	unsigned i, count;
	_cleanup_free_ struct loss *taken = hotplug_losses(v, &count);
	char page[SIZE_TEXT_MAX];

	for (i = 0; i < count; i++)
		err_append(err, "%llu huge pages of %s went too",
			   (unsigned long long)taken[i].pages,
			   size_format(page, taken[i].page_bytes));
	return -1;
}
