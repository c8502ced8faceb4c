/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The job "unplug": blocks offline, DIMM released, backend removed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hotplug-guest.h"
#include "hotplug-offline.h"
#include "hotplug-room.h"
#include "hotplug-unplug.h"
#include "size.h"
#include "util.h"

#define NAMES_MAX 8 /* that a message has */

void unplug_release(struct unplug *unplug)
{
	leaving_release(&unplug->leaving, &unplug->leaving_count);
	block_list_release(&unplug->blocks);
}

int unplug_add(struct unplug *unplug, const struct memdev *d, struct err *err)
{
	unsigned i;

	if (!memdev_is_dimm(d)) {
		err_set(err, ERR_FAILED, "'%s' is a %s device: only DIMMs can be unplugged",
			memdev_name(d), d->type);
		return memdev_is_virtio_mem(d)
			       ? err_hint(err, "memhp resize takes memory back from it")
			       : -1;
	}
	if (!d->handle)
		return err_set(err, ERR_FAILED, "the device at 0x%llx has neither id nor path",
			       (unsigned long long)d->address);
	for (i = 0; i < unplug->leaving_count; i++)
		if (unplug->leaving[i].device == d)
			return 0;
	leaving_add(&unplug->leaving, &unplug->leaving_count, d);
	unplug->size_bytes += d->size_bytes;
	return 0;
}

/* The number of "memhp<number>-dimm", or -1. */
static int64_t memhp_number(const struct memdev *d)
{
	uint64_t number;
	_cleanup_free_ char *digits = NULL;
	size_t len;

	if (!d->id || strncmp(d->id, "memhp", 5) != 0)
		return -1;
	len = strspn(d->id + 5, "0123456789");
	digits = xstrndup(d->id + 5, len);
	return !strcmp(d->id + 5 + len, "-dimm") && parse_u64(digits, 10, &number) &&
			       number < UINT32_MAX
		       ? (int64_t)number
		       : -1;
}

/* QEMU does not say when a DIMM came: memhp's names count up; among others the highest slot is
 * taken. */
static bool is_newer(const struct memdev *a, const struct memdev *b)
{
	int64_t x = memhp_number(a), y = memhp_number(b);

	return x != y ? x > y : a->slot > b->slot;
}

static bool can_leave(const struct memdev *d)
{
	return d->is_hotplugged && memdev_is_dimm(d) && d->handle;
}

/* After a migration all DIMMs have been there from the start. */
static int none_hotplugged(const struct hotplug *h, struct err *err)
{
	unsigned i, count = 0;

	for (i = 0; i < h->machine.devices_count; i++) {
		const struct memdev *d = &h->machine.devices[i];

		count += memdev_is_dimm(d) && !d->is_hotplugged && d->handle;
	}
	err_set(err, ERR_FAILED, "no DIMM has been hotplugged");
	if (!count)
		return err_hint(err, "see memhp list");
	return err_hint(err, "%u %s there when QEMU started: name %s to unplug %s", count,
			count > 1 ? "DIMMs were" : "DIMM was", count > 1 ? "them" : "it",
			count > 1 ? "them" : "it");
}

int unplug_add_last(const struct hotplug *h, struct unplug *unplug, struct err *err)
{
	const struct memdev *last = NULL;
	unsigned i;

	for (i = 0; i < h->machine.devices_count; i++) {
		const struct memdev *d = &h->machine.devices[i];

		if (can_leave(d) && (!last || is_newer(d, last)))
			last = d;
	}
	return last ? unplug_add(unplug, last, err) : none_hotplugged(h, err);
}

int unplug_add_all(const struct hotplug *h, struct unplug *unplug, struct err *err)
{
	unsigned i;

	for (i = 0; i < h->machine.devices_count; i++) {
		const struct memdev *d = &h->machine.devices[i];

		if (d->is_hotplugged && memdev_is_dimm(d) && unplug_add(unplug, d, err))
			return -1;
	}
	return unplug->leaving_count ? 0 : none_hotplugged(h, err);
}

static bool is_taken(const struct unplug *unplug, const struct memdev *d)
{
	unsigned i;

	for (i = 0; i < unplug->leaving_count; i++)
		if (unplug->leaving[i].device == d)
			return true;
	return false;
}

