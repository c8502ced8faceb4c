/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which blocks a look at the guest shows. */
#include <stdlib.h>

#include "hotplug/look.h"

#define RUNS_MAX 16 /* more make the line long */

/* "FACTS UNIT FIRST-LAST...", of runs that are in order and do not touch; else "scan" */
static void add_runs(struct buf *words, const char *facts, const struct block_list *runs)
{
	unsigned i;

	if (!runs->count || runs->count > RUNS_MAX) {
		buf_addf(words, "scan");
		return;
	}
	buf_addf(words, "%s", facts);
	for (i = 0; i < runs->count; i++)
		buf_addf(words, " %llu-%llu", (unsigned long long)runs->runs[i].first,
			 (unsigned long long)runs->runs[i].last);
}

/* A run of which only the place matters, so that it can be merged with any. */
static void add_run(struct block_list *runs, uint64_t first, uint64_t last)
{
	const struct blocks run = { .first = first, .last = last };

	block_list_add(runs, &run);
}

static void add_blocks(struct buf *words, const char *facts, const struct block_list *list)
{
	struct block_list runs = { 0 };
	unsigned i;

	for (i = 0; list && i < list->count; i++)
		add_run(&runs, list->runs[i].first, list->runs[i].last);
	block_list_sort(&runs);
	add_runs(words, facts, &runs);
	block_list_free(&runs);
}

void look_add_first(struct buf *words, const struct block_list *list)
{
	add_blocks(words, "facts;near 1", list);
}

void look_add_again(struct buf *words, const struct block_list *list)
{
	add_blocks(words, "memory;near 1", list);
}

void look_add_devices(struct buf *words, const struct machine *m)
{
	struct block_list runs = { 0 };
	unsigned i;

	for (i = 0; i < m->devices_count; i++) {
		const struct memdev *d = &m->devices[i];

		if ((d->has & MEMDEV_HAS_ADDRESS) && memdev_is_dimm(d) && d->size_bytes)
			add_run(&runs, d->address, d->address + d->size_bytes - 1);
	}
	block_list_sort(&runs);
	add_runs(words, "facts;near 0x", &runs);
	block_list_free(&runs);
}
