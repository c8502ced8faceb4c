/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The job "unplug": blocks offline, DIMM released, backend removed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hotplug.h"
#include "util.h"

void unplug_release(struct unplug *unplug)
{
	unsigned i;

	for (i = 0; i < unplug->leaving_count; i++)
		free(unplug->leaving[i].backend);
	free(unplug->leaving);
	block_list_release(&unplug->blocks);
}

static bool is_dimm(const struct memdev *d)
{
	return !strcmp(d->type, "dimm") || !strcmp(d->type, "nvdimm");
}

static int add_device(struct unplug *unplug, const struct memdev *d, struct err *err)
{
	unsigned i;

	if (!is_dimm(d))
		return err_set(err, ERR_FAILED, "'%s' is a %s device: only DIMMs can be unplugged",
			       memdev_name(d), d->type);
	if (!d->handle)
		return err_set(err, ERR_FAILED, "the device at 0x%llx has neither id nor path",
			       (unsigned long long)d->address);
	for (i = 0; i < unplug->leaving_count; i++)
		if (unplug->leaving[i].device == d)
			return 0;
	unplug->leaving = xgrow(unplug->leaving, unplug->leaving_count, sizeof(*unplug->leaving));
	unplug->leaving[unplug->leaving_count++] =
		(struct leaving){ .device = d, .backend = d->backend ? xstrdup(d->backend) : NULL };
	unplug->size_bytes += d->size_bytes;
	return 0;
}

