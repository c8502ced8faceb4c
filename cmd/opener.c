/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lets a transaction open the sessions of a VM. */
#include "cmd/opener.h"

static int open_qmp(struct view *view, void *context, struct err *err)
{
	struct vm *vm = context;
	int status = vm_open_qmp(vm, err);

	view->qmp = vm->qmp;
	return status;
}

static int open_guest(struct view *view, void *context, struct err *err)
{
	struct vm *vm = context;
	int status = vm_open_guest(vm, err);

	view->guest = vm->guest;
	return status;
}

static int no_channel(void *context, struct err *err)
{
	return vm_no_channel(context, err);
}

struct view_opener opener_of(struct vm *vm)
{
	return (struct view_opener){ .has_monitor = vm_has_monitor(vm),
				     .open_qmp = open_qmp,
				     .open_guest = open_guest,
				     .no_channel = no_channel,
				     .context = vm };
}
