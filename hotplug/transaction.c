/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The transaction: steps and their undo. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest/by-hand.h"
#include "hotplug/blocker.h"
#include "hotplug/transaction.h"
#include "lib/proc.h"
#include "lib/util.h"

void transaction_init(struct transaction *t, struct view_opener opener, struct deadline *deadline)
{
	*t = (struct transaction){ .view.opener = opener,
				   .deadline = deadline,
				   .is_pool_safe = true };
	t->phase_start_ms = deadline->start_ms;
	progress_begin(&t->progress, "connect");
}

static void drop_warnings(struct transaction *t)
{
	while (t->warnings_count)
		free(t->warnings[--t->warnings_count]);
	free(t->warnings);
	t->warnings = NULL;
}

void transaction_free(struct transaction *t)
{
	unsigned i;

	view_free(&t->view);
	for (i = 0; i < t->plan_count; i++)
		free(t->plan[i].text);
	free(t->plan);
	watch_end(&t->watch);
	drop_warnings(t);
}

void transaction_restart(struct transaction *t)
{
	deadline_work(t->deadline);
	t->steps_count = t->steps_begun = t->steps_committed = 0;
	t->movable_added_bytes = t->kernel_added_bytes = 0;
	t->outcome = OUTCOME_UNCHANGED;
	drop_warnings(t);
}

void transaction_phase(struct transaction *t, const char *name)
{
	const char *phase = t->progress.phase;
	int64_t now = monotonic_ms();
	unsigned i = 0;

	/* a phase that recurs, such as in several rounds of DIMMs, adds up */
	while (phase && i < t->phases_count && strcmp(t->phases[i].name, phase) != 0)
		i++;
	if (phase && i < PHASES_MAX) {
		t->phases[i].name = phase;
		t->phases[i].ms += now - t->phase_start_ms;
		if (i == t->phases_count)
			t->phases_count++;
	}
	progress_begin(&t->progress, name);
	t->phase_start_ms = now;
}

int64_t transaction_elapsed_ms(const struct transaction *t)
{
	return t->phase_start_ms - t->deadline->start_ms;
}

void transaction_plan(struct transaction *t, const char *where, char *text)
{
	t->plan = xgrow(t->plan, t->plan_count, sizeof(*t->plan));
	t->plan[t->plan_count++] = (struct plan_line){ where, text };
}

void transaction_plan_guest(struct transaction *t, const struct request *r)
{
	unsigned i;

	for (i = 0; i < r->count; i++) {
		char *line = by_hand(&r->list[i]);

		if (line)
			transaction_plan(t, "guest", line);
	}
}

void transaction_plan_request(struct transaction *t, struct json_object *request)
{
	transaction_plan(t, "qmp", xstrdup(json_text(request)));
	json_object_put(request);
}

void transaction_warn(struct transaction *t, const char *text)
{
	unsigned i;

	for (i = 0; i < t->warnings_count; i++)
		if (!strcmp(t->warnings[i], text))
			return;
	t->warnings = xgrow(t->warnings, t->warnings_count, sizeof(*t->warnings));
	t->warnings[t->warnings_count++] = xstrdup(text);
}

int transaction_take_reply(struct transaction *t, uint64_t *id, struct err *err)
{
	int status = *id ? qmp_receive(t->view.qmp, *id, NULL, err) : 0;

	if (!status || err->code == ERR_QEMU_REFUSED)
		*id = 0;
	return status;
}

int transaction_request(struct transaction *t, struct json_object *request, struct err *err)
{
	uint64_t id;

	if (qmp_send(t->view.qmp, request, &id, err))
		return -1;
	return qmp_receive(t->view.qmp, id, NULL, err);
}

bool transaction_guest_has_ended(const struct transaction *t)
{
	return watch_has_ended(&t->watch);
}

bool transaction_notice_stop(struct transaction *t, const char *event)
{
	return watch_notice_stop(&t->watch, event);
}

int transaction_check_runs(struct transaction *t, struct err *err)
{
	return watch_check_runs(&t->watch, err);
}

