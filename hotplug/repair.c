/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Complete or undo what was left half done. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hotplug/leave.h"
#include "hotplug/repair.h"
#include "lib/util.h"
#include "qemu/device-event.h"

#define ROUNDS_MAX 8	/* far more than can be uncovered one by one */
#define MOVING_MS  1000 /* within this, a guest at work shows progress */

/* Free the prepared jobs; the findings stay. */
static void jobs_free(struct repair *r)
{
	change_free(&r->change);
	unplug_free(&r->unplug);
	vmem_free(&r->vmem);
	r->change = (struct change){ .is_online = true };
	r->unplug = (struct unplug){ 0 };
	r->vmem = (struct vmem){ 0 };
}

void repair_free(struct repair *r)
{
	findings_free(&r->due);
	findings_free(&r->tried);
	findings_free(&r->all);
	buf_free(&r->mixed);
	jobs_free(r);
}

static void add_online(const struct view *v, struct repair *r, const struct memdev *d)
{
	struct block_list found = view_found_blocks(v, &v->before, d);
	unsigned i;

	for (i = 0; i < found.count; i++)
		if (blocks_are_offline(&found.runs[i]))
			block_list_add(&r->change.blocks, &found.runs[i]);
	block_list_free(&found);
}

/* A growing device continues in the zone of its other blocks, unless the devices differ in that. */
static void add_resize(struct view *v, struct repair *r, const struct memdev *d)
{
	bool is_first = !r->vmem.devices_count, is_mixed = false;
	enum zone zone = zone_begun(v, d, &is_mixed);

	r->vmem.zone = is_first || r->vmem.zone == zone ? zone : ZONE_AUTO;
	vmem_add(v, &r->vmem, d, d->requested_bytes);
}

static int prepare_device(struct view *v, struct repair *r, const struct finding *f,
			  struct err *err)
{
	const struct memdev *d = machine_device(&v->machine, f->id);

	if (!d)
		return err_set(err, ERR_FAILED, "'%s' is gone", f->id);
	switch (f->action) {
	case ACTION_ONLINE:
		add_online(v, r, d);
		return 0;
	case ACTION_UNPLUG:
		return unplug_add(&r->unplug, d, err);
	case ACTION_ACCEPT_SIZE:
		vmem_add(v, &r->vmem, d, d->size_bytes);
		return 0;
	case ACTION_RESIZE:
		add_resize(v, r, d);
		return 0;
	case ACTION_NONE:
	case ACTION_REMOVE:
		break;
	}
	return 0;
}

static int remove_backends(struct transaction *t, void *job, struct err *err)
{
	const struct repair *r = job;
	unsigned i;

	for (i = 0; i < r->due.count; i++)
		if (r->due.list[i].action == ACTION_REMOVE &&
		    transaction_request(t, machine_request_object_del(r->due.list[i].id), err))
			return err_wrap(err, "the backend '%s' is left", r->due.list[i].id);
	return 0;
}

static void remove_show(struct transaction *t, void *job)
{
	const struct repair *r = job;
	unsigned i;

	for (i = 0; i < r->due.count; i++)
		if (r->due.list[i].action == ACTION_REMOVE)
			transaction_plan_request(t, machine_request_object_del(r->due.list[i].id));
}

/* What is repaired stays, even if something else fails. */
static int commit(struct transaction *t, void *job, struct err *err)
{
	(void)job, (void)err;
	transaction_commit(t);
	return 0;
}

static const struct step remove_steps[] = { { "remove", remove_backends, NULL, remove_show,
					      NULL } };
static const struct step commit_steps[] = { { "settle", commit, NULL, NULL, NULL } };

static bool has_removals(const struct repair *r)
{
	unsigned i;

	for (i = 0; i < r->due.count; i++)
		if (r->due.list[i].action == ACTION_REMOVE)
			return true;
	return false;
}

static int prepare(struct transaction *t, struct repair *r, struct err *err)
{
	unsigned i;

	for (i = 0; i < r->due.count; i++)
		if (r->due.list[i].kind != FINDING_BACKEND &&
		    prepare_device(&t->view, r, &r->due.list[i], err))
			return -1;
	if (has_removals(r)) {
		transaction_add_steps(t, remove_steps, ARRAY_SIZE(remove_steps), r);
		transaction_add_steps(t, commit_steps, ARRAY_SIZE(commit_steps), r);
	}
	if (r->vmem.devices_count) {
		vmem_prepare(t, &r->vmem);
		transaction_add_steps(t, commit_steps, ARRAY_SIZE(commit_steps), r);
	}
	if (r->change.blocks.count) {
		change_prepare(t, &r->change);
		if (r->change.mixed.len)
			buf_addf(&r->mixed, "%s%s", r->mixed.len ? " " : "", r->change.mixed.data);
		transaction_add_steps(t, commit_steps, ARRAY_SIZE(commit_steps), r);
	}
	return r->unplug.leaving_count ? leave_prepare(t, &r->unplug, err) : 0;
}

