/* SPDX-License-Identifier: GPL-3.0-or-later */
/* With --keep-going: of what is to leave, all that can, and why the rest stays. */
#include <stdlib.h>
#include <string.h>

#include "hotplug/blocker.h"
#include "hotplug/blocks.h"
#include "hotplug/offline.h"
#include "hotplug/pool.h"
#include "hotplug/room.h"
#include "hotplug/unplug.h"
#include "lib/size.h"
#include "lib/util.h"

#define DIVIDED_MS  2000  /* with less than this left, a try has it all */
#define MOST_MS	    60000 /* where there is no deadline */
#define REASONS_MAX 3	  /* that a message has; JSON has all */

int stayers_add(struct unplug *unplug, const char *name, const struct err *err)
{
	struct stayer *stayer;

	if (!unplug->is_keep_going)
		return -1;
	if (stayers_have(unplug, name))
		return 0;
	unplug->stayers = xgrow(unplug->stayers, unplug->stayers_count, sizeof(*stayer));
	stayer = &unplug->stayers[unplug->stayers_count++];
	*stayer = (struct stayer){ .name = xstrdup(name), .err = *err };
	return 0;
}

bool stayers_have(const struct unplug *unplug, const char *name)
{
	unsigned i = 0;

	while (i < unplug->stayers_count && strcmp(unplug->stayers[i].name, name) != 0)
		i++;
	return i < unplug->stayers_count;
}

bool stayers_count_against(const struct unplug *unplug)
{
	unsigned i = 0;

	while (i < unplug->stayers_count && unplug->stayers[i].is_chosen && !unplug->is_short)
		i++;
	return i < unplug->stayers_count;
}

void stayers_release(struct unplug *unplug)
{
	unsigned i;

	for (i = 0; i < unplug->stayers_count; i++)
		free(unplug->stayers[i].name);
	free(unplug->stayers);
	unplug->stayers = NULL;
	unplug->stayers_count = 0;
}

void stayers_move(struct unplug *unplug, unsigned i, const struct err *err)
{
	const struct leaving *l = &unplug->leaving[i];

	if (!stayers_add(unplug, memdev_name(l->device), err))
		unplug->stayers[unplug->stayers_count - 1].is_chosen = l->is_chosen;
	unplug->size_bytes -= l->device->size_bytes;
	if (l->is_chosen)
		unplug->short_bytes += l->device->size_bytes;
	leaving_drop(unplug->leaving, &unplug->leaving_count, i);
}

int stayers_explain(const struct unplug *unplug, const char *gone, unsigned gone_count,
		    struct err *err)
{
	unsigned i, count = unplug->stayers_count;

	err_set(err, ERR_PARTIAL, "%u of %u %s unplugged (%s)", gone_count, gone_count + count,
		gone_count > 1 ? "are" : "is", gone);
	for (i = 0; i < count && i < REASONS_MAX; i++)
		err_append(err, "'%s' is not: %s", unplug->stayers[i].name,
			   unplug->stayers[i].err.message);
	if (i < count)
		err_append(err, "%u more are not", count - i);
	return err_hint(err, "%s", unplug->stayers[0].err.hint);
}

/* Nothing leaves: the first reason is that of the job. */
static int all_stay(const struct unplug *unplug, struct err *err)
{
	*err = unplug->stayers[0].err;
	return -1;
}

/* Can the guest do without this one too, beside @bytes of others? */
static int admit(struct hotplug *h, const struct memdev *d, uint64_t *bytes, struct err *err)
{
	struct block_list found = hotplug_found_blocks(h, &h->before, d);
	uint64_t more = room_online_bytes(h, d);
	int status = hotplug_check_pool(h, &found, err);

	if (!status)
		status = hotplug_check_room(h, *bytes + more, err);
	if (!status)
		*bytes += more;
	block_list_release(&found);
	return status;
}

/* May it be another story with the other devices? */
static bool can_go_on(const struct hotplug *h, const struct err *err)
{
	return err->code == ERR_FAILED || err->code == ERR_QEMU_REFUSED ||
	       err->code == ERR_GUEST_REFUSED ||
	       (err->code == ERR_TIMEOUT && deadline_left_ms(h->deadline));
}

/* Those from leaving[i] on, and what is chosen in the place of those that stay. */
static int admit_from(struct hotplug *h, struct unplug *unplug, unsigned i, struct err *err)
{
	bool is_safe = h->is_pool_safe;
	uint64_t bytes = 0;
	unsigned j;

	for (j = 0; h->has_guest && j < i; j++)
		bytes += room_online_bytes(h, unplug->leaving[j].device);
	while (h->has_guest && i < unplug->leaving_count) {
		if (!admit(h, unplug->leaving[i].device, &bytes, err)) {
			is_safe &= h->is_pool_safe;
			i++;
			continue;
		}
		if (!can_go_on(h, err))
			return -1;
		stayers_move(unplug, i, err);
		unplug_make_up(h, unplug);
	}
	h->is_pool_safe = is_safe;
	unplug_find_blocks(h, unplug);
	return 0;
}

int unplug_admit_some(struct hotplug *h, struct unplug *unplug, struct err *err)
{
	h->is_pool_safe = true;
	if (admit_from(h, unplug, 0, err))
		return -1;
	return unplug->leaving_count ? 0 : all_stay(unplug, err);
}

