/* SPDX-License-Identifier: GPL-3.0-or-later */
/* All VMs at once. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fleet.h"
#include "json.h"
#include "util.h"
#include "vm.h"

/* All are asked at the same time: one that is busy costs no more than this, however many are. */
#define GREETING_MS 500
#define ANSWER_MS   2000

static void vm_release(struct fleet_vm *vm)
{
	unsigned i;

	for (i = 0; i < vm->sessions_count; i++)
		qmp_close(vm->sessions[i]);
	free(vm->channel);
	free(vm->problem);
}

void fleet_release(struct fleet *fleet)
{
	unsigned i;

	for (i = 0; i < fleet->count; i++)
		vm_release(&fleet->vms[i]);
	free(fleet->vms);
}

static bool has_monitor(const struct qemu *qemu, const char *address)
{
	unsigned i;

	if (address && !strncmp(address, "unix:", 5))
		address += 5;
	for (i = 0; address && i < qemu->line.monitors_count; i++)
		if (!strcmp(qemu->line.monitors[i], address))
			return true;
	return false;
}

/* The profile that means this process: by the name of the VM, or by its monitor. */
static const struct profile *profile_of(const struct config *config, const struct qemu *qemu)
{
	unsigned i;

	for (i = 0; i < config->count; i++) {
		const struct profile *p = &config->profiles[i];
		const char *address = profile_get(p, "qmp");

		if (address ? has_monitor(qemu, address)
			    : qemu->line.name && !strcmp(p->name, qemu->line.name))
			return p;
	}
	return NULL;
}

static struct fleet_vm *add_vm(struct fleet *fleet)
{
	fleet->vms = xgrow(fleet->vms, fleet->count, sizeof(*fleet->vms));
	fleet->vms[fleet->count] = (struct fleet_vm){ 0 };
	return &fleet->vms[fleet->count++];
}

static bool is_shown(const struct fleet *fleet, const struct profile *profile)
{
	unsigned i;

	for (i = 0; i < fleet->count; i++)
		if (fleet->vms[i].profile && !strcmp(fleet->vms[i].profile->name, profile->name))
			return true;
	return false;
}

void fleet_gather(struct fleet *fleet, const struct qemu_list *found, const struct config *config)
{
	unsigned i;

	for (i = 0; i < found->count; i++) {
		const struct qemu *qemu = &found->list[i];
		struct fleet_vm *vm;

		if (!qemu->line.monitors_count)
			continue;
		vm = add_vm(fleet);
		vm->qemu = qemu;
		vm->monitor = qemu->line.monitors[0];
		vm->profile = qemu->uid == geteuid() ? profile_of(config, qemu) : NULL;
	}
	for (i = 0; i < config->count; i++) {
		struct fleet_vm *vm;

		if (is_shown(fleet, &config->profiles[i]))
			continue;
		vm = add_vm(fleet);
		vm->profile = &config->profiles[i];
		vm->monitor = profile_get(vm->profile, "qmp");
	}
}

/* Of several monitors, what is wrong with the first is told. */
static void note_problem(struct fleet_vm *vm, const struct err *err)
{
	if (!vm->problem)
		vm->problem = xstrdup(err->message);
}

/* Of the profiles only those are asked whose monitor is a socket on this machine. */
static void connect_to(struct fleet_vm *vm, struct deadline *moment)
{
	unsigned i, count = vm->qemu ? vm->qemu->line.monitors_count : 1;

	for (i = 0; i < count; i++) {
		const char *address = vm->qemu ? vm->qemu->line.monitors[i] : vm->monitor;
		struct qmp **session = &vm->sessions[vm->sessions_count];
		struct err err = { 0 };
		int status;

		if (vm->qemu)
			status = discover_connect(session, vm->qemu, address, NULL, moment, &err);
		else if (address && (address[0] == '/' || !strncmp(address, "unix:", 5)))
			status = qmp_connect(session, address, NULL, moment, &err);
		else
			return;
		if (status)
			note_problem(vm, &err);
		else
			vm->addresses[vm->sessions_count++] = address;
	}
}

static int ask_qemu(struct fleet_vm *vm, struct qmp *qmp, struct err *err)
{
	_cleanup_json_ struct json_object *sizes = NULL;
	bool in_use;

	if (qmp_execute(qmp, "query-memory-size-summary", NULL, &sizes, err) ||
	    vm_find_channel(qmp, &vm->channel, &in_use, err))
		return -1;
	vm->is_known = json_get_u64(sizes, "plugged-memory", &vm->plugged_bytes);
	return 0;
}

/* Ask the first monitor that greets; -1 when the user has interrupted. */
static int ask_vm(struct fleet_vm *vm, int64_t until_ms)
{
	unsigned i;

	for (i = 0; i < vm->sessions_count; i++) {
		struct qmp *qmp = vm->sessions[i];
		struct err err = { 0 };

		if (!qmp_start(qmp, until_ms, &err) && !ask_qemu(vm, qmp, &err)) {
			vm->monitor = vm->addresses[i];
			free(vm->problem);
			vm->problem = NULL;
			return 0;
		}
		if (err.code == ERR_INTERRUPTED)
			return -1;
		note_problem(vm, &err);
	}
	return 0;
}

int fleet_ask(struct fleet *fleet, struct deadline *deadline, struct err *err)
{
	struct deadline moment = *deadline;
	int64_t until_ms;
	unsigned i;

	moment.work_ms = moment.final_ms = deadline_within(deadline, ANSWER_MS);
	for (i = 0; i < fleet->count; i++)
		connect_to(&fleet->vms[i], &moment);
	until_ms = deadline_within(&moment, GREETING_MS);
	for (i = 0; i < fleet->count; i++)
		if (ask_vm(&fleet->vms[i], until_ms))
			return err_set(err, ERR_INTERRUPTED, "interrupted");
	return 0;
}

const char *fleet_vm_name(const struct fleet_vm *vm)
{
	if (vm->profile)
		return vm->profile->name;
	return vm->qemu ? vm->qemu->line.name : NULL;
}

const char *fleet_vm_guest(const struct fleet_vm *vm)
{
	const char *guest = vm->profile ? profile_get(vm->profile, "guest") : NULL;

	if (!guest)
		guest = vm->channel;
	return !guest && vm->qemu && !vm->is_known ? vm->qemu->line.serial : guest;
}