/* Does nothing of the kernel's own lie in it? */
static bool is_movable(const struct hotplug *h, const struct memdev *d)
{
	struct block_list blocks = hotplug_found_blocks(h, &h->before, d);
	bool is_free = true;
	unsigned i;

	for (i = 0; i < blocks.count; i++)
		is_free &= !blocks_are_online(&blocks.runs[i]) ||
			   blocks_zone(&blocks.runs[i]) == ZONE_MOVABLE;
	block_list_release(&blocks);
	return is_free;
}

/* A DIMM that could leave, and what speaks for it. */
struct candidate {
	const struct memdev *device;
	bool is_movable;
};

static int by_preference(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	if (x->is_movable != y->is_movable)
		return y->is_movable - x->is_movable;
	return is_newer(x->device, y->device) ? -1 : is_newer(y->device, x->device);
}

/* The DIMMs that could leave, the best first; the caller frees the array. */
static struct candidate *candidates(const struct hotplug *h, const struct unplug *unplug, int node,
				    unsigned *count)
{
	struct candidate *found = xcalloc(h->machine.devices_count + 1, sizeof(*found));
	unsigned i;

	*count = 0;
	for (i = 0; i < h->machine.devices_count; i++) {
		const struct memdev *d = &h->machine.devices[i];

		if (!can_leave(d) || !d->size_bytes || is_taken(unplug, d) ||
		    (node >= 0 && (!(d->has & MEMDEV_HAS_NODE) || d->node != (uint64_t)node)))
			continue;
		found[(*count)++] = (struct candidate){ d, is_movable(h, d) };
	}
	qsort(found, *count, sizeof(*found), by_preference);
	return found;
}

bool unplug_add_sum(const struct hotplug *h, struct unplug *unplug, int node, uint64_t least_bytes,
		    uint64_t most_bytes, struct choice *out)
{
	unsigned i, count;
	_cleanup_free_ struct candidate *found = candidates(h, unplug, node, &count);
	_cleanup_free_ uint64_t *sizes = xcalloc(count + 1, sizeof(*sizes));
	_cleanup_free_ bool *chosen = xcalloc(count + 1, sizeof(*chosen));
	struct err ignored;

	for (i = 0; i < count; i++)
		sizes[i] = found[i].device->size_bytes;
	if (!choose_sum(sizes, count, least_bytes, most_bytes, chosen, out))
		return false;
	for (i = 0; i < count; i++)
		if (chosen[i])
			(void)!unplug_add(unplug, found[i].device, &ignored);
	return true;
}

static int add_size(const struct hotplug *h, struct unplug *unplug, const char *word,
		    struct err *err)
{
	char below[SIZE_TEXT_MAX], above[SIZE_TEXT_MAX];
	uint64_t size_bytes;
	struct choice choice;

	if (size_parse(word, &size_bytes, err))
		return -1;
	if (unplug_add_sum(h, unplug, -1, size_bytes, size_bytes, &choice))
		return 0;
	err_set(err, ERR_FAILED, "no hotplugged DIMMs add up to %s", word);
	if (choice.below && choice.above)
		return err_hint(err, "%s and %s can be reached", size_exact(below, choice.below),
				size_exact(above, choice.above));
	if (choice.below || choice.above)
		return err_hint(err, "%s can be reached",
				size_exact(below, choice.below + choice.above));
	return err_hint(err, "see memhp list");
}

int unplug_add_words(const struct hotplug *h, struct unplug *unplug, char *const *words,
		     unsigned count, struct err *err)
{
	unsigned i;

	for (i = 0; i < count; i++) {
		const struct memdev *d = hotplug_find_device(h, words[i]);

		if (!d && size_looks_like(words[i])) {
			if (add_size(h, unplug, words[i], err))
				return -1;
			continue;
		}
		if (!d) {
			err_set(err, ERR_FAILED, "no memory device '%s'", words[i]);
			return hotplug_hint_device(h, words[i], "see memhp list", err);
		}
		if (unplug_add(unplug, d, err))
			return -1;
	}
	return 0;
}