/* Put the blocks of a device that stays back as they were. */
static int keep_blocks(struct hotplug *h, const struct memdev *d, struct err *err)
{
	struct block_list list = { 0 };
	struct blocks span;
	int status = 0;

	if (h->has_guest && hotplug_device_blocks(h, d, &span)) {
		block_list_add(&list, &span);
		status = hotplug_restore(h, &list, err);
		block_list_release(&list);
	}
	return status;
}

/* The device leaving[i] stays, as it was. */
static int keep(struct hotplug *h, struct unplug *unplug, unsigned i, const struct err *why,
		struct err *err)
{
	struct err left = { 0 }, told = *why;
	const struct memdev *d = unplug->leaving[i].device;

	if (keep_blocks(h, d, &left)) {
		*err = *why;
		err->code = ERR_PARTIAL;
		return err_append(err, "%s", left.message);
	}
	if (h->has_hanging)
		hotplug_explain_held(h, h->hanging_block, &told);
	h->has_hanging = false;
	stayers_move(unplug, i, &told);
	return 0;
}

/* The blocks of what is to leave that are not offline, as they were seen last. */
static struct block_list blocks_left(const struct hotplug *h, const struct unplug *unplug)
{
	struct block_list all = { 0 }, left = { 0 };
	unsigned i;

	block_list_intersect(&all, &hotplug_now(h)->blocks, &unplug->blocks);
	for (i = 0; i < all.count; i++)
		if (!blocks_are_offline(&all.runs[i]))
			block_list_add(&left, &all.runs[i]);
	block_list_release(&all);
	return left;
}

/* Which device is the work at? Blocks go offline from the highest down. */
static unsigned find_holder(const struct hotplug *h, const struct unplug *unplug,
			    const struct block_list *left)
{
	uint64_t block = left->count ? left->runs[left->count - 1].last : 0;
	struct blocks span;
	unsigned i = 0;

	while (i < unplug->leaving_count &&
	       (!hotplug_device_blocks(h, unplug->leaving[i].device, &span) || block < span.first ||
		block > span.last))
		i++;
	return i;
}

/* One try with a part of the time: one that hangs is not to take it all. */
static int try_offline(struct hotplug *h, const struct block_list *list, struct err *err)
{
	int64_t work_ms = h->deadline->work_ms, left_ms = deadline_left_ms(h->deadline);
	int status;

	if (left_ms > DIVIDED_MS)
		h->deadline->work_ms = deadline_within(
			h->deadline, left_ms == DEADLINE_NEVER ? MOST_MS : left_ms / 2);
	h->is_try = true;
	status = hotplug_take_offline(h, list, err) || unplug_check_offline(h, list, err) ? -1 : 0;
	h->is_try = false;
	h->deadline->work_ms = work_ms;
	deadline_work(h->deadline);
	return status;
}

/* Something was refused, or took too long: who holds it stays. Where a try got anywhere in its
 * time, the next goes on. */
static int drop_holder(struct hotplug *h, struct unplug *unplug, uint64_t blocks, struct err *err)
{
	struct block_list left = blocks_left(h, unplug);
	unsigned i = find_holder(h, unplug, &left);
	bool is_further = err->code == ERR_TIMEOUT && block_list_blocks(&left) < blocks;
	struct err why = *err;

	block_list_release(&left);
	if (is_further)
		return 0;
	if (i == unplug->leaving_count)
		return -1;
	if (why.code == ERR_TIMEOUT)
		why.code = ERR_GUEST_REFUSED;
	if (keep(h, unplug, i, &why, err))
		return -1;
	i = unplug->leaving_count;
	unplug_make_up(h, unplug);
	return admit_from(h, unplug, i, err);
}

int unplug_offline_some(struct hotplug *h, struct unplug *unplug, struct err *err)
{
	while (unplug->leaving_count) {
		struct block_list left = blocks_left(h, unplug);
		uint64_t blocks = block_list_blocks(&left);
		int status = blocks ? try_offline(h, &left, err) : 0;

		block_list_release(&left);
		if (!status)
			return 0;
		if (!can_go_on(h, err) || drop_holder(h, unplug, blocks, err))
			return -1;
	}
	return all_stay(unplug, err);
}

/* The reason of one that was refused, by the guest or (@err) by QEMU. */
static struct err why_refused(const struct leaving *l, const struct err *err)
{
	struct err why = *err;

	if (l->is_refused)
		err_set(&why, ERR_GUEST_REFUSED, "the guest does not give up '%s': %s",
			memdev_name(l->device), l->why);
	return why;
}

/* All that were refused stay. */
static int drop_refused(struct hotplug *h, struct unplug *unplug, struct err *err)
{
	const struct err first = *err;
	unsigned i = 0;

	while (i < unplug->leaving_count) {
		struct err why = why_refused(&unplug->leaving[i], &first);

		if (unplug->leaving[i].is_gone ||
		    (unplug->leaving[i].is_asked && !unplug->leaving[i].is_refused))
			i++;
		else if (keep(h, unplug, i, &why, err))
			return -1;
	}
	return 0;
}

int unplug_release_some(struct hotplug *h, struct unplug *unplug, struct err *err)
{
	while (hotplug_release_devices(h, unplug->leaving, unplug->leaving_count, err)) {
		unsigned count = unplug->leaving_count;

		if (!can_go_on(h, err) || drop_refused(h, unplug, err) ||
		    count == unplug->leaving_count)
			return -1;
	}
	return unplug->leaving_count ? 0 : all_stay(unplug, err);
}
