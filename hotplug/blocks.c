/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Changing the state of the guest's memory blocks. */
#include <string.h>

#include "hotplug/ask.h"
#include "hotplug/blocks.h"
#include "hotplug/memory.h"

#define FAST_BLOCKS  64	  /* the fast way is for at most this many: they change in a moment */
#define FAST_UNDO_MS 5000 /* undoing after VERB_OFFLINE_FAST needs a new session first */
#define APPEAR_MS    2000 /* with less time left than this, do not wait for blocks */

void block_change_add(struct block_change *c, const struct block_list *list, enum block_state state,
		      enum zone zone)
{
	struct block_part *part = &c->parts[c->parts_count];
	unsigned i;

	if (!list->count)
		return;
	part->state = state;
	part->zone = zone;
	for (i = 0; i < list->count; i++)
		block_list_add(&part->list, &list->runs[i]);
	c->parts_count++;
}

void block_change_free(struct block_change *c)
{
	while (c->parts_count)
		block_list_free(&c->parts[--c->parts_count].list);
	block_list_free(&c->awaited);
}

/* Can the blocks go offline the fast way? If a write hangs, the session is lost. */
static bool is_offline_fast(const struct transaction *t)
{
	const struct deadline *d = t->deadline;

	return t->view.before.is_timed && !t->is_try &&
	       (d->final_ms == DEADLINE_NEVER || d->final_ms - d->work_ms >= FAST_UNDO_MS);
}

/* Is none of them known to be online? */
static bool are_off(const struct block_list *list)
{
	unsigned i;

	for (i = 0; i < list->count; i++)
		if (!blocks_are_offline(&list->runs[i]) && list->runs[i].state[0])
			return false;
	return true;
}

static enum verb choose_verb(const struct transaction *t, const struct block_part *part,
			     bool is_fast)
{
	is_fast = is_fast && block_list_blocks(&part->list) <= FAST_BLOCKS;
	if (part->state == BLOCK_OFFLINE)
		return is_fast && is_offline_fast(t) ? VERB_OFFLINE_FAST : VERB_OFFLINE;
	if (is_fast && part->zone != ZONE_ANY && are_off(&part->list))
		return VERB_ONLINE_FAST;
	if (part->state == BLOCK_ONLINE_IF_OFFLINE)
		return VERB_ONLINE_IF_OFFLINE;
	return are_off(&part->list) ? VERB_ONLINE : VERB_MOVE;
}

static void add_ranges(struct command *c, const struct block_list *list, bool is_descending)
{
	unsigned i;

	for (i = 0; i < list->count; i++) {
		const struct blocks *b = &list->runs[is_descending ? list->count - 1 - i : i];

		command_add_range(c, is_descending ? b->last : b->first,
				  is_descending ? b->first : b->last);
	}
}

/* Can a node lose all of its memory? Not the first: it has the memory of the guest's boot. */
static bool is_of_later_node(const struct view *v, const struct block_list *list)
{
	struct block_list found = { 0 };
	bool is_so = false;
	unsigned i;

	block_list_intersect(&found, &v->before.blocks, list);
	for (i = 0; i < found.count; i++)
		is_so |= found.runs[i].node > 0;
	block_list_free(&found);
	return is_so;
}

/* May a node lose its memory, so that the cpusets that use it must be saved? */
static bool wants_cpusets(const struct view *v, const struct block_change *c)
{
	unsigned i;

	for (i = 0; v->is_taking && !v->has_cpusets && i < c->parts_count; i++)
		if (c->parts[i].state == BLOCK_OFFLINE && is_of_later_node(v, &c->parts[i].list))
			return true;
	return false;
}

/* Add the read-back: of the changed blocks only, unless another job's steps follow. */
static void add_read_back(const struct transaction *t, const struct block_change *c,
			  struct request *r)
{
	unsigned i = 1;

	while (i < t->steps_count && t->steps[i].job == t->steps[0].job)
		i++;
	memory_request_again(r, i < t->steps_count ? NULL : c->read_back);
	if (t->view.is_taking)
		request_add(r, VERB_POOLS);
}

