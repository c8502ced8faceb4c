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
static char *ease_words(const struct transaction *t, const struct block_list *list)
{
	const struct deadline *d = t->deadline;
	struct buf words = { 0 };

	if (!t->view.before.is_timed || t->is_try || block_list_blocks(list) > EASE_BLOCKS ||
	    (d->final_ms != DEADLINE_NEVER && d->final_ms - d->work_ms < EASE_UNDO_MS))
		return NULL;
	buf_addf(&words, "ease %u", hotplug_seconds_left(t));
	hotplug_add_ranges(&words, list, true);
	return words.data;
}

/* Read back: is every block of @list offline? */
static bool are_offline(const struct transaction *t, const struct block_list *list)
{
	struct block_list found = { 0 };
	bool is_so = true;
	unsigned i;

	block_list_intersect(&found, &t->view.after.blocks, list);
	for (i = 0; i < found.count; i++)
		is_so &= blocks_are_offline(&found.runs[i]);
	block_list_free(&found);
	return is_so;
}

/* Can a node lose its memory? The first has what the guest booted with. */
static bool is_of_later_node(const struct transaction *t, const struct block_list *list)
{
	struct block_list found = { 0 };
	bool is_so = false;
	unsigned i;

	block_list_intersect(&found, &t->view.before.blocks, list);
	for (i = 0; i < found.count; i++)
		is_so |= found.runs[i].node > 0;
	block_list_free(&found);
	return is_so;
}

/* With what reads it back; the caller frees it. */
static char *offline_words(const struct transaction *t, const struct block_list *list,
			   bool is_short)
{
	_cleanup_free_ char *offline =
		is_short ? ease_words(t, list) : hotplug_lower_words(t, list);
	struct buf words = { 0 };

	if (!offline)
		return NULL;
	if (t->view.is_taking && !t->view.has_cpusets && is_of_later_node(t, list))
		buf_addf(&words, "cpusets;");
	buf_addf(&words, "%s;", offline);
	hotplug_add_look(t, &words, list);
	if (t->view.is_taking)
		buf_addf(&words, ";pool");
	return words.data;
}

static int take(struct transaction *t, const char *words, struct err *err)
{
	t->view.has_cpusets |= !strncmp(words, "cpusets;", 8);
	return hotplug_guest(t, words, "take", "offline", err);
}

int hotplug_take_offline(struct transaction *t, const struct block_list *list, struct err *err)
{
	_cleanup_free_ char *ease = offline_words(t, list, true);
	_cleanup_free_ char *lower = NULL;

	t->has_hanging = false;
	if (ease) {
		if (take(t, ease, err))
			return -1;
		if (are_offline(t, list))
			return 0;
	}
	lower = offline_words(t, list, false);
	return take(t, lower, err);
}

void hotplug_take_offline_show(struct transaction *t, const struct block_list *list)
{
	char *ease = offline_words(t, list, true);

	transaction_plan(t, "guest", ease ? ease : offline_words(t, list, false));
}
