/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The job "online" or "offline": changes only the guest's blocks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hotplug/blocks.h"
#include "hotplug/change.h"
#include "hotplug/pool.h"
#include "hotplug/room.h"
#include "lib/size.h"
#include "lib/util.h"

/* in one argument: a guest checks every number, even if there is no such block */
#define FEW_BLOCKS 64

void change_free(struct change *change)
{
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(change->parts); i++)
		block_list_free(&change->parts[i]);
	buf_free(&change->mixed);
	block_list_free(&change->blocks);
	block_list_free(&change->named);
}

/* "memory33", "33", "32-35", "memory32-memory35", "memory32-35" */
static bool parse_range(const char *word, struct blocks *run)
{
	const char *first = strncmp(word, "memory", 6) ? word : word + 6;
	_cleanup_free_ char *number = xstrndup(first, strcspn(first, "-"));
	const char *last = first + strlen(number);

	*run = (struct blocks){ .node = -1 };
	if (!parse_u64(number, 10, &run->first))
		return false;
	run->last = run->first;
	if (!*last)
		return true;
	last++;
	return parse_u64(strncmp(last, "memory", 6) ? last : last + 6, 10, &run->last) &&
	       run->last >= run->first;
}

static int unknown_word(const struct view *v, const char *word, struct err *err)
{
	err_set(err, ERR_FAILED, "no memory block or device '%s'", word);
	return view_hint_device(v, word, "see memhp blocks and memhp list", err);
}

static int add_device_blocks(const struct view *v, struct change *change, const char *word,
			     struct err *err)
{
	const struct memdev *d = view_find_device(v, word);
	struct blocks run;

	if (!d)
		return unknown_word(v, word, err);
	if (view_added(v, &v->before, d) == ADDED_NOT) {
		_cleanup_free_ char *command = view_absent_command(d);

		err_set(err, ERR_FAILED, "the guest has not added '%s'", word);
		return err_hint(err, "take it away with: %s", command);
	}
	if (!view_device_blocks(v, d, &run))
		return err_set(err, ERR_FAILED, "the guest has no memory blocks of '%s'", word);
	block_list_add(&change->named, &run);
	return 0;
}

static bool can_change(const struct change *change, const struct blocks *b)
{
	/* memory that the kernel itself may use goes offline only if it is named */
	return change->is_online ? blocks_are_offline(b)
				 : blocks_are_online(b) && blocks_zone(b) == ZONE_MOVABLE;
}

/* A size: that much of the offline memory, lowest first; or of the online Movable memory, highest
 * first. */
static int add_size(const struct view *v, struct change *change, const char *word, struct err *err)
{
	const struct block_list *all = &v->before.blocks;
	uint64_t size_bytes, left;
	char block[SIZE_TEXT_MAX];
	unsigned i;

	if (size_parse(word, &size_bytes, err))
		return -1;
	if (size_bytes % v->before.block_size_bytes)
		return err_set(err, ERR_FAILED,
			       "'%s' is not a multiple of the memory block size, %s", word,
			       size_format(block, v->before.block_size_bytes));
	left = size_bytes / v->before.block_size_bytes;
	for (i = 0; i < all->count && left; i++) {
		struct blocks run = all->runs[change->is_online ? i : all->count - 1 - i];
		uint64_t blocks = run.last - run.first + 1;

		if (!can_change(change, &run))
			continue;
		if (blocks > left && change->is_online)
			run.last = run.first + left - 1;
		else if (blocks > left)
			run.first = run.last - left + 1;
		left -= blocks > left ? left : blocks;
		block_list_add(&change->named, &run);
	}
	if (left)
		return err_set(err, ERR_FAILED, "the guest has no %s in %s blocks", word,
			       change->is_online ? "offline" : "online Movable");
	return 0;
}

static void add_all(const struct view *v, struct change *change)
{
	unsigned i;

	for (i = 0; i < v->before.blocks.count; i++)
		if (can_change(change, &v->before.blocks.runs[i]))
			block_list_add(&change->named, &v->before.blocks.runs[i]);
}

/* By default only Movable blocks go offline; here their zones are unknown. */
static int unknown_zones(struct err *err)
{
	err_set(err, ERR_FAILED,
		"the guest agent forbids guest-exec: without it memhp cannot tell "
		"which blocks are Movable");
	return err_hint(err, "name blocks, or a device of memhp list");
}

