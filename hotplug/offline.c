/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Taking blocks offline: the short way where it will do, else the long one. */
#include <stdlib.h>
#include <string.h>

#include "hotplug/blocks.h"
#include "hotplug/offline.h"
#include "lib/util.h"

#define EASE_BLOCKS  64	  /* so few go offline in a moment */
#define EASE_UNDO_MS 5000 /* what it leaves needs another session before it is undone */

/* The short way, without reasons, for few blocks; NULL: go the long way at once. The caller frees
 * it. */
static char *ease_words(const struct hotplug *h, const struct block_list *list)
{
	const struct deadline *d = h->deadline;
	struct buf words = { 0 };

	if (!h->before.is_timed || h->is_try || block_list_blocks(list) > EASE_BLOCKS ||
	    (d->final_ms != DEADLINE_NEVER && d->final_ms - d->work_ms < EASE_UNDO_MS))
		return NULL;
	buf_addf(&words, "ease %u", hotplug_seconds_left(h));
	hotplug_add_ranges(&words, list, true);
	return words.data;
}

/* Read back: is every block of @list offline? */
static bool are_offline(const struct hotplug *h, const struct block_list *list)
{
	struct block_list found = { 0 };
	bool is_so = true;
	unsigned i;

	block_list_intersect(&found, &h->after.blocks, list);
	for (i = 0; i < found.count; i++)
		is_so &= blocks_are_offline(&found.runs[i]);
	block_list_release(&found);
	return is_so;
}

/* Can a node lose its memory? The first has what the guest booted with. */
static bool is_of_later_node(const struct hotplug *h, const struct block_list *list)
{
	struct block_list found = { 0 };
	bool is_so = false;
	unsigned i;

	block_list_intersect(&found, &h->before.blocks, list);
	for (i = 0; i < found.count; i++)
		is_so |= found.runs[i].node > 0;
	block_list_release(&found);
	return is_so;
}

/* With what reads it back; the caller frees it. */
static char *offline_words(const struct hotplug *h, const struct block_list *list, bool is_short)
{
	_cleanup_free_ char *offline =
		is_short ? ease_words(h, list) : hotplug_lower_words(h, list);
	struct buf words = { 0 };

	if (!offline)
		return NULL;
	if (h->is_taking && !h->has_cpusets && is_of_later_node(h, list))
		buf_addf(&words, "cpusets;");
	buf_addf(&words, "%s;", offline);
	hotplug_add_look(h, &words, list);
	if (h->is_taking)
		buf_addf(&words, ";pool");
	return words.data;
}

static int take(struct hotplug *h, const char *words, struct err *err)
{
	h->has_cpusets |= !strncmp(words, "cpusets;", 8);
	return hotplug_guest(h, words, "take", "offline", err);
}

int hotplug_take_offline(struct hotplug *h, const struct block_list *list, struct err *err)
{
	_cleanup_free_ char *ease = offline_words(h, list, true);
	_cleanup_free_ char *lower = NULL;

	h->has_hanging = false;
	if (ease) {
		if (take(h, ease, err))
			return -1;
		if (are_offline(h, list))
			return 0;
	}
	lower = offline_words(h, list, false);
	return take(h, lower, err);
}

void hotplug_take_offline_show(struct hotplug *h, const struct block_list *list)
{
	char *ease = offline_words(h, list, true);

	hotplug_plan(h, "guest", ease ? ease : offline_words(h, list, false));
}
