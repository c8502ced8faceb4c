/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The transaction: steps with their undo. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hotplug/blocker.h"
#include "hotplug/transaction.h"
#include "lib/proc.h"
#include "lib/util.h"

void hotplug_init(struct hotplug *h, struct vm *vm)
{
	*h = (struct hotplug){ .vm = vm, .deadline = vm->deadline, .is_pool_safe = true };
	h->phase_start_ms = vm->deadline->start_ms;
	progress_begin(&h->progress, "connect");
}

static void drop_warnings(struct hotplug *h)
{
	while (h->warnings_count)
		free(h->warnings[--h->warnings_count]);
	free(h->warnings);
	h->warnings = NULL;
}

void hotplug_release(struct hotplug *h)
{
	unsigned i;

	machine_release(&h->machine);
	sharing_release(&h->sharing);
	guest_memory_release(&h->before);
	guest_memory_release(&h->after);
	for (i = 0; i < h->plan_count; i++)
		free(h->plan[i].text);
	free(h->plan);
	watch_end(&h->watch);
	drop_warnings(h);
}

void hotplug_restart(struct hotplug *h)
{
	deadline_work(h->deadline);
	h->steps_count = h->steps_begun = h->steps_settled = 0;
	h->movable_added_bytes = h->kernel_added_bytes = 0;
	h->outcome = OUTCOME_UNCHANGED;
	drop_warnings(h);
}

void hotplug_phase(struct hotplug *h, const char *name)
{
	const char *phase = h->progress.phase;
	int64_t now = monotonic_ms();
	unsigned i = 0;

	/* a phase that comes again, as when DIMMs are plugged in several rounds, adds up */
	while (phase && i < h->phases_count && strcmp(h->phases[i].name, phase) != 0)
		i++;
	if (phase && i < PHASES_MAX) {
		h->phases[i].name = phase;
		h->phases[i].ms += now - h->phase_start_ms;
		if (i == h->phases_count)
			h->phases_count++;
	}
	progress_begin(&h->progress, name);
	h->phase_start_ms = now;
}

int64_t hotplug_elapsed_ms(const struct hotplug *h)
{
	return h->phase_start_ms - h->deadline->start_ms;
}

void hotplug_plan(struct hotplug *h, const char *where, char *text)
{
	h->plan = xgrow(h->plan, h->plan_count, sizeof(*h->plan));
	h->plan[h->plan_count++] = (struct plan_line){ where, text };
}

void hotplug_plan_request(struct hotplug *h, struct json_object *request)
{
	hotplug_plan(h, "qmp", xstrdup(json_text(request)));
	json_object_put(request);
}

void hotplug_warn(struct hotplug *h, const char *text)
{
	unsigned i;

	for (i = 0; i < h->warnings_count; i++)
		if (!strcmp(h->warnings[i], text))
			return;
	h->warnings = xgrow(h->warnings, h->warnings_count, sizeof(*h->warnings));
	h->warnings[h->warnings_count++] = xstrdup(text);
}

int hotplug_take_reply(struct hotplug *h, uint64_t *id, struct err *err)
{
	int status = *id ? qmp_receive(h->vm->qmp, *id, NULL, err) : 0;

	if (!status || err->code == ERR_QEMU_REFUSED)
		*id = 0;
	return status;
}

int hotplug_request(struct hotplug *h, struct json_object *request, struct err *err)
{
	uint64_t id;

	if (qmp_send(h->vm->qmp, request, &id, err))
		return -1;
	return qmp_receive(h->vm->qmp, id, NULL, err);
}

bool hotplug_guest_has_ended(const struct hotplug *h)
{
	return watch_has_ended(&h->watch);
}

bool hotplug_notice_stop(struct hotplug *h, const char *event)
{
	return watch_notice_stop(&h->watch, event);
}

int hotplug_check_runs(struct hotplug *h, struct err *err)
{
	return watch_check_runs(&h->watch, err);
}

/* QEMU has ended, and with it all that was to be undone there. */
static void leave_steps(struct hotplug *h)
{
	while (hotplug_can_undo(h)) {
		unsigned i = --h->steps_begun;

		if (h->steps[i].step->leave)
			h->steps[i].step->leave(h, h->steps[i].job);
	}
	h->outcome = OUTCOME_PARTIAL;
}

/* The monitor went away: was that QEMU's end, and not only the connection's? */
static bool face_qemu_end(struct hotplug *h, struct err *err)
{
	if (err->code != ERR_QEMU_UNREACHABLE || !h->qemu_pid || !proc_has_ended(h->qemu_pid))
		return false;
	leave_steps(h);
	err_append(err, "QEMU has ended");
	err_hint(err, "when it was the kernel that killed QEMU, dmesg says so");
	return true;
}