static int add_arg(const struct view *v, struct change *change, const char *word, struct err *err)
{
	struct blocks run;
	uint64_t block;

	if (!change->is_online && v->before.is_agent_only &&
	    (!strcmp(word, "all") || size_looks_like(word)))
		return unknown_zones(err);
	if (!strcmp(word, "all")) {
		add_all(v, change);
		return 0;
	}
	if (size_looks_like(word))
		return add_size(v, change, word, err);
	if (!parse_range(word, &run))
		return add_device_blocks(v, change, word, err);
	if (block_list_lacks(&v->before.blocks, run.first, run.last, &block)) {
		err_set(err, ERR_FAILED, "no memory block 'memory%llu'", (unsigned long long)block);
		return err_hint(err, "see memhp blocks");
	}
	block_list_add(&change->named, &run);
	return 0;
}

/* Does this run need a change? Another zone matters only if one was asked for. */
static bool needs_change(const struct change *change, const struct blocks *b)
{
	if (!change->is_online)
		return !blocks_are_offline(b);
	return !blocks_are_online(b) ||
	       (change->zone != ZONE_AUTO && blocks_zone(b) != change->zone);
}

static int resolve(const struct view *v, struct change *change, struct err *err)
{
	struct block_list found = { 0 };
	unsigned i;

	for (i = 0; i < change->args_count; i++)
		if (add_arg(v, change, change->args[i], err))
			return -1;
	block_list_sort(&change->named);
	block_list_intersect(&found, &v->before.blocks, &change->named);
	block_list_free(&change->named);
	change->named = found;
	for (i = 0; i < found.count; i++)
		if (needs_change(change, &found.runs[i]))
			block_list_add(&change->blocks, &found.runs[i]);
	return 0;
}

/* The change that brings blocks online; the caller frees it. */
static struct block_change online_change(const struct change *change)
{
	static const enum zone zones[] = { ZONE_KERNEL, ZONE_MOVABLE, ZONE_ANY };
	struct block_change c = { .read_back = &change->blocks };
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(zones); i++)
		block_change_add(&c, &change->parts[zones[i]],
				 change->zone == ZONE_AUTO ? BLOCK_ONLINE_IF_OFFLINE : BLOCK_ONLINE,
				 zones[i]);
	return c;
}

/* Read back. */
static int check(const struct view *v, const struct change *change, struct err *err)
{
	struct block_list found = { 0 };
	const struct blocks *wrong = NULL;
	char state[STATE_TEXT_MAX];
	unsigned i;

	block_list_intersect(&found, &v->after.blocks, &change->blocks);
	for (i = 0; i < found.count && !wrong; i++)
		if (needs_change(change, &found.runs[i]))
			wrong = &found.runs[i];
	if (block_list_blocks(&found) != block_list_blocks(&change->blocks))
		err_set(err, ERR_FAILED, "some of the blocks are gone");
	else if (wrong)
		err_set(err, ERR_GUEST_REFUSED, "'memory%llu' is still %s",
			(unsigned long long)wrong->first, blocks_format_state(state, wrong));
	i = wrong || block_list_blocks(&found) != block_list_blocks(&change->blocks);
	block_list_free(&found);
	return i ? -1 : 0;
}

static const char *step_name(const struct change *change)
{
	return change->is_online ? "online" : "offline";
}

/* Do blocks only move from one zone to another? */
static bool is_move(const struct change *change)
{
	unsigned i = 0;

	while (i < change->blocks.count && blocks_are_online(&change->blocks.runs[i]))
		i++;
	return i == change->blocks.count;
}

static int bring_online(struct transaction *t, void *job, struct err *err)
{
	struct change *change = job;
	struct block_change c = online_change(change);
	int status = blocks_change(t, &c, err);

	block_change_free(&c);
	if (status || check(&t->view, change, err))
		return -1;
	if (is_move(change))
		hotplug_restore_floor(t);
	return 0;
}

static int take_offline(struct transaction *t, void *job, struct err *err)
{
	struct change *change = job;

	if (hotplug_take_offline(t, &change->blocks, err) || check(&t->view, change, err))
		return -1;
	hotplug_restore_floor(t);
	return 0;
}

static int undo(struct transaction *t, void *job, struct err *err)
{
	struct change *change = job;

	return hotplug_restore(t, &change->blocks, err) || hotplug_restore_pools(t, err) ? -1 : 0;
}

static void bring_online_show(struct transaction *t, void *job)
{
	struct block_change c = online_change(job);

	blocks_change_show(t, &c);
	block_change_free(&c);
}

static void take_offline_show(struct transaction *t, void *job)
{
	const struct change *change = job;

	hotplug_take_offline_show(t, &change->blocks);
}

static const struct step online_steps[] = { { "online", bring_online, undo, bring_online_show,
					      NULL } };
static const struct step offline_steps[] = { { "offline", take_offline, undo, take_offline_show,
					       NULL } };

static uint64_t bytes_of(const struct view *v, const struct block_list *list)
{
	return block_list_blocks(list) * v->before.block_size_bytes;
}

