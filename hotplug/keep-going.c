/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Unplug the devices that can be unplugged; the others stay. */
#include "hotplug/room.h"
#include "hotplug/blocker.h"
#include "hotplug/blocks.h"
#include "hotplug/keep-going.h"
#include "hotplug/pool.h"

#define DIVIDED_MS 2000	 /* with less time left than this, one attempt gets all of it */
#define MOST_MS	   60000 /* for one attempt if there is no deadline */

/* Nothing can leave: the command fails with the first reason. */
static int all_stay(const struct unplug *unplug, struct err *err)
{
	*err = unplug->stayers.list[0].err;
	return -1;
}

/* Can the guest do without this device too, in addition to @bytes of others? */
static int admit(struct transaction *t, const struct memdev *d, uint64_t *bytes, struct err *err)
{
	struct block_list found = view_found_blocks(&t->view, &t->view.before, d);
	uint64_t more = room_online_bytes(&t->view, d);
	int status = hotplug_check_pool(t, &found, err);

	if (!status)
		status = hotplug_check_room(t, *bytes + more, err);
	if (!status)
		*bytes += more;
	block_list_free(&found);
	return status;
}

/* May the other devices still succeed after this error? */
static bool can_go_on(const struct transaction *t, const struct err *err)
{
	return err->code == ERR_FAILED || err->code == ERR_QEMU_REFUSED ||
	       err->code == ERR_GUEST_REFUSED ||
	       (err->code == ERR_TIMEOUT && deadline_left_ms(t->deadline));
}

/* Admit the devices from leaving[i] on, and the replacements chosen for those that stay. */
static int admit_from(struct transaction *t, struct unplug *unplug, unsigned i, struct err *err)
{
	bool is_safe = t->is_pool_safe;
	uint64_t bytes = 0;
	unsigned j;

	for (j = 0; t->view.has_guest && j < i; j++)
		bytes += room_online_bytes(&t->view, &unplug->leaving[j].device);
	while (t->view.has_guest && i < unplug->leaving_count) {
		if (!admit(t, &unplug->leaving[i].device, &bytes, err)) {
			is_safe &= t->is_pool_safe;
			i++;
			continue;
		}
		if (!can_go_on(t, err))
			return -1;
		unplug_keep(unplug, i, err);
		unplug_replace(t, unplug);
	}
	t->is_pool_safe = is_safe;
	unplug_find_blocks(&t->view, unplug);
	return 0;
}

int keep_going_admit(struct transaction *t, struct unplug *unplug, struct err *err)
{
	t->is_pool_safe = true;
	if (admit_from(t, unplug, 0, err))
		return -1;
	return unplug->leaving_count ? 0 : all_stay(unplug, err);
}

/* Restore the blocks of a device that stays. */
static int keep_blocks(struct transaction *t, const struct memdev *d, struct err *err)
{
	struct block_list list = { 0 };
	struct blocks span;
	int status = 0;

	if (t->view.has_guest && view_device_blocks(&t->view, d, &span)) {
		block_list_add(&list, &span);
		status = hotplug_restore(t, &list, err);
		block_list_free(&list);
	}
	return status;
}

/* Keep the device leaving[i], with its blocks restored. */
static int keep(struct transaction *t, struct unplug *unplug, unsigned i, const struct err *why,
		struct err *err)
{
	struct err left = { 0 }, told = *why;
	const struct memdev *d = &unplug->leaving[i].device;

	if (keep_blocks(t, d, &left)) {
		*err = *why;
		err->code = ERR_PARTIAL;
		return err_append(err, "%s", left.message);
	}
	if (t->has_hanging)
		hotplug_explain_blocker(t, t->hanging_block, &told);
	t->has_hanging = false;
	unplug_keep(unplug, i, &told);
	return 0;
}

/* The blocks to take offline that are not offline yet, as last read. */
static struct block_list blocks_left(const struct view *v, const struct unplug *unplug)
{
	struct block_list all = { 0 }, left = { 0 };
	unsigned i;