static int check_machine(const struct transaction *t, struct err *err)
{
	const struct machine *m = &t->view.machine;

	if (machine_check_runs(m, err))
		return -1;
	if (m->migration) {
		err_set(err, ERR_FAILED,
			"the VM is migrating (%s): QEMU refuses hotplug until it is done",
			m->migration);
		return err_hint(err,
				"wait for the end of the migration, or memhp qmp migrate_cancel");
	}
	return 0;
}

static int cannot_change(const struct transaction *t, struct err *err)
{
	if (t->view.before.is_agent_only) {
		err_set(err, ERR_GUEST_UNREACHABLE,
			"the guest agent allows neither guest-exec nor guest-set-memory-blocks");
		return err_hint(err, "allow one in the guest's /etc/qemu/qemu-ga.conf, or use "
				     "--guest serial:PATH or ssh:HOST");
	}
	err_set(err, ERR_GUEST_UNREACHABLE, "the guest's shell is not root");
	return err_hint(err, "memory blocks can be changed only by root in the guest");
}

/* The guest is unreachable, as *err says: QEMU may have ended or stopped the VM since. */
static int ask_why(struct transaction *t, struct err *err)
{
	struct err answer = { 0 };

	if (err->code != ERR_GUEST_UNREACHABLE || !t->view.has_machine ||
	    transaction_guest_has_ended(t))
		return -1;
	if (machine_query_state(&t->view.machine, t->view.qmp, &answer)) {
		if (answer.code == ERR_TIMEOUT)
			return -1;
		t->view.has_machine = false;
		*err = answer;
	} else if (machine_check_runs(&t->view.machine, &answer)) {
		*err = answer;
	}
	return -1;
}

static int query_guest(struct transaction *t, unsigned what, struct err *err)
{
	if (view_query_guest(&t->view, err))
		return -1;
	return (what & QUERY_CHANGE) && t->view.has_guest && !t->view.before.is_root
		       ? cannot_change(t, err)
		       : 0;
}

int transaction_query(struct transaction *t, unsigned what, struct err *err)
{
	struct view *v = &t->view;

	view_clear(v);
	if ((what & QUERY_QEMU) || v->opener.has_monitor) {
		if (view_query_machine(v, err) ||
		    watch_begin(&t->watch, v, t->deadline, &t->progress, err) ||
		    ((what & QUERY_CHANGE) && check_machine(t, err)))
			return -1;
	}
	transaction_phase(t, "look");
	if (v->has_machine && !v->machine.is_running)
		return what & QUERY_GUEST ? check_machine(t, err) : 0;
	if (query_guest(t, what, err))
		return ask_why(t, err);
	return (what & QUERY_GUEST) && !v->has_guest ? v->opener.no_channel(v->opener.context, err)
						     : 0;
}

/* QEMU has ended, and with it everything there was to undo in it. */
static void leave_steps(struct transaction *t)
{
	while (transaction_can_undo(t)) {
		unsigned i = --t->steps_begun;

		if (t->steps[i].step->leave)
			t->steps[i].step->leave(t, t->steps[i].job);
	}
	t->outcome = OUTCOME_PARTIAL;
}

/* The monitor is gone: has QEMU ended, or only the connection? */
static bool handle_qemu_end(struct transaction *t, struct err *err)
{
	if (err->code != ERR_QEMU_UNREACHABLE || !t->view.qemu_pid ||
	    !proc_has_ended(t->view.qemu_pid))
		return false;
	leave_steps(t);
	err_append(err, "QEMU has ended");
	err_hint(err, "if the kernel killed QEMU, dmesg says so");
	return true;
}

/* Is there anything to undo in QEMU that needs a restarted guest? */
static bool has_qemu_to_undo(const struct transaction *t)
{
	unsigned i;

	for (i = t->steps_committed; i < t->steps_begun; i++)
		if (!strcmp(t->steps[i].step->phase, "attach") ||
		    !strcmp(t->steps[i].step->phase, "resize"))
			return true;
	return false;
}

/*
 * Handle the guest's end. If QEMU has ended as well, nothing is left to undo; else the guest gets
 * the time of one boot to release its devices.
 */
static int handle_guest_end(struct transaction *t, struct err *err)
{
	struct err gone = { 0 };

	if (watch_await_rest(&t->watch, has_qemu_to_undo(t), &gone)) {
		leave_steps(t);
		err->code = ERR_QEMU_UNREACHABLE;
		return err_append(err, "QEMU has ended: %s", gone.message);
	}
	t->deadline->final_ms = deadline_within(t->deadline, watch_limit_ms(&t->watch));
	return 0;
}

