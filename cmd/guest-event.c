/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The changes in the guest between two scans. */
#include <string.h>

#include "cmd/event.h"
#include "cmd/guest-event.h"
#include "lib/util.h"

struct json_object *guest_event_lost(const char *reason)
{
	struct json_object *data = json_object_new_object();

	json_add_printable(data, "reason", reason);
	return event_new("GUEST_LOST", data);
}

/* One change of a run of blocks, extended as long as the next change continues it. */
struct teller {
	guest_event_fn *tell;
	void *context;
	const char *change; /* NULL: none yet */
	struct blocks run;
};

static int flush(struct teller *t)
{
	struct json_object *data;

	if (!t->change)
		return 0;
	data = json_object_new_object();
	json_add_string(data, "change", t->change);
	blocks_add_json(data, &t->run);
	t->change = NULL;
	return t->tell(t->context, event_new("GUEST_BLOCKS", data));
}

/* Of blocks that have gone only their numbers are known. */
static int add(struct teller *t, const char *change, const struct blocks *facts, uint64_t first,
	       uint64_t last)
{
	struct blocks run = { .node = -1 };

	if (facts)
		run = *facts;
	run.first = first;
	run.last = last;
	if (t->change && !strcmp(t->change, change) && blocks_continue(&t->run, &run)) {
		t->run.last = last;
		return 0;
	}
	if (flush(t))
		return -1;
	t->change = change;
	t->run = run;
	return 0;
}

/* Compare the old and new state of the blocks @first to @last; NULL: absent. */
static int compare(struct teller *t, const struct blocks *was, const struct blocks *is,
		   uint64_t first, uint64_t last)
{
	if (!was && !is)
		return 0;
	if (!was)
		return add(t, "added", is, first, last);
	if (!is)
		return add(t, "removed", NULL, first, last);
	if (!strcmp(was->state, is->state) && blocks_zone(was) == blocks_zone(is))
		return 0;
	return add(t, "changed", is, first, last);
}

/* The run that holds @block, or NULL with the first block of the next run in *next. Advances @i. */
static const struct blocks *run_at(const struct block_list *list, unsigned *i, uint64_t block,
				   uint64_t *next)
{
	const struct blocks *run;

	while (*i < list->count && list->runs[*i].last < block)
		++*i;
	run = *i < list->count ? &list->runs[*i] : NULL;
	*next = !run ? UINT64_MAX : run->first > block ? run->first : run->last + 1;
	return run && run->first <= block ? run : NULL;
}

/* Both lists ascend: one pass over both, however many runs a guest invents. */
static int compare_blocks(struct teller *t, const struct block_list *before,
			  const struct block_list *after)
{
	uint64_t block = 0, next[2];
	unsigned i = 0, j = 0;

	while (i < before->count || j < after->count) {
		const struct blocks *was = run_at(before, &i, block, &next[0]);
		const struct blocks *is = run_at(after, &j, block, &next[1]);
		uint64_t end = next[0] < next[1] ? next[0] : next[1];

		if (compare(t, was, is, block, end - 1))
			return -1;
		block = end;
	}
	return flush(t);
}

static int compare_policy(const struct teller *t, const char *name, const char *was, const char *is)
{
	struct json_object *data;

	if (!strcmp(was, is))
		return 0;
	data = json_object_new_object();
	json_add_string(data, "name", name);
	json_add_string(data, "value", *is ? is : NULL);
	json_add_string(data, "was", *was ? was : NULL);
	return t->tell(t->context, event_new("GUEST_POLICY", data));
}

int guest_event_compare(const struct guest_memory *before, const struct guest_memory *after,
			guest_event_fn *tell, void *context)
{
	struct teller t = { .tell = tell, .context = context };

	if (compare_policy(&t, "auto_online_blocks", before->auto_online, after->auto_online) ||
	    compare_policy(&t, "online_policy", before->online_policy, after->online_policy))
		return -1;
	return compare_blocks(&t, &before->blocks, &after->blocks);
}
