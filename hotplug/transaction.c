/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The transaction: looking, and steps with their undo. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hotplug/blocker.h"
#include "hotplug/look.h"
#include "hotplug/transaction.h"
#include "lib/nearest.h"
#include "lib/procfs.h"
#include "lib/util.h"
#include "qemu/demand.h"

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

static int check_machine(const struct hotplug *h, struct err *err)
{
	const struct machine *m = &h->machine;

	if (machine_check_runs(m, err))
		return -1;
	if (m->migration) {
		err_set(err, ERR_FAILED, "the VM is migrating (%s): QEMU refuses hotplug meanwhile",
			m->migration);
		return err_hint(err,
				"wait for the end of the migration, or memhp qmp migrate_cancel");
	}
	return 0;
}

static int cannot_change(const struct hotplug *h, struct err *err)
{
	if (h->before.is_limited) {
		err_set(err, ERR_GUEST_UNREACHABLE,
			"the guest agent allows neither guest-exec nor guest-set-memory-blocks");
		return err_hint(err, "allow one in the guest's /etc/qemu/qemu-ga.conf, or use "
				     "--guest serial:PATH or ssh:HOST");
	}
	err_set(err, ERR_GUEST_UNREACHABLE, "the guest's shell is not root");
	return err_hint(err, "memory blocks can be changed only by root in the guest");
}

/* The commands of guest.sh for the first look. */
static void add_first_words(const struct hotplug *h, struct buf *words)
{
	/* where the guest does not answer to a DIMM, its device events tell */
	if (h->also && h->has_machine && !h->machine.has_acpi_ost)
		buf_addf(words, "mark;");
	if (h->is_about_devices)
		look_add_devices(words, &h->machine);
	else
		look_add_first(words, h->about);
	if (h->is_taking)
		buf_addf(words, ";pool");
	if (h->also)
		buf_addf(words, ";%s", h->also);
}

static int look_at_guest(struct hotplug *h, unsigned what, struct err *err)
{
	_cleanup_buf_ struct buf words = { 0 };
	struct answer answer = { 0 };
	int status;

	if (vm_open_guest(h->vm, err))
		return -1;
	if (!h->vm->guest)
		return 0;
	if (h->goal_bytes && h->has_machine)
		h->is_taking = h->machine.base_memory_bytes + h->machine.plugged_memory_bytes >
			       h->goal_bytes;
	add_first_words(h, &words);
	/* what the job will need goes over while the guest is busy with the scan */
	status = guest_send(h->vm->guest, words.data, err);
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
	return (what & LOOK_CHANGE) && !h->before.is_root ? cannot_change(h, err) : 0;
}

/* The guest is not there, as *err says: QEMU may have ended itself, or stopped the VM meanwhile. */
static int ask_why(struct hotplug *h, struct err *err)
{
	struct err answer = { 0 };

	if (err->code != ERR_GUEST_UNREACHABLE || !h->has_machine || hotplug_guest_has_ended(h))
		return -1;
	if (machine_query_state(&h->machine, h->vm->qmp, &answer)) {
		if (answer.code == ERR_TIMEOUT)
			return -1;
		h->has_machine = false;
		*err = answer;
	} else if (machine_check_runs(&h->machine, &answer)) {
		*err = answer;
	}
	return -1;
}

/* All that is asked of QEMU goes to it together. */
static int look_at_machine(struct hotplug *h, struct err *err)
{
	bool is_asking = h->is_adding && !h->sharing.is_known;

	if (vm_open_qmp(h->vm, err) || (is_asking && sharing_send(&h->sharing, h->vm->qmp, err)) ||
	    machine_query(&h->machine, h->vm->qmp, err))
		return -1;
	return is_asking ? sharing_receive(&h->sharing, &h->machine, h->vm->qmp, err) : 0;
}