static void make_request(const struct transaction *t, const struct block_change *c, bool is_fast,
			 struct request *r)
{
	unsigned i;

	if (wants_cpusets(&t->view, c))
		request_add(r, VERB_CPUSETS);
	if (c->awaited.count) {
		struct command *appear = request_add(r, VERB_APPEAR);

		appear->seconds = deadline_left_ms(t->deadline) >= APPEAR_MS;
		appear->is_condition = c->parts_count;
		add_ranges(appear, &c->awaited, false);
	}
	for (i = 0; i < c->parts_count; i++) {
		const struct block_part *part = &c->parts[i];
		struct command *change = request_add(r, choose_verb(t, part, is_fast));

		change->zone = part->zone;
		change->seconds = hotplug_seconds_left(t);
		add_ranges(change, &part->list, part->state == BLOCK_OFFLINE);
	}
	add_read_back(t, c, r);
}

/* Read back: is the run in the state wanted? */
static bool is_as_wanted(const struct block_part *part, const struct blocks *run)
{
	if (part->state == BLOCK_OFFLINE)
		return blocks_are_offline(run);
	return blocks_are_online(run) && (part->state == BLOCK_ONLINE_IF_OFFLINE ||
					  part->zone == ZONE_ANY || blocks_zone(run) == part->zone);
}

/* Is the whole part? A block that is gone counts as offline. */
static bool is_part_done(const struct view *v, const struct block_part *part)
{
	struct block_list found = { 0 };
	bool is_done;
	unsigned i;

	block_list_intersect(&found, &v->after.blocks, &part->list);
	is_done = part->state == BLOCK_OFFLINE ||
		  block_list_blocks(&found) == block_list_blocks(&part->list);
	for (i = 0; i < found.count; i++)
		is_done &= is_as_wanted(part, &found.runs[i]);
	block_list_free(&found);
	return is_done;
}

static bool is_all_done(const struct view *v, const struct block_change *c)
{
	unsigned i;

	for (i = 0; i < c->parts_count; i++)
		if (!is_part_done(v, &c->parts[i]))
			return false;
	return true;
}

static bool is_fast(const struct request *r)
{
	return request_has(r, VERB_ONLINE_FAST) || request_has(r, VERB_OFFLINE_FAST);
}

static enum work work_of(const struct block_change *c)
{
	return c->parts_count && c->parts[0].state == BLOCK_OFFLINE ? WORK_OFFLINE : WORK_ONLINE;
}

/* One round trip. *is_final: nothing was done the fast way, so there are no better reasons to
 * get. */
static int try_change(struct transaction *t, const struct block_change *c, bool may_be_fast,
		      bool *is_final, struct err *err)
{
	_cleanup_request_ struct request r = { 0 };

	make_request(t, c, may_be_fast, &r);
	t->view.has_cpusets |= request_has(&r, VERB_CPUSETS);
	*is_final = !is_fast(&r);
	return hotplug_ask(t, &r, work_of(c), err);
}

int blocks_change(struct transaction *t, const struct block_change *c, struct err *err)
{
	/* an undo needs the result at once */
	bool is_final, may_be_fast = !t->deadline->undoing;
	int status;

	t->has_hanging = false;
	status = try_change(t, c, may_be_fast, &is_final, err);
	if (status || is_final || is_all_done(&t->view, c))
		return status;
	return try_change(t, c, false, &is_final, err);
}

void blocks_change_show(struct transaction *t, const struct block_change *c)
{
	_cleanup_request_ struct request r = { 0 };

	make_request(t, c, true, &r);
	transaction_plan_guest(t, &r);
}

int hotplug_take_offline(struct transaction *t, const struct block_list *list, struct err *err)
{
	struct block_change c = { .read_back = list };
	int status;

	block_change_add(&c, list, BLOCK_OFFLINE, ZONE_ANY);
	status = blocks_change(t, &c, err);
	block_change_free(&c);
	return status;
}

