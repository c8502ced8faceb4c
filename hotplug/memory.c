/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Requests for the guest's memory, and their answers. */
#include <string.h>

#include "hotplug/memory.h"

#define RUNS_MAX 16 /* more would make the line too long */

/* Add a run without state, so that it merges with any neighbour. */
static void add_run(struct block_list *runs, uint64_t first, uint64_t last)
{
	const struct blocks run = { .first = first, .last = last };

	block_list_add(runs, &run);
}

/* Add @info, and @verb for the runs; else a scan. Frees the runs. */
static void ask(struct request *r, enum verb info, enum verb verb, struct block_list *runs)
{
	bool is_few = runs->count && runs->count <= RUNS_MAX;
	struct command *c;
	unsigned i;

	block_list_sort(runs);
	is_few = runs->count && runs->count <= RUNS_MAX;
	if (is_few)
		request_add(r, info);
	c = request_add(r, is_few ? verb : VERB_SCAN);
	for (i = 0; is_few && i < runs->count; i++)
		command_add_range(c, runs->runs[i].first, runs->runs[i].last);
	block_list_free(runs);
}

static void ask_blocks(struct request *r, enum verb info, const struct block_list *list)
{
	struct block_list runs = { 0 };
	unsigned i;

	for (i = 0; list && i < list->count; i++)
		add_run(&runs, list->runs[i].first, list->runs[i].last);
	ask(r, info, VERB_BLOCKS, &runs);
}

void memory_request_first(struct request *r, const struct block_list *list)
{
	ask_blocks(r, VERB_INFO, list);
}

void memory_request_again(struct request *r, const struct block_list *list)
{
	ask_blocks(r, VERB_MEMORY, list);
}

void memory_request_devices(struct request *r, const struct machine *m)
{
	struct block_list runs = { 0 };
	unsigned i;

	for (i = 0; i < m->devices_count; i++) {
		const struct memdev *d = &m->devices[i];

		if ((d->has & MEMDEV_HAS_ADDRESS) && memdev_is_dimm(d) && d->size_bytes)
			add_run(&runs, d->address, d->address + d->size_bytes - 1);
	}
	ask(r, VERB_INFO, VERB_BLOCKS_AT, &runs);
}

/* What an agent without guest-exec reports. */
static int read_agent(struct guest_memory *g, const struct agent_memory *m, struct err *err)
{
	unsigned i;

	guest_memory_free(g);
	if (m->has_info && sysfs_set_limited(g, m->kernel, m->can_change, m->block_size_bytes, err))
		return -1;
	for (i = 0; i < m->runs_count; i++) {
		struct blocks run = { .first = m->runs[i].first,
				      .last = m->runs[i].last,
				      .node = -1,
				      .removable = m->runs[i].can_offline < 0 ? REMOVABLE_UNKNOWN
						   : m->runs[i].can_offline   ? REMOVABLE_YES
									      : REMOVABLE_NO };
		const char *state = m->runs[i].is_online ? "online" : "offline";

		memcpy(run.state, state, strlen(state) + 1);
		if (sysfs_add_blocks(g, &run, err))
			return -1;
	}
	return 0;
}

int memory_read(struct guest_memory *g, const struct request *r, const struct answer *answer,
		struct err *err)
{
	const verb_set partial = VERB_BIT(VERB_BLOCKS) | VERB_BIT(VERB_BLOCKS_AT);
	int status = answer->is_from_agent ? read_agent(g, &answer->memory, err)
					   : sysfs_parse(g, answer->lines, answer->count, err);

	g->is_partial = request_verbs(r) & partial;
	return status;
}
