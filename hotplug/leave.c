/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The steps of the job "unplug": take blocks offline, unplug DIMMs, remove backends. */
#include <stdio.h>
#include <stdlib.h>

#include "hotplug/blocks.h"
#include "hotplug/keep-going.h"
#include "hotplug/leave.h"
#include "hotplug/pool.h"
#include "hotplug/room.h"
#include "lib/util.h"

#define NAMES_MAX 8    /* devices that a message names */
#define EJECT_MS  1000 /* from the guest's release of a DIMM until QEMU deletes it */

/* Can the guest do without the blocks that are online? */
static int check_blocks(struct transaction *t, struct unplug *unplug, struct err *err)
{
	unplug_find_blocks(&t->view, unplug);
	return hotplug_check_pool(t, &unplug->blocks, err) ||
			       room_check(t, unplug->leaving, unplug->leaving_count, err)
		       ? -1
		       : 0;
}

static int offline_all(struct transaction *t, struct unplug *unplug, struct err *err)
{
	return hotplug_take_offline(t, &unplug->blocks, err) ||
			       unplug_check_offline(&t->view, &unplug->blocks, err)
		       ? -1
		       : 0;
}

static int offline(struct transaction *t, void *job, struct err *err)
{
	struct unplug *unplug = job;

	if (!unplug->blocks.count)
		return 0;
	if (unplug->is_keep_going ? keep_going_offline(t, unplug, err)
				  : offline_all(t, unplug, err))
		return -1;
	hotplug_restore_floor(t);
	if (!t->view.has_cpusets)
		guest_leave(t->view.guest); /* otherwise the session must stay: it keeps the saved
					       cpusets */
	return 0;
}

static void offline_show(struct transaction *t, void *job)
{
	struct unplug *unplug = job;

	t->is_try = unplug->is_keep_going;
	if (unplug->blocks.count)
		hotplug_take_offline_show(t, &unplug->blocks);
	t->is_try = false;
}

/* Was the guest asked to release it, without an answer so far? */
static bool is_pending(const struct leaving *l)
{
	return l->is_asked && !l->is_gone && !l->is_refused;
}

/* "'x0-dimm', 'x1-dimm', ...": list the devices that are gone, or those pending; returns their
 * number */
static unsigned list_leaving(const struct unplug *unplug, bool is_gone, struct buf *names)
{
	unsigned i, count = 0;

	for (i = 0; i < unplug->leaving_count; i++) {
		const struct leaving *l = &unplug->leaving[i];

		if ((is_gone ? !l->is_gone : !is_pending(l)) || ++count > NAMES_MAX)
			continue;
		buf_addf(names, "%s'%s'", count > 1 ? ", " : "", memdev_name(&l->device));
	}
	if (count > NAMES_MAX)
		buf_addf(names, ", ...");
	return count;
}

/* If some devices are gone: report which, and which may still go. */
static int report_gone(const struct unplug *unplug, struct err *err)
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

/* After the guest has ended or restarted, report which devices QEMU still has: no more is known. */
static int report_left(const struct unplug *unplug, struct err *err)
{
	_cleanup_buf_ struct buf left = { 0 };
	bool may_go = false;
	unsigned i, count = 0;

	for (i = 0; i < unplug->leaving_count; i++) {
		const struct leaving *l = &unplug->leaving[i];

		may_go |= is_pending(l);
		if (!l->is_gone && ++count <= NAMES_MAX)
			buf_addf(&left, "%s'%s'", count > 1 ? ", " : "", memdev_name(&l->device));
	}
	if (!count)
		return 0;
	return err_set(err, ERR_PARTIAL,
		       "%s%s %s still plugged%s, with blocks that are what the guest's next boot "
		       "makes of them",
		       buf_text(&left), count > NAMES_MAX ? ", ..." : "", count > 1 ? "are" : "is",
		       may_go ? " and may still go" : "");
}

/* Restore the blocks of the devices that are still there. */
static int restore(struct transaction *t, const struct unplug *unplug, struct err *err)
{
	struct block_list there = { 0 };
	int status = 0;
	unsigned i;

	for (i = 0; i < unplug->leaving_count; i++) {
		struct blocks run;

		if (!unplug->leaving[i].is_gone &&
		    view_device_blocks(&t->view, &unplug->leaving[i].device, &run))
			block_list_add(&there, &run);
	}
	if (there.count && unplug->blocks.count)
		status = hotplug_restore(t, &there, err);
	block_list_free(&there);
	return status;
}

/* Are more devices gone since the last query? The guest may grant a pending request during the
 * undo. Their backends are removed too. */