/* The context of the wait for a DIMM that is being plugged or unplugged. */
struct moving {
	const struct transaction *t;
	const struct repair *r;
};

static bool has_arrived(const char *name, struct json_object *data, void *context)
{
	const struct moving *moving = context;
	unsigned i;

	for (i = 0; i < moving->r->due.count; i++) {
		const struct finding *f = &moving->r->due.list[i];
		const struct memdev *d = machine_device(&moving->t->view.machine, f->id);
		char why[128];

		if (d && findings_is_absent(f) &&
		    (device_event_read(name, data, d, false, why, sizeof(why)) ==
			     DEVICE_EVENT_INSERTED ||
		     device_event_read(name, data, d, true, why, sizeof(why)) ==
			     DEVICE_EVENT_DELETED))
			return true;
	}
	return false;
}

static bool has_absent(const struct repair *r)
{
	unsigned i;

	for (i = 0; i < r->due.count; i++)
		if (findings_is_absent(&r->due.list[i]))
			return true;
	return false;
}

static int query_once(struct transaction *t, struct repair *r, struct err *err)
{
	if (transaction_query(t, QUERY_QEMU | QUERY_CHANGE, err))
		return -1;
	return findings_collect(&r->due, t, r->direction, r->is_all, err);
}

/* A DIMM without blocks may just have been plugged or released: as long as the guest answers about
 * such DIMMs, query again. */
static int wait_moving(struct transaction *t, struct repair *r, struct err *err)
{
	struct moving moving = { t, r };
	int ready = 1;

	while (ready > 0 && has_absent(r)) {
		_cleanup_json_ struct json_object *event = NULL;

		ready = qmp_wait_event(t->view.qmp, has_arrived, &moving,
				       deadline_within(t->deadline, MOVING_MS), &event, err);
		if (ready < 0 || query_once(t, r, err))
			return -1;
	}
	return 0;
}

static int query_findings(struct transaction *t, struct repair *r, struct err *err)
{
	unsigned i;

	if (query_once(t, r, err))
		return -1;
	if (!r->has_waited && has_absent(r)) {
		r->has_waited = true;
		if (wait_moving(t, r, err))
			return -1;
	}
	for (i = 0; i < r->due.count; i++)
		findings_add(&r->all, &r->due.list[i]);
	return 0;
}

static int act(struct transaction *t, struct repair *r, struct err *err)
{
	int status;

	jobs_free(r);
	transaction_restart(t);
	status = prepare(t, r, err) || transaction_run(t, err) ? -1 : 0;
	r->is_changed |= t->outcome != OUTCOME_UNCHANGED && t->outcome != OUTCOME_ROLLED_BACK;
	return status;
}

/* May another query lead to a different result? */
static bool can_go_on(const struct transaction *t, const struct err *err)
{
	if (transaction_guest_has_ended(t))
		return false;
	return err->code == ERR_FAILED || err->code == ERR_QEMU_REFUSED ||
	       err->code == ERR_GUEST_REFUSED || err->code == ERR_PARTIAL;
}

/* 0: everything due was tried; 1: nothing is due any more; -1: nothing more can be done */
static int repair_round(struct transaction *t, struct repair *r, struct err *err)
{
	int status;

	if (query_findings(t, r, err))
		return -1;
	if (!findings_due(&r->due)) {
		t->outcome = OUTCOME_DONE;
		return 1;
	}
	if (findings_equal(&r->due, &r->tried) || r->rounds++ == ROUNDS_MAX) {
		*err = r->failure;
		return -1;
	}
	err_set(&r->failure, ERR_FAILED, "'%s' is as it was before", r->due.list[0].id);
	status = act(t, r, err);
	if (status && !can_go_on(t, err))
		return -1;
	if (status)
		r->failure = *err;
	findings_free(&r->tried);
	r->tried = r->due;
	r->due = (struct findings){ 0 };
	return t->is_dry_run ? (status ? -1 : 1) : 0;
}

int hotplug_repair(struct transaction *t, struct repair *r, struct err *err)
{
	int status;

	t->view.preload = VERB_BIT(VERB_OFFLINE);
	t->view.is_taking = true;
	do
		status = repair_round(t, r, err);
	while (!status);
	if (status > 0)
		return 0;
	if (r->is_changed && t->outcome != OUTCOME_PENDING) {
		t->outcome = OUTCOME_PARTIAL;
		if (err->code != ERR_INTERRUPTED)
			err->code = ERR_PARTIAL;
	}
	return err_wrap(err, "cannot repair");
}