/* Which of the guest's blocks are the devices', and can it do without those that are online? */
static int find_blocks(struct hotplug *h, struct unplug *unplug, struct err *err)
{
	struct block_list wanted = { 0 };
	unsigned i;

	if (!h->has_guest)
		return 0;
	for (i = 0; i < unplug->leaving_count; i++) {
		const struct memdev *d = unplug->leaving[i].device;
		struct blocks run;

		if (hotplug_device_blocks(h, d, &run))
			block_list_add(&wanted, &run);
	}
	block_list_sort(&wanted);
	block_list_intersect(&unplug->blocks, &h->before.blocks, &wanted);
	block_list_release(&wanted);
	return room_check(h, unplug->leaving, unplug->leaving_count, err);
}

/* Read back: every block of the devices is offline. */
static int check_offline(const struct hotplug *h, const struct block_list *wanted, struct err *err)
{
	struct block_list found = { 0 };
	int status = 0;
	unsigned i;

	block_list_intersect(&found, &h->after.blocks, wanted);
	for (i = 0; i < found.count && !status; i++)
		if (!blocks_are_offline(&found.runs[i]))
			status = err_set(err, ERR_GUEST_REFUSED, "'memory%llu' is %s, not offline",
					 (unsigned long long)found.runs[i].first,
					 found.runs[i].state);
	block_list_release(&found);
	return status;
}

static int offline(struct hotplug *h, void *job, struct err *err)
{
	struct unplug *unplug = job;

	if (!unplug->blocks.count)
		return 0;
	if (hotplug_take_offline(h, &unplug->blocks, err) || check_offline(h, &unplug->blocks, err))
		return -1;
	guest_leave(h->vm->guest);
	return 0;
}

static void offline_show(struct hotplug *h, void *job)
{
	struct unplug *unplug = job;

	if (unplug->blocks.count)
		hotplug_take_offline_show(h, &unplug->blocks);
}

/* Has the guest been asked for it, and not answered? */
static bool is_pending(const struct leaving *l)
{
	return l->is_asked && !l->is_gone && !l->is_refused;
}

/* "'x0-dimm', 'x1-dimm', ...": those that are gone, or those pending, and how many they are */
static unsigned list_leaving(const struct unplug *unplug, bool is_gone, struct buf *names)
{
	unsigned i, count = 0;

	for (i = 0; i < unplug->leaving_count; i++) {
		const struct leaving *l = &unplug->leaving[i];

		if ((is_gone ? !l->is_gone : !is_pending(l)) || ++count > NAMES_MAX)
			continue;
		buf_addf(names, "%s'%s'", count > 1 ? ", " : "", memdev_name(l->device));
	}
	if (count > NAMES_MAX)
		buf_addf(names, ", ...");
	return count;
}

/* When some devices are gone: which, and which may still go. */
static int tell_gone(const struct unplug *unplug, struct err *err)
{
	_cleanup_buf_ struct buf gone = { 0 }, pending = { 0 };
	unsigned count = list_leaving(unplug, true, &gone);

	if (!count)
		return 0;
	err_set(err, ERR_PARTIAL, "%u of %u devices are gone (%s)", count, unplug->leaving_count,
		buf_text(&gone));
	count = list_leaving(unplug, false, &pending);
	return count ? err_append(err, "the guest may still let go of %u (%s)", count,
				  buf_text(&pending))
		     : -1;
}

/* Of a guest that has ended or begun anew nobody knows more than which devices QEMU still has. */
static int tell_left(const struct unplug *unplug, struct err *err)
{
	_cleanup_buf_ struct buf left = { 0 };
	bool may_go = false;
	unsigned i, count = 0;

	for (i = 0; i < unplug->leaving_count; i++) {
		const struct leaving *l = &unplug->leaving[i];

		may_go |= is_pending(l);
		if (!l->is_gone && ++count <= NAMES_MAX)
			buf_addf(&left, "%s'%s'", count > 1 ? ", " : "", memdev_name(l->device));
	}
	if (!count)
		return 0;
	return err_set(err, ERR_PARTIAL,
		       "%s%s %s still plugged%s, with blocks that are what the guest's next boot "
		       "makes of them",
		       buf_text(&left), count > NAMES_MAX ? ", ..." : "", count > 1 ? "are" : "is",
		       may_go ? " and may still go" : "");
}