static bool have_more_gone(struct transaction *t, struct unplug *unplug)
{
	struct err ignored;
	unsigned i, before = 0, now = 0;

	for (i = 0; i < unplug->leaving_count; i++)
		before += unplug->leaving[i].is_gone;
	if (hotplug_notice_gone(t, unplug->leaving, unplug->leaving_count,
				deadline_within(t->deadline, EJECT_MS), &ignored) ||
	    hotplug_read_gone(&t->view, unplug->leaving, unplug->leaving_count, &ignored) ||
	    hotplug_remove_backends(&t->view, unplug->leaving, unplug->leaving_count, &ignored))
		return false;
	for (i = 0; i < unplug->leaving_count; i++)
		now += unplug->leaving[i].is_gone;
	return now > before;
}

static int back_online(struct transaction *t, void *job, struct err *err)
{
	struct unplug *unplug = job;
	struct err gone = { 0 };
	int status;

	if (transaction_guest_has_ended(t)) {
		status = report_left(unplug, err);
	} else {
		while ((status = restore(t, unplug, err)) && have_more_gone(t, unplug))
			*err = (struct err){ 0 };
	}
	if (!report_gone(unplug, &gone))
		return status || (t->view.has_guest && hotplug_restore_pools(t, err)) ? -1 : 0;
	if (status)
		return err_append(err, "%s", gone.message);
	*err = gone;
	return -1;
}

/* Check for Ctrl-C first: a device_del request cannot be withdrawn. */
static int device_del(struct transaction *t, void *job, struct err *err)
{
	struct unplug *unplug = job;

	if (deadline_poll(t->deadline, NULL, 0, monotonic_ms(), err) < 0)
		return -1;
	return unplug->is_keep_going
		       ? keep_going_device_del(t, unplug, err)
		       : hotplug_device_del(t, unplug->leaving, unplug->leaving_count, err);
}

static void device_del_show(struct transaction *t, void *job)
{
	struct unplug *unplug = job;
	unsigned i;

	for (i = 0; i < unplug->leaving_count; i++)
		transaction_plan_request(
			t, machine_request_device_del(unplug->leaving[i].device.handle));
	for (i = 0; i < unplug->leaving_count; i++)
		transaction_plan(t, "event",
				 xasprintf("DEVICE_DELETED %s", unplug->leaving[i].device.handle));
}

/* A device_del request cannot be withdrawn: a pending one may still be granted, a granted one is
 * final. */
static int device_del_undo(struct transaction *t, void *job, struct err *err)
{
	struct unplug *unplug = job;
	unsigned i;

	if (hotplug_notice_gone(t, unplug->leaving, unplug->leaving_count, 0, err) ||
	    (transaction_guest_has_ended(t) &&
	     hotplug_read_gone(&t->view, unplug->leaving, unplug->leaving_count, err)) ||
	    hotplug_remove_backends(&t->view, unplug->leaving, unplug->leaving_count, err))
		return -1;
	for (i = 0; i < unplug->leaving_count; i++)
		if (is_pending(&unplug->leaving[i]))
			t->outcome = OUTCOME_PENDING;
	return 0;
}

static int report_staying(struct transaction *t, struct unplug *unplug, struct err *err)
{
	_cleanup_buf_ struct buf gone = { 0 };
	unsigned i, count = list_leaving(unplug, true, &gone);

	for (i = 0; unplug->leaves && i < unplug->leaving_count; i++)
		unplug->leaves(unplug, t, &unplug->leaving[i].device);
	if (!stayers_count_against(&unplug->stayers, unplug->is_short))
		return 0;
	stayers_explain(&unplug->stayers, buf_text(&gone), count, err);
	return hotplug_append_losses(&t->view, err);
}

static int remove_step(struct transaction *t, void *job, struct err *err)
{
	struct unplug *unplug = job;
	int status = 0;

	if (hotplug_remove_backends(&t->view, unplug->leaving, unplug->leaving_count, err))
		return -1;
	if (unplug->is_keep_going)
		status = report_staying(t, unplug, err);
	transaction_commit(t); /* none of this can be undone */
	return status ? -1 : machine_query_devices(&t->view.machine, t->view.qmp, err);
}

static void remove_show(struct transaction *t, void *job)
{
	struct unplug *unplug = job;
	unsigned i;

	for (i = 0; i < unplug->leaving_count; i++)
		if (unplug->leaving[i].backend)
			transaction_plan_request(
				t, machine_request_object_del(unplug->leaving[i].backend));
}

static const struct step steps[] = {
	{ "offline", offline, back_online, offline_show, NULL },
	{ "release", device_del, device_del_undo, device_del_show, NULL },
	{ "remove", remove_step, NULL, remove_show, NULL },
};

int leave_prepare(struct transaction *t, struct unplug *unplug, struct err *err)
{
	unsigned i;

	for (i = 0; unplug->leaves && !unplug->is_keep_going && i < unplug->leaving_count; i++)
		unplug->leaves(unplug, t, &unplug->leaving[i].device);
	if (unplug->is_keep_going && keep_going_admit(t, unplug, err))
		return -1;
	if (t->view.has_guest && !unplug->is_keep_going && check_blocks(t, unplug, err))
		return -1;
	transaction_add_steps(t, steps, ARRAY_SIZE(steps), unplug);
	return 0;
}