/* Set the outcome after the undo; completes *err. */
static void set_outcome(struct transaction *t, bool is_whole, bool is_changed, struct err *err)
{
	if (!is_whole) {
		t->outcome = OUTCOME_PARTIAL;
		err_hint(err,
			 transaction_guest_has_ended(t)
				 ? "when the guest runs again: memhp repair, or memhp list"
				 : "see what is left with: memhp list; memhp repair --dry-run");
	} else if (t->steps_committed) {
		t->outcome = OUTCOME_PARTIAL;
		if (err->code != ERR_INTERRUPTED)
			err->code = ERR_PARTIAL;
	} else if (is_changed && t->outcome != OUTCOME_PENDING && t->outcome != OUTCOME_PARTIAL) {
		t->outcome = OUTCOME_ROLLED_BACK;
	}
}

/* Undo the steps begun, last first. All are tried even if one fails; completes *err. */
static void undo_steps(struct transaction *t, struct err *err)
{
	bool is_whole = true, is_changed = false;

	transaction_phase(t, "undo");
	deadline_undo(t->deadline);
	t->progress.remark = watch_remark(&t->watch);
	if ((transaction_guest_has_ended(t) && handle_guest_end(t, err)) || handle_qemu_end(t, err))
		return;
	t->progress.remark = watch_remark(&t->watch); /* a reset may have followed a panic */
	while (transaction_can_undo(t)) {
		const struct step *step = t->steps[--t->steps_begun].step;
		struct err left = { 0 };

		if (!step->undo)
			continue;
		is_changed = true;
		watch_go_on(&t->watch);
		if (step->undo(t, t->steps[t->steps_begun].job, &left)) {
			is_whole = false;
			err_append(err, "%s", left.message);
			if (err->code != ERR_INTERRUPTED)
				err->code = ERR_PARTIAL;
		}
	}
	if (t->has_hanging && is_whole && !transaction_guest_has_ended(t))
		hotplug_explain_blocker(t, t->hanging_block, err);
	t->has_hanging = false;
	set_outcome(t, is_whole, is_changed, err);
}

int transaction_undo(struct transaction *t, struct err *err)
{
	t->outcome = OUTCOME_UNCHANGED;
	undo_steps(t, err);
	return -1;
}

void transaction_commit(struct transaction *t)
{
	t->steps_committed = t->steps_begun;
	t->outcome = OUTCOME_PARTIAL;
}

bool transaction_can_undo(const struct transaction *t)
{
	return t->steps_begun > t->steps_committed;
}

void transaction_add_steps(struct transaction *t, const struct step *steps, unsigned count,
			   void *job)
{
	unsigned i;

	for (i = 0; i < count && t->steps_count < STEPS_MAX; i++) {
		t->steps[t->steps_count].step = &steps[i];
		t->steps[t->steps_count++].job = job;
	}
}

static void show_steps(struct transaction *t)
{
	unsigned i;

	for (i = 0; i < t->steps_count; i++)
		if (t->steps[i].step->show)
			t->steps[i].step->show(t, t->steps[i].job);
}

/* The first step of the job that step @i belongs to. */
static unsigned job_start(const struct transaction *t, unsigned i)
{
	while (i && t->steps[i - 1].job == t->steps[i].job)
		i--;
	return i;
}

static int run_steps(struct transaction *t, struct err *err)
{
	unsigned i = 0;

	while (i < t->steps_count) {
		int status;

		transaction_phase(t, t->steps[i].step->phase);
		if (t->steps_begun <= i)
			t->steps_begun = i + 1;
		status = t->steps[i].step->run(t, t->steps[i].job, err);
		if (status < 0) {
			undo_steps(t, err);
			return -1;
		}
		i = status ? job_start(t, i) : i + 1;
	}
	t->outcome = OUTCOME_DONE;
	return 0;
}

int transaction_run(struct transaction *t, struct err *err)
{
	if (t->is_dry_run) {
		show_steps(t);
		return 0;
	}
	return run_steps(t, err);
}