/* Has anything been begun that QEMU is to take back with the help of a guest that starts anew? */
static bool has_qemu_to_undo(const struct hotplug *h)
{
	unsigned i;

	for (i = h->steps_settled; i < h->steps_begun; i++)
		if (!strcmp(h->steps[i].step->phase, "attach") ||
		    !strcmp(h->steps[i].step->phase, "resize"))
			return true;
	return false;
}

/*
 * What the guest's end leaves to do: QEMU may have ended as well, and then nothing is left to undo;
 * else the guest gets the time of one boot to let go of what it had.
 */
static int face_end(struct hotplug *h, struct err *err)
{
	struct err gone = { 0 };

	if (watch_await_rest(&h->watch, has_qemu_to_undo(h), &gone)) {
		leave_steps(h);
		err->code = ERR_QEMU_UNREACHABLE;
		return err_append(err, "QEMU has ended: %s", gone.message);
	}
	h->deadline->final_ms = deadline_within(h->deadline, watch_limit_ms(&h->watch));
	return 0;
}

/* What the undoing has come to; *err is completed. */
static void set_outcome(struct hotplug *h, bool is_whole, bool is_changed, struct err *err)
{
	if (!is_whole) {
		h->outcome = OUTCOME_PARTIAL;
		err_hint(err,
			 hotplug_guest_has_ended(h)
				 ? "when the guest runs again: memhp repair, or memhp list"
				 : "see what is left with: memhp list; memhp repair --dry-run");
	} else if (h->steps_settled) {
		h->outcome = OUTCOME_PARTIAL;
		if (err->code != ERR_INTERRUPTED)
			err->code = ERR_PARTIAL;
	} else if (is_changed && h->outcome != OUTCOME_PENDING && h->outcome != OUTCOME_PARTIAL) {
		h->outcome = OUTCOME_ROLLED_BACK;
	}
}

/* Undo the steps begun, last first. All are tried, whatever fails; *err is completed. */
static void undo_steps(struct hotplug *h, struct err *err)
{
	bool is_whole = true, is_changed = false;

	hotplug_phase(h, "undo");
	deadline_undo(h->deadline);
	h->progress.remark = watch_remark(&h->watch);
	if ((hotplug_guest_has_ended(h) && face_end(h, err)) || face_qemu_end(h, err))
		return;
	h->progress.remark = watch_remark(&h->watch); /* a reset may have followed a panic */
	while (hotplug_can_undo(h)) {
		const struct step *step = h->steps[--h->steps_begun].step;
		struct err left = { 0 };

		if (!step->undo)
			continue;
		is_changed = true;
		watch_go_on(&h->watch);
		if (step->undo(h, h->steps[h->steps_begun].job, &left)) {
			is_whole = false;
			err_append(err, "%s", left.message);
			if (err->code != ERR_INTERRUPTED)
				err->code = ERR_PARTIAL;
		}
	}
	if (h->has_hanging && is_whole && !hotplug_guest_has_ended(h))
		hotplug_explain_held(h, h->hanging_block, err);
	h->has_hanging = false;
	set_outcome(h, is_whole, is_changed, err);
}

int hotplug_undo(struct hotplug *h, struct err *err)
{
	h->outcome = OUTCOME_UNCHANGED;
	undo_steps(h, err);
	return -1;
}

void hotplug_settle(struct hotplug *h)
{
	h->steps_settled = h->steps_begun;
	h->outcome = OUTCOME_PARTIAL;
}

bool hotplug_can_undo(const struct hotplug *h)
{
	return h->steps_begun > h->steps_settled;
}

void hotplug_add_steps(struct hotplug *h, const struct step *steps, unsigned count, void *job)
{
	unsigned i;

	for (i = 0; i < count && h->steps_count < STEPS_MAX; i++) {
		h->steps[h->steps_count].step = &steps[i];
		h->steps[h->steps_count++].job = job;
	}
}

static void show_steps(struct hotplug *h)
{
	unsigned i;

	for (i = 0; i < h->steps_count; i++)
		if (h->steps[i].step->show)
			h->steps[i].step->show(h, h->steps[i].job);
}

/* The first step of the job that step @i belongs to. */
static unsigned job_start(const struct hotplug *h, unsigned i)
{
	while (i && h->steps[i - 1].job == h->steps[i].job)
		i--;
	return i;
}

static int run_steps(struct hotplug *h, struct err *err)
{
	unsigned i = 0;

	while (i < h->steps_count) {
		int status;

		hotplug_phase(h, h->steps[i].step->phase);
		if (h->steps_begun <= i)
			h->steps_begun = i + 1;
		status = h->steps[i].step->run(h, h->steps[i].job, err);
		if (status < 0) {
			undo_steps(h, err);
			return -1;
		}
		i = status ? job_start(h, i) : i + 1;
	}
	h->outcome = OUTCOME_DONE;
	return 0;
}

int hotplug_execute(struct hotplug *h, struct err *err)
{
	if (h->is_dry_run) {
		show_steps(h);
		return 0;
	}
	return run_steps(h, err);
}
