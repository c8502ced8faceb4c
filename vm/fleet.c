/* SPDX-License-Identifier: GPL-3.0-or-later */
/* All VMs at once. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/util.h"
#include "vm/fleet.h"
#include "vm/inquiry.h"

static void vm_free(struct fleet_vm *vm)
{
	free(vm->console);
	free(vm->channel);
	free(vm->channel_problem);
	free(vm->problem);
}

void fleet_free(struct fleet *fleet)
{
	unsigned i;

	for (i = 0; i < fleet->count; i++)
		vm_free(&fleet->vms[i]);
	free(fleet->vms);
}

/* A console at a UNIX socket, as a channel; the caller frees it. */
static char *console_of(const struct qemu *qemu)
{
	const struct address *console = &qemu->line.console;

	if (console->kind != ADDRESS_UNIX || (console->path[0] != '/' && !console->is_abstract))
		return NULL;
	return xasprintf("serial:%s", console->path);
}

static bool has_monitor(const struct qemu *qemu, const struct address *address)
{
	unsigned i;

	for (i = 0; i < qemu->line.monitors_count; i++)
		if (address_is_same(&qemu->line.monitors[i], address))
			return true;
	return false;
}

/* The profile of this process, by the VM's name or by its monitor. */
static const struct profile *profile_of(const struct config *config, const struct qemu *qemu)
{
	unsigned i;

	for (i = 0; i < config->count; i++) {
		const struct profile *p = &config->profiles[i];

		if (p->monitor.kind ? has_monitor(qemu, &p->monitor)
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
		vm->console = console_of(qemu);
		vm->profile = qemu->uid == geteuid() ? profile_of(config, qemu) : NULL;
	}
	for (i = 0; i < config->count; i++) {
		struct fleet_vm *vm;

		if (is_shown(fleet, &config->profiles[i]))
			continue;
		vm = add_vm(fleet);
		vm->profile = &config->profiles[i];
		vm->monitor = vm->profile->monitor;
	}
}

/* Query a VM; one that only has a profile, only if its monitor is a socket on this machine. */
static void ask_about(struct inquiries *all, const struct fleet_vm *vm, unsigned i)
{
	unsigned m;

	for (m = 0; vm->qemu && m < vm->qemu->line.monitors_count; m++)
		inquiry_start(all, i, vm->qemu, &vm->qemu->line.monitors[m]);
	if (!vm->qemu && vm->monitor.kind == ADDRESS_UNIX)
		inquiry_start(all, i, NULL, &vm->monitor);
}

/* The first monitor that has answered counts; if none has, the first one's problem is kept. */
static void take_answer(struct fleet_vm *vm, const struct inquiry *inquiry)
{
	if (vm->is_known)
		return;
	if (inquiry->is_known) {
		vm->is_known = true;
		vm->monitor = *inquiry->address;
		vm->plugged_bytes = inquiry->plugged_bytes;
		vm->channel = inquiry->channel ? xstrdup(inquiry->channel) : NULL;
		if (inquiry->channel_problem)
			vm->channel_problem = xstrdup(inquiry->channel_problem);
		free(vm->problem);
		vm->problem = NULL;
	} else if (!vm->problem) {
		vm->problem = xstrdup(inquiry->problem);
	}
}

int fleet_ask(struct fleet *fleet, struct deadline *deadline, struct err *err)
{
	struct inquiries all = { 0 };
	unsigned i;
	int status;

	for (i = 0; i < fleet->count; i++)
		ask_about(&all, &fleet->vms[i], i);
	status = inquiries_finish(&all, deadline, err);
	for (i = 0; !status && i < all.count; i++)
		take_answer(&fleet->vms[all.list[i].about], &all.list[i]);
	inquiries_free(&all);
	return status;
}

const char *fleet_vm_name(const struct fleet_vm *vm)
{
	if (vm->profile)
		return vm->profile->name;
	return vm->qemu ? vm->qemu->line.name : NULL;
}

const char *fleet_vm_guest(const struct fleet_vm *vm)
{
	const char *guest = vm->profile ? vm->profile->channel.text : NULL;

	if (!guest)
		guest = vm->channel;
	return !guest && !vm->is_known ? vm->console : guest;
}

const char *fleet_vm_guest_problem(const struct fleet_vm *vm)
{
	return vm->profile && vm->profile->channel.kind ? NULL : vm->channel_problem;
}
