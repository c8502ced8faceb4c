/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lists of a guest's blocks, built from text and compared as text. */
#ifndef BLOCKS_H
#define BLOCKS_H

#include "unit.h"

#include "sysfs.h"

static inline struct blocks run_of(uint64_t first, uint64_t last, const char *status,
				   const char *zones)
{
	struct blocks run = { .first = first, .last = last, .node = 0, .removable = REMOVABLE_YES };

	snprintf(run.state, sizeof(run.state), "%s", status);
	snprintf(run.zones, sizeof(run.zones), "%s", zones);
	return run;
}

static inline void add(struct block_list *list, uint64_t first, uint64_t last, const char *status,
		       const char *zones)
{
	struct blocks run = run_of(first, last, status, zones);

	block_list_add(list, &run);
}

/* "0-3 online Normal, 8-8 offline Normal Movable" */
static inline char *text_of(const struct block_list *list)
{
	struct buf text = { 0 };
	unsigned i;

	buf_addf(&text, "%s", "");
	for (i = 0; i < list->count; i++)
		buf_addf(&text, "%s%llu-%llu %s %s", i ? ", " : "",
			 (unsigned long long)list->runs[i].first,
			 (unsigned long long)list->runs[i].last, list->runs[i].state,
			 list->runs[i].zones);
	return text.data;
}

static inline void lists(const struct block_list *list, const char *wanted)
{
	_cleanup_free_ char *text = text_of(list);

	assert_string_equal(text, wanted);
}

#endif