int hotplug_look(struct hotplug *h, unsigned what, struct err *err)
{
	guest_memory_release(&h->after);
	h->has_machine = h->has_guest = false;
	if ((what & LOOK_QMP) || vm_has_monitor(h->vm)) {
		if (look_at_machine(h, err))
			return -1;
		h->has_machine = true;
		h->qemu_pid = qmp_peer_pid(h->vm->qmp);
		if (!demand_is_of(h->qemu_pid, h->machine.base_memory_bytes))
			h->qemu_pid = 0;
		if (watch_begin(&h->watch, h->vm, &h->machine, &h->progress, err))
			return -1;
		if ((what & LOOK_CHANGE) && check_machine(h, err))
			return -1;
	}
	hotplug_phase(h, "look");
	if (h->has_machine && !h->machine.is_running)
		return what & LOOK_GUEST ? check_machine(h, err) : 0;
	if (look_at_guest(h, what, err))
		return ask_why(h, err);
	return (what & LOOK_GUEST) && !h->has_guest ? vm_no_channel(h->vm, err) : 0;
}

const struct guest_memory *hotplug_now(const struct hotplug *h)
{
	return h->after.has || h->after.blocks.count ? &h->after : &h->before;
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
	if (err->code != ERR_QEMU_UNREACHABLE || !h->qemu_pid || !procfs_has_ended(h->qemu_pid))
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

const struct memdev *hotplug_find_device(const struct hotplug *h, const char *name)
{
	const struct memdev *d = machine_device(&h->machine, name);
	_cleanup_free_ char *dimm = xasprintf("%s-dimm", name);
	_cleanup_free_ char *vmem = xasprintf("%s-vmem", name);

	if (!d)
		d = machine_device(&h->machine, dimm);
	return d ? d : machine_device(&h->machine, vmem);
}

int hotplug_hint_device(const struct hotplug *h, const char *name, const char *otherwise,
			struct err *err)
{
	struct nearest nearest = { .word = name };
	unsigned i;

	for (i = 0; i < h->machine.devices_count; i++)
		nearest_offer(&nearest, h->machine.devices[i].id);
	return nearest_hint(&nearest, otherwise, err);
}

bool hotplug_device_blocks(const struct hotplug *h, const struct memdev *d, struct blocks *out)
{
	uint64_t block_bytes = h->before.block_size_bytes, end;

	if (!(d->has & MEMDEV_HAS_ADDRESS) || !block_bytes)
		return false;
	if (!memdev_is_virtio_mem(d))
		return sysfs_blocks_of(d->address, d->size_bytes, block_bytes, out);
	/* virtio-mem: the guest uses whatever whole blocks lie in its part of the address space */
	end = (d->address + d->span_bytes) / block_bytes;
	*out = (struct blocks){ .first = (d->address + block_bytes - 1) / block_bytes,
				.last = end - 1,
				.node = -1,
				.is_removable = -1 };
	return end > out->first;
}

struct block_list hotplug_found_blocks(const struct hotplug *h, const struct guest_memory *g,
				       const struct memdev *d)
{
	struct block_list found = { 0 }, wanted = { 0 };
	struct blocks run;

	if (hotplug_device_blocks(h, d, &run)) {
		block_list_add(&wanted, &run);
		block_list_intersect(&found, &g->blocks, &wanted);
		block_list_release(&wanted);
	}
	return found;
}

char *hotplug_absent_command(const struct memdev *d)
{
	return d->is_hotplugged ? xstrdup("memhp repair")
				: xasprintf("memhp unplug %s", memdev_name(d));
}

enum added hotplug_added(const struct hotplug *h, const struct guest_memory *g,
			 const struct memdev *d)
{
	uint64_t block_bytes = h->before.block_size_bytes, shown;
	struct block_list wanted = { 0 }, found = { 0 };
	struct blocks inner = { .node = -1, .is_removable = -1 };

	if (!h->has_guest || !block_bytes || !memdev_is_dimm(d) || !(d->has & MEMDEV_HAS_ADDRESS))
		return ADDED_UNKNOWN;
	inner.first = (d->address + block_bytes - 1) / block_bytes;
	inner.last = (d->address + d->size_bytes) / block_bytes - 1;
	if (inner.last + 1 > inner.first)
		block_list_add(&wanted, &inner);
	block_list_intersect(&found, &g->blocks, &wanted);
	shown = block_list_blocks(&found);
	block_list_release(&wanted);
	block_list_release(&found);
	if (!shown)
		return ADDED_NOT;
	return shown * block_bytes == d->size_bytes ? ADDED_WHOLE : ADDED_PARTLY;
}