const struct memdev *hotplug_find_device(const struct hotplug *h, const char *name)
{
	const struct memdev *d = machine_device(&h->machine, name);
	_cleanup_free_ char *full = xasprintf("%s-dimm", name);

	return d ? d : machine_device(&h->machine, full);
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
static const struct memdev *plugged_last(const struct machine *m)
{
	const struct memdev *last = NULL;
	unsigned i;

	for (i = 0; i < m->devices_count; i++) {
		const struct memdev *d = &m->devices[i];

		if (!d->is_hotplugged || !is_dimm(d) || !d->handle)
			continue;
		if (!last || memhp_number(d) > memhp_number(last) ||
		    (memhp_number(d) == memhp_number(last) && d->slot > last->slot))
			last = d;
	}
	return last;
}

static int choose_named(const struct hotplug *h, struct unplug *unplug, struct err *err)
{
	unsigned i;

	for (i = 0; i < unplug->names_count; i++) {
		const struct memdev *d = hotplug_find_device(h, unplug->names[i]);

		if (!d) {
			err_set(err, ERR_FAILED, "no memory device '%s'", unplug->names[i]);
			return err_hint(err, "see memhp list");
		}
		if (add_device(unplug, d, err))
			return -1;
	}
	return 0;
}

static int choose_devices(const struct hotplug *h, struct unplug *unplug, struct err *err)
{
	const struct memdev *last = plugged_last(&h->machine);
	unsigned i;

	if (unplug->names_count)
		return choose_named(h, unplug, err);
	if (!last) {
		err_set(err, ERR_FAILED, "no DIMM has been hotplugged");
		return unplug->is_all ? -1 : err_hint(err, "see memhp list");
	}
	if (!unplug->is_all)
		return add_device(unplug, last, err);
	for (i = 0; i < h->machine.devices_count; i++) {
		const struct memdev *d = &h->machine.devices[i];

		if (d->is_hotplugged && is_dimm(d) && add_device(unplug, d, err))
			return -1;
	}
	return 0;
}

/* Which of the guest's blocks are the devices', and can it do without those that are online? */
static int find_blocks(const struct hotplug *h, struct unplug *unplug, struct err *err)
{
	struct block_list wanted = { 0 };
	uint64_t online_blocks = 0;
	unsigned i;

	if (!h->has_guest)
		return 0;
	for (i = 0; i < unplug->leaving_count; i++) {
		const struct memdev *d = unplug->leaving[i].device;
		struct blocks run;

		if ((d->has & MEMDEV_HAS_ADDRESS) &&
		    sysfs_blocks_of(d->address, d->size_bytes, h->before.block_size_bytes, &run))
			block_list_add(&wanted, &run);
	}
	block_list_sort(&wanted);
	block_list_intersect(&unplug->blocks, &h->before.blocks, &wanted);
	block_list_release(&wanted);
	for (i = 0; i < unplug->blocks.count; i++)
		if (blocks_are_online(&unplug->blocks.runs[i]))
			online_blocks +=
				unplug->blocks.runs[i].last - unplug->blocks.runs[i].first + 1;
	return hotplug_check_room(h, online_blocks * h->before.block_size_bytes, err);
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

static char *offline_words(const struct hotplug *h, const struct unplug *unplug)
{
	_cleanup_free_ char *lower = hotplug_lower_words(h, &unplug->blocks);

	return xasprintf("%s;scan", lower);
}

static int offline(struct hotplug *h, struct err *err)
{
	struct unplug *unplug = h->job;
	_cleanup_free_ char *words = NULL;

	if (!unplug->blocks.count)
		return 0;
	words = offline_words(h, unplug);
	if (hotplug_guest(h, words, "take", "offline", err))
		return -1;
	if (check_offline(h, &unplug->blocks, err))
		return -1;
	guest_leave(h->vm->guest);
	return 0;
}

static void offline_show(struct hotplug *h)
{
	struct unplug *unplug = h->job;

	if (unplug->blocks.count)
		hotplug_plan(h, "guest", offline_words(h, unplug));
}

/* Blocks of devices that are gone cannot come back; the others do. */
static int back_online(struct hotplug *h, struct err *err)
{
	struct unplug *unplug = h->job;
	struct block_list there = { 0 };
	int status = 0;
	unsigned i, gone = 0;

	for (i = 0; i < unplug->leaving_count; i++) {
		const struct memdev *d = unplug->leaving[i].device;
		struct blocks run;

		gone += unplug->leaving[i].is_gone;
		if (!unplug->leaving[i].is_gone && h->has_guest && (d->has & MEMDEV_HAS_ADDRESS) &&
		    sysfs_blocks_of(d->address, d->size_bytes, h->before.block_size_bytes, &run))
			block_list_add(&there, &run);
	}
	if (there.count && unplug->blocks.count)
		status = hotplug_restore(h, &there, err);
	block_list_release(&there);
	if (!status && gone)
		status = err_set(err, ERR_PARTIAL, "%u of %u devices are gone", gone,
				 unplug->leaving_count);
	return status;
}

static int release(struct hotplug *h, struct err *err)
{
	struct unplug *unplug = h->job;

	return hotplug_release_devices(h, unplug->leaving, unplug->leaving_count, err);
}

static void release_show(struct hotplug *h)
{
	struct unplug *unplug = h->job;
	unsigned i;

	for (i = 0; i < unplug->leaving_count; i++)
		hotplug_plan_request(h,
				     machine_request_device_del(unplug->leaving[i].device->handle));
	for (i = 0; i < unplug->leaving_count; i++)
		hotplug_plan(h, "event",
			     xasprintf("DEVICE_DELETED %s", unplug->leaving[i].device->handle));
}

static int remove_backends(struct hotplug *h, struct unplug *unplug, struct err *err)
{
	_cleanup_free_ uint64_t *ids = xcalloc(unplug->leaving_count, sizeof(*ids));
	int status = 0;
	unsigned i;

	for (i = 0; i < unplug->leaving_count; i++) {
		const struct leaving *l = &unplug->leaving[i];

		if (l->is_gone && l->backend &&
		    qmp_send(h->vm->qmp, machine_request_object_del(l->backend), &ids[i], err))
			return -1;
	}
	for (i = 0; i < unplug->leaving_count; i++)
		if (ids[i] && qmp_receive(h->vm->qmp, ids[i], NULL, err))
			status = err_wrap(err, "the backend '%s' is left",
					  unplug->leaving[i].backend);
	return status;
}

/* A request once made cannot be taken back: it may still be granted, and those granted are final.
 */
static int release_undo(struct hotplug *h, struct err *err)
{
	struct unplug *unplug = h->job;
	unsigned i;

	if (hotplug_notice_gone(h, unplug->leaving, unplug->leaving_count, err) ||
	    remove_backends(h, unplug, err))
		return -1;
	for (i = 0; i < unplug->leaving_count; i++) {
		const struct leaving *l = &unplug->leaving[i];

		if (l->is_asked && !l->is_gone && !l->is_refused)
			h->outcome = OUTCOME_PENDING;
	}
	return 0;
}

static int remove_step(struct hotplug *h, struct err *err)
{
	struct unplug *unplug = h->job;
	unsigned i;

	if (remove_backends(h, unplug, err))
		return -1;
	/* Nothing of this can be undone. The devices borrowed from the list end here: what is read
	 * back is the list without them. */
	h->steps_begun = 0;
	h->outcome = OUTCOME_PARTIAL;
	for (i = 0; i < unplug->leaving_count; i++)
		unplug->leaving[i].device = NULL;
	return machine_query_devices(&h->machine, h->vm->qmp, err);
}

static void remove_show(struct hotplug *h)
{
	struct unplug *unplug = h->job;
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

/* What the user named, else what was chosen: "memhp0-dimm" */
static void subject(const struct unplug *unplug, struct buf *names)
{
	unsigned i;

	for (i = 0; i < unplug->names_count; i++)
		buf_addf(names, "%s%s", i ? " " : "", unplug->names[i]);
	for (i = 0; !unplug->names_count && i < unplug->leaving_count; i++)
		buf_addf(names, "%s%s", i ? " " : "", memdev_name(unplug->leaving[i].device));
}

static int unplug_all(struct hotplug *h, struct unplug *unplug, struct err *err)
{
	unsigned i;

	if (find_blocks(h, unplug, err))
		return -1;
	for (i = 0; unplug->leaves && i < unplug->leaving_count; i++)
		unplug->leaves(h, unplug->leaving[i].device);
	return hotplug_execute(h, steps, ARRAY_SIZE(steps), err);
}

int hotplug_unplug(struct hotplug *h, struct unplug *unplug, struct err *err)
{
	_cleanup_buf_ struct buf names = { 0 };
	int status;

	h->job = unplug;
	h->ahead = "change";
	status = hotplug_look(h, LOOK_QMP | LOOK_CHANGE, err) || choose_devices(h, unplug, err);
	subject(unplug, &names);
	if (!status && !unplug_all(h, unplug, err))
		return 0;
	return names.len ? err_wrap(err, "cannot unplug '%s'", names.data)
			 : err_wrap(err, "cannot unplug");
}