void hotplug_take_offline_show(struct transaction *t, const struct block_list *list)
{
	struct block_change c = { .read_back = list };

	block_change_add(&c, list, BLOCK_OFFLINE, ZONE_ANY);
	blocks_change_show(t, &c);
	block_change_free(&c);
}

int hotplug_freeze_policy(struct transaction *t, struct err *err)
{
	_cleanup_request_ struct request r = { 0 };
	const char *policy = t->view.before.auto_online;

	if (!t->view.has_guest || !*policy || !strcmp(policy, "offline"))
		return 0;
	request_add(&r, VERB_SCAN);
	request_add(&r, VERB_FREEZE_POLICY);
	return hotplug_ask(t, &r, WORK_FREEZE, err);
}

/* Add a change that restores the blocks that were in that state and zone. */
static void restore_part(struct block_change *c, const struct block_list *were,
			 enum block_state state, enum zone zone)
{
	struct block_list some = { 0 };
	unsigned i;

	for (i = 0; i < were->count; i++) {
		const struct blocks *run = &were->runs[i];

		if (state == BLOCK_OFFLINE ? blocks_are_offline(run)
					   : blocks_are_online(run) && blocks_zone(run) == zone)
			block_list_add(&some, run);
	}
	block_change_add(c, &some, state, zone);
	block_list_free(&some);
}

/* Are the blocks as they were? Only state and zone count: the rest may change by itself. */
static int check_restored(const struct view *v, const struct block_list *were, struct err *err)
{
	char is[STATE_TEXT_MAX], was[STATE_TEXT_MAX];
	unsigned i, j;

	for (i = 0; i < were->count; i++) {
		const struct blocks *then = &were->runs[i];

		for (j = 0; j < v->after.blocks.count; j++) {
			const struct blocks *now = &v->after.blocks.runs[j];

			if (now->last < then->first || now->first > then->last)
				continue;
			if (strcmp(now->state, then->state) != 0 ||
			    blocks_zone(now) != blocks_zone(then))
				return err_set(err, ERR_PARTIAL, "'memory%llu' is %s now, was %s",
					       (unsigned long long)(now->first > then->first
									    ? now->first
									    : then->first),
					       blocks_format_state(is, now),
					       blocks_format_state(was, then));
		}
	}
	return 0;
}

/* Report the blocks that may not be as they were. */
static int not_back(const struct transaction *t, const struct block_list *were, struct err *err)
{
	char range[BLOCKS_TEXT_MAX];

	blocks_format(range, were->runs[0].first, were->runs[were->count - 1].last);
	if (transaction_guest_has_ended(t))
		return err_set(err, ERR_PARTIAL,
			       "the state of %s is not known: it is what the guest's next boot "
			       "makes of it",
			       range);
	return err_wrap(err, "some of %s may not be back as they were", range);
}

/* Restore them block by block, and read that back. */
static int restore(struct transaction *t, const struct block_list *were, struct err *err)
{
	_cleanup_request_ struct request r = { 0 };
	struct block_change c = { 0 };
	int status;

	restore_part(&c, were, BLOCK_ONLINE, ZONE_MOVABLE);
	restore_part(&c, were, BLOCK_ONLINE, ZONE_KERNEL);
	restore_part(&c, were, BLOCK_ONLINE, ZONE_ANY);
	restore_part(&c, were, BLOCK_OFFLINE, ZONE_ANY);
	make_request(t, &c, false, &r);
	status = c.parts_count ? hotplug_ask(t, &r, WORK_RESTORE, err) : 0;
	if (!status && c.parts_count)
		status = check_restored(&t->view, were, err);
	block_change_free(&c);
	return status;
}

int hotplug_restore(struct transaction *t, const struct block_list *list, struct err *err)
{
	struct block_list were = { 0 };
	struct answer late = { 0 };
	int status = guest_cancel(t->view.guest, &late, err);

	answer_free(&late);
	block_list_intersect(&were, &t->view.before.blocks, list);
	if (!were.count)
		return 0;
	if (!status || guest_is_lost(t->view.guest))
		status = restore(t, &were, err);
	if (status)
		not_back(t, &were, err);
	block_list_free(&were);
	return status ? -1 : 0;
}
