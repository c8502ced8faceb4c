/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which memory device the guest's blocks belong to. */
#include <stdlib.h>

#include "cmd/owners.h"
#include "lib/util.h"

struct owners owners_find(const struct view *v)
{
	struct owners o = { .list = xcalloc(v->machine.devices_count, sizeof(*o.list)) };
	uint64_t next = 0;
	unsigned i;

	/* by address, and so by block; if devices overlap, the first one gets the common part */
	for (i = 0; i < v->machine.devices_count; i++) {
		struct blocks run;

		if (!view_device_blocks(v, &v->machine.devices[i], &run) || run.last < next)
			continue;
		o.list[o.count++] = (struct owned){ run.first < next ? next : run.first, run.last,
						    &v->machine.devices[i] };
		next = run.last + 1;
	}
	return o;
}

void owners_free(struct owners *o)
{
	free(o->list);
	*o = (struct owners){ 0 };
}

const struct memdev *owners_get(const struct owners *o, uint64_t block, uint64_t *until)
{
	unsigned from = 0, to = o->count; /* the first that ends at the block or after it */
	bool is_owned;

	while (from < to) {
		unsigned middle = from + (to - from) / 2;

		if (o->list[middle].last < block)
			from = middle + 1;
		else
			to = middle;
	}
	is_owned = from < o->count && o->list[from].first <= block;
	if (until)
		*until = from == o->count ? UINT64_MAX
			 : is_owned	  ? o->list[from].last
					  : o->list[from].first - 1;
	return is_owned ? o->list[from].device : NULL;
}

struct block_list owners_split(const struct owners *o, const struct block_list *list)
{
	struct block_list split = { 0 };
	unsigned i;

	for (i = 0; i < list->count; i++) {
		struct blocks part = list->runs[i];
		uint64_t until;

		for (; part.first <= list->runs[i].last; part.first = part.last + 1) {
			owners_get(o, part.first, &until);
			part.last = until < list->runs[i].last ? until : list->runs[i].last;
			split.runs = xgrow(split.runs, split.count, sizeof(*split.runs));
			split.runs[split.count++] = part;
		}
	}
	return split;
}