/* The device's blocks go to the zone of those already online, if any. */
static void follow_device(const struct view *v, struct change *change, const struct memdev *d)
{
	struct block_list wanted = { 0 }, found = { 0 };
	bool is_mixed = false;
	enum zone zone = zone_begun(v, d, &is_mixed);
	struct blocks span;
	unsigned i;

	if (!view_device_blocks(v, d, &span))
		return;
	block_list_add(&wanted, &span);
	block_list_intersect(&found, &change->blocks, &wanted);
	if (is_mixed && found.count)
		buf_addf(&change->mixed, "%s%s", change->mixed.len ? " " : "", memdev_name(d));
	for (i = 0; i < found.count && zone != ZONE_AUTO; i++)
		block_list_add(&change->parts[zone], &found.runs[i]);
	block_list_free(&wanted);
	block_list_free(&found);
}

/* The parts so far, in block order; the caller frees the list. */
static struct block_list parted(const struct change *change)
{
	struct block_list all = { 0 };
	unsigned i, j;

	for (i = 0; i < ARRAY_SIZE(change->parts); i++)
		for (j = 0; j < change->parts[i].count; j++)
			block_list_add(&all, &change->parts[i].runs[j]);
	block_list_sort(&all);
	return all;
}

/* A device that is partly online in a zone is completed there, unless one was asked for. */
static void choose_zones(struct transaction *t, struct change *change)
{
	struct block_list followed, rest = { 0 };
	unsigned i;

	for (i = 0; change->zone == ZONE_AUTO && i < t->view.machine.devices_count; i++)
		follow_device(&t->view, change, &t->view.machine.devices[i]);
	for (i = 0; i < ARRAY_SIZE(change->parts); i++)
		block_list_sort(&change->parts[i]);
	followed = parted(change);
	block_list_subtract(&rest, &change->blocks, &followed);
	change->zone_taken =
		zone_choose(t, change->zone, bytes_of(&t->view, &rest), change->zone_reason);
	for (i = 0; i < rest.count; i++)
		block_list_add(&change->parts[change->zone_taken], &rest.runs[i]);
	block_list_sort(&change->parts[change->zone_taken]);
	block_list_free(&followed);
	block_list_free(&rest);
}

void change_prepare(struct transaction *t, struct change *change)
{
	if (change->is_online)
		choose_zones(t, change);
	if (change->blocks.count)
		transaction_add_steps(t, change->is_online ? online_steps : offline_steps, 1,
				      change);
}

static int check_change(struct transaction *t, const struct change *change, struct err *err)
{
	/* a block changes its zone by going offline first */
	if (t->view.is_taking && hotplug_check_pool(t, &change->blocks, err))
		return change->is_online
			       ? err_hint(err, "take them first: memhp offline --force BLOCKS")
			       : -1;
	return change->is_online ? zone_check(&t->view, change->zone, err)
				 : hotplug_check_room(t, bytes_of(&t->view, &change->blocks), err);
}

/* Are only a few blocks named, by number, so that the others need not be read? Zone auto depends on
 * all of them. */
static bool names_few_blocks(const struct change *change, struct block_list *named)
{
	struct blocks run;
	unsigned i;

	if (change->is_online && change->zone == ZONE_AUTO)
		return false;
	for (i = 0; i < change->args_count; i++) {
		if (size_looks_like(change->args[i]) || !parse_range(change->args[i], &run) ||
		    run.last - run.first >= FEW_BLOCKS)
			return false;
		block_list_add(named, &run);
	}
	return named->count;
}

static int query_view(struct transaction *t, const struct change *change, struct err *err)
{
	struct block_list named = { 0 };
	int status;

	t->view.preload = VERB_BIT(change->is_online ? VERB_ONLINE_FAST : VERB_OFFLINE_FAST) |
			  VERB_BIT(VERB_BLOCKS);
	t->view.scope = names_few_blocks(change, &named) ? &named : NULL;
	t->view.is_taking = !change->is_online || change->zone != ZONE_AUTO;
	status = transaction_query(t, QUERY_GUEST | QUERY_CHANGE, err);
	t->view.scope = NULL;
	block_list_free(&named);
	return status;
}

int hotplug_change(struct transaction *t, struct change *change, struct err *err)
{
	_cleanup_buf_ struct buf subject = { 0 };
	unsigned i;

	if (!query_view(t, change, err) && !resolve(&t->view, change, err) &&
	    !check_change(t, change, err)) {
		change_prepare(t, change);
		if (!transaction_run(t, err))
			return 0;
	}
	for (i = 0; i < change->args_count; i++)
		buf_addf(&subject, "%s%s", i ? " " : "", change->args[i]);
	return err_wrap(err, "cannot %s '%s'", step_name(change), buf_text(&subject));
}