/* Blocks of devices that are gone cannot come back; the others do. */
static int back_online(struct hotplug *h, void *job, struct err *err)
{
	struct unplug *unplug = job;
	struct block_list there = { 0 };
	struct err gone = { 0 };
	int status = 0;
	unsigned i;

	for (i = 0; i < unplug->leaving_count; i++) {
		struct blocks run;

		if (!unplug->leaving[i].is_gone &&
		    hotplug_device_blocks(h, unplug->leaving[i].device, &run))
			block_list_add(&there, &run);
	}
	if (hotplug_guest_has_ended(h))
		status = tell_left(unplug, err);
	else if (there.count && unplug->blocks.count)
		status = hotplug_restore(h, &there, err);
	block_list_release(&there);
	if (!tell_gone(unplug, &gone))
		return status;
	if (status)
		return err_append(err, "%s", gone.message);
	*err = gone;
	return -1;
}

/* Not when the user has interrupted since the last wait: what is asked for cannot be taken back. */
static int release(struct hotplug *h, void *job, struct err *err)
{
	struct unplug *unplug = job;

	if (deadline_poll(h->deadline, NULL, 0, monotonic_ms(), err) < 0)
		return -1;
	return hotplug_release_devices(h, unplug->leaving, unplug->leaving_count, err);
}

static void release_show(struct hotplug *h, void *job)
{
	struct unplug *unplug = job;
	unsigned i;

	for (i = 0; i < unplug->leaving_count; i++)
		hotplug_plan_request(h,
				     machine_request_device_del(unplug->leaving[i].device->handle));
	for (i = 0; i < unplug->leaving_count; i++)
		hotplug_plan(h, "event",
			     xasprintf("DEVICE_DELETED %s", unplug->leaving[i].device->handle));
}

/* A request once made cannot be taken back: it may still be granted, and those granted are final.
 */
static int release_undo(struct hotplug *h, void *job, struct err *err)
{
	struct unplug *unplug = job;
	unsigned i;

	if (hotplug_notice_gone(h, unplug->leaving, unplug->leaving_count, err) ||
	    (hotplug_guest_has_ended(h) &&
	     hotplug_read_gone(h, unplug->leaving, unplug->leaving_count, err)) ||
	    hotplug_remove_backends(h, unplug->leaving, unplug->leaving_count, err))
		return -1;
	for (i = 0; i < unplug->leaving_count; i++)
		if (is_pending(&unplug->leaving[i]))
			h->outcome = OUTCOME_PENDING;
	return 0;
}

static int remove_step(struct hotplug *h, void *job, struct err *err)
{
	struct unplug *unplug = job;
	unsigned i;

	if (hotplug_remove_backends(h, unplug->leaving, unplug->leaving_count, err))
		return -1;
	/* Nothing of this can be undone. The devices borrowed from the list end here: what is read
	 * back is the list without them. */
	hotplug_settle(h);
	for (i = 0; i < unplug->leaving_count; i++)
		unplug->leaving[i].device = NULL;
	return machine_query_devices(&h->machine, h->vm->qmp, err);
}

static void remove_show(struct hotplug *h, void *job)
{
	struct unplug *unplug = job;
	unsigned i;

	for (i = 0; i < unplug->leaving_count; i++)
		if (unplug->leaving[i].backend)
			hotplug_plan_request(
				h, machine_request_object_del(unplug->leaving[i].backend));
}

static const struct step steps[] = {
	{ "offline", offline, back_online, offline_show },
	{ "release", release, release_undo, release_show },
	{ "remove", remove_step, NULL, remove_show },
};

int unplug_prepare(struct hotplug *h, struct unplug *unplug, struct err *err)
{
	unsigned i;

	for (i = 0; unplug->leaves && i < unplug->leaving_count; i++)
		unplug->leaves(unplug, h, unplug->leaving[i].device);
	if (find_blocks(h, unplug, err))
		return -1;
	hotplug_add_steps(h, steps, ARRAY_SIZE(steps), unplug);
	return 0;
}
