/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The transaction: looking, and steps with their undo. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hotplug.h"
#include "size.h"
#include "util.h"

void hotplug_init(struct hotplug *h, struct vm *vm)
{
	*h = (struct hotplug){ .vm = vm, .deadline = vm->deadline };
	h->phase_start_ms = vm->deadline->start_ms;
	h->phase = "connect";
}

void hotplug_release(struct hotplug *h)
{
	unsigned i;

	machine_release(&h->machine);
	guest_memory_release(&h->before);
	guest_memory_release(&h->after);
	for (i = 0; i < h->plan_count; i++)
		free(h->plan[i].text);
	free(h->plan);
}

void hotplug_phase(struct hotplug *h, const char *name)
{
	int64_t now = monotonic_ms();

	if (h->phase && h->phases_count < PHASES_MAX) {
		h->phases[h->phases_count].name = h->phase;
		h->phases[h->phases_count++].ms = now - h->phase_start_ms;
	}
	h->phase = name;
	h->phase_start_ms = now;
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

int hotplug_request(struct hotplug *h, struct json_object *request, struct err *err)
{
	uint64_t id;

	if (qmp_send(h->vm->qmp, request, &id, err))
		return -1;
	return qmp_receive(h->vm->qmp, id, NULL, err);
}

static int check_machine(const struct hotplug *h, struct err *err)
{
	const struct machine *m = &h->machine;

	if (!m->is_running) {
		err_set(err, ERR_FAILED, "the VM is %s: its guest cannot answer",
			strcmp(m->status, "prelaunch") ? m->status : "paused (prelaunch)");
		return err_hint(err, "let it run first: memhp qmp cont");
	}
	if (m->migration) {
		err_set(err, ERR_FAILED, "the VM is migrating (%s): QEMU refuses hotplug meanwhile",
			m->migration);
		return err_hint(err,
				"wait for the end of the migration, or memhp qmp migrate_cancel");
	}
	return 0;
}

static int look_at_guest(struct hotplug *h, unsigned what, struct err *err)
{
	struct answer answer = { 0 };
	const char *words = !h->is_holding	      ? "scan"
			    : h->machine.has_acpi_ost ? "scan;hold"
						      : "mark;scan;hold";
	int status;

	if (vm_open_guest(h->vm, err))
		return -1;
	if (!h->vm->guest)
		return 0;
	/* what the job will need goes over while the guest is busy with the scan */
	status = guest_send(h->vm->guest, words, err);
	if (!status && h->ahead)
		status = guest_load(h->vm->guest, h->ahead, err);
	if (!status)
		status = guest_receive(h->vm->guest, &answer, err);
	if (!status)
		status = sysfs_parse(&h->before, answer.lines, answer.count, err);
	answer_release(&answer);
	if (status)
		return err->code == ERR_TIMEOUT ? err_wrap(err, "the guest does not answer") : -1;
	h->has_guest = true;
	if (!h->before.block_size_bytes)
		return err_set(err, ERR_GUEST_UNREACHABLE,
			       "the guest has no /sys/devices/system/memory: no memory hotplug");
	if ((what & LOOK_CHANGE) && !h->before.is_root) {
		err_set(err, ERR_GUEST_UNREACHABLE, "the guest's shell is not root");
		return err_hint(err, "memory blocks can be changed only by root in the guest");
	}
	return 0;
}

int hotplug_look(struct hotplug *h, unsigned what, struct err *err)
{
	if ((what & LOOK_QMP) || h->vm->qmp_address) {
		if (vm_open_qmp(h->vm, err) || machine_query(&h->machine, h->vm->qmp, err))
			return -1;
		h->has_machine = true;
		if ((what & LOOK_CHANGE) && check_machine(h, err))
			return -1;
	}
	hotplug_phase(h, "look");
	if (h->has_machine && !h->machine.is_running)
		return what & LOOK_GUEST ? check_machine(h, err) : 0;
	if (look_at_guest(h, what, err))
		return -1;
	if ((what & LOOK_GUEST) && !h->has_guest) {
		err_set(err, ERR_GUEST_UNREACHABLE, "no channel to the guest");
		return err_hint(
			err, "name one with --guest serial:PATH, ssh:HOST, exec:COMMAND or local");
	}
	return 0;
}

/* Undo the steps begun, last first. All are tried, whatever fails; *err is completed. */
static void undo_steps(struct hotplug *h, struct err *err)
{
	bool is_whole = true, is_changed = false;

	hotplug_phase(h, "undo");
	deadline_undo(h->deadline);
	while (h->steps_begun) {
		const struct step *step = &h->steps[--h->steps_begun];
		struct err left = { 0 };

		if (!step->undo)
			continue;
		is_changed = true;
		if (step->undo(h, &left)) {
			is_whole = false;
			err_append(err, "%s", left.message);
			if (err->code != ERR_INTERRUPTED)
				err->code = ERR_PARTIAL;
		}
	}
	if (!is_whole) {
		h->outcome = OUTCOME_PARTIAL;
		err_hint(err, "see what is left with: memhp list");
	} else if (is_changed && h->outcome != OUTCOME_PENDING) {
		h->outcome = OUTCOME_ROLLED_BACK;
	}
}

int hotplug_undo(struct hotplug *h, struct err *err)
{
	undo_steps(h, err);
	return -1;
}

int hotplug_execute(struct hotplug *h, const struct step *steps, unsigned count, struct err *err)
{
	unsigned i;

	h->steps = steps;
	h->steps_count = count;
	if (h->is_dry_run) {
		for (i = 0; i < count; i++)
			if (steps[i].show)
				steps[i].show(h);
		return 0;
	}
	for (i = 0; i < count; i++) {
		hotplug_phase(h, steps[i].phase);
		h->steps_begun = i + 1;
		if (steps[i].run(h, err)) {
			undo_steps(h, err);
			return -1;
		}
	}
	h->outcome = OUTCOME_DONE;
	return 0;
}

int hotplug_check_room(const struct hotplug *h, uint64_t bytes, struct err *err)
{
	char need[SIZE_TEXT_MAX], have[SIZE_TEXT_MAX];
	uint64_t margin_bytes = UINT64_C(16) << 20;

	if (h->is_forced || !(h->before.has & GUEST_HAS_AVAILABLE) ||
	    h->before.available_bytes >= bytes + margin_bytes)
		return 0;
	err_set(err, ERR_GUEST_REFUSED,
		"the guest uses that memory: to give up %s it has %s available",
		size_format(need, bytes), size_format(have, h->before.available_bytes));
	return err_hint(err, "free memory in the guest first; --force tries anyway");
}

enum zone hotplug_choose_zone(const struct guest_memory *g, uint64_t size_bytes, char *reason,
			      size_t reason_size)
{
	char movable[SIZE_TEXT_MAX], kernel[SIZE_TEXT_MAX];
	uint64_t movable_bytes, kernel_bytes;
	bool fits;

	sysfs_zone_bytes(g, &movable_bytes, &kernel_bytes);
	fits = movable_bytes + size_bytes <= 3 * kernel_bytes;
	snprintf(reason, reason_size, "auto: Movable %s %s 3 x kernel zones' %s",
		 size_format(movable, movable_bytes + size_bytes), fits ? "<=" : ">",
		 size_format(kernel, kernel_bytes));
	return fits ? ZONE_MOVABLE : ZONE_KERNEL;
}