	block_list_intersect(&all, &view_now(v)->blocks, &unplug->blocks);
	for (i = 0; i < all.count; i++)
		if (!blocks_are_offline(&all.runs[i]))
			block_list_add(&left, &all.runs[i]);
	block_list_free(&all);
	return left;
}

/* The device whose blocks are being taken offline: they go from the highest down. */
static unsigned find_failing(const struct view *v, const struct unplug *unplug,
			     const struct block_list *left)
{
	uint64_t block = left->count ? left->runs[left->count - 1].last : 0;
	struct blocks span;
	unsigned i = 0;

	while (i < unplug->leaving_count &&
	       (!view_device_blocks(v, &unplug->leaving[i].device, &span) || block < span.first ||
		block > span.last))
		i++;
	return i;
}

/* One attempt with part of the time, so that one that hangs does not use it all. */
static int try_offline(struct transaction *t, const struct block_list *list, struct err *err)
{
	int64_t work_ms = t->deadline->work_ms, left_ms = deadline_left_ms(t->deadline);
	int status;

	if (left_ms > DIVIDED_MS)
		t->deadline->work_ms = deadline_within(
			t->deadline, left_ms == DEADLINE_NEVER ? MOST_MS : left_ms / 2);
	t->is_try = true;
	status = hotplug_take_offline(t, list, err) || unplug_check_offline(&t->view, list, err)
			 ? -1
			 : 0;
	t->is_try = false;
	t->deadline->work_ms = work_ms;
	deadline_work(t->deadline);
	return status;
}

/* A block was refused or took too long: keep its device. If the attempt timed out but made
 * progress, the next one continues. */
static int drop_failing(struct transaction *t, struct unplug *unplug, uint64_t blocks,
			struct err *err)
{
	struct block_list left = blocks_left(&t->view, unplug);
	unsigned i = find_failing(&t->view, unplug, &left);
	bool is_further = err->code == ERR_TIMEOUT && block_list_blocks(&left) < blocks;
	struct err why = *err;

	block_list_free(&left);
	if (is_further)
		return 0;
	if (i == unplug->leaving_count)
		return -1;
	if (why.code == ERR_TIMEOUT)
		why.code = ERR_GUEST_REFUSED;
	if (keep(t, unplug, i, &why, err))
		return -1;
	i = unplug->leaving_count;
	unplug_replace(t, unplug);
	return admit_from(t, unplug, i, err);
}

int keep_going_offline(struct transaction *t, struct unplug *unplug, struct err *err)
{
	while (unplug->leaving_count) {
		struct block_list left = blocks_left(&t->view, unplug);
		uint64_t blocks = block_list_blocks(&left);
		int status = blocks ? try_offline(t, &left, err) : 0;

		block_list_free(&left);
		if (!status)
			return 0;
		if (!can_go_on(t, err) || drop_failing(t, unplug, blocks, err))
			return -1;
	}
	return all_stay(unplug, err);
}

/* Why a device was refused, by the guest or (@err) by QEMU. */
static struct err why_refused(const struct leaving *l, const struct err *err)
{
	struct err why = *err;

	if (l->is_refused)
		err_set(&why, ERR_GUEST_REFUSED, "the guest does not give up '%s': %s",
			memdev_name(&l->device), l->why);
	return why;
}

/* Keep all devices that were refused. */
static int drop_refused(struct transaction *t, struct unplug *unplug, struct err *err)
{
	const struct err first = *err;
	unsigned i = 0;

	while (i < unplug->leaving_count) {
		struct err why = why_refused(&unplug->leaving[i], &first);

		if (unplug->leaving[i].is_gone ||
		    (unplug->leaving[i].is_asked && !unplug->leaving[i].is_refused))
			i++;
		else if (keep(t, unplug, i, &why, err))
			return -1;
	}
	return 0;
}

int keep_going_device_del(struct transaction *t, struct unplug *unplug, struct err *err)
{
	while (hotplug_device_del(t, unplug->leaving, unplug->leaving_count, err)) {
		unsigned count = unplug->leaving_count;

		if (!can_go_on(t, err) || drop_refused(t, unplug, err) ||
		    count == unplug->leaving_count)
			return -1;
	}
	return unplug->leaving_count ? 0 : all_stay(unplug, err);
}
