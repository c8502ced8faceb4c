/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * vm: the virtual machine of a command: its monitor and its guest channel, each opened when first
 * needed. Without --qmp the monitor is found on a running QEMU, without --guest the channel is
 * found by querying QEMU.
 */
#ifndef VM_VM_H
#define VM_VM_H

#include <stdbool.h>

#include "guest/guest.h"
#include "lib/deadline.h"
#include "qmp.h"
#include "vm/channel.h"
#include "vm/dial.h"
#include "vm/remote.h"

struct vm {
	struct address monitor; /* absent: to be found; borrowed */
	const char *name;	/* of the running VM to find; NULL: the only one; borrowed */
	const char *like;	/* a profile with a similar name, for a hint; borrowed */
	bool is_running_named;	/* the user named a running VM: its monitor is wanted */
	struct address channel; /* absent: to be found; borrowed */
	struct channel found;	/* by querying QEMU; owned */
	struct dial dial;	/* how the channel is opened */
	struct login login;	/* on a console; the caller frees it */
	struct trace trace;
	struct deadline *deadline; /* borrowed */
	struct remote *remote;	   /* the ssh connection of "ssh://"; NULL for none */
	pid_t pid;		   /* of QEMU; 0 if unknown, or until the monitor is open */
	pid_t own_pid;		   /* see vm_stay(); 0: any VM will do */
	char *own_name;		   /* NULL if that VM has none; owned */
	struct qmp *qmp;	   /* NULL until opened */
	struct guest *guest;	   /* NULL until opened */
};

/* vm_open_qmp() - find the monitor and connect to it, unless it is open */
int vm_open_qmp(struct vm *vm, struct err *err) __attribute__((warn_unused_result));

/*
 * vm_stay() - keep to this VM from now on if its monitor was named, or found because it was the
 * only VM: the same process or another with its name, whatever else runs later
 */
void vm_stay(struct vm *vm);

/* vm_has_monitor() - should a job that can do without a monitor use it all the same? False if only
 * the guest's channel was named. */
bool vm_has_monitor(const struct vm *vm);

/*
 * vm_open_guest() - connect to the guest, unless it is open; if there is a monitor, call
 * vm_open_qmp() first Return: 0 with vm->guest open, or NULL if no channel was given and none can
 * be found; -1
 */
int vm_open_guest(struct vm *vm, struct err *err) __attribute__((warn_unused_result));

/* vm_no_channel() - set the error that the guest is needed and vm_open_guest() found no channel;
 * returns -1 */
int vm_no_channel(const struct vm *vm, struct err *err);

/* vm_channel() - the address of the guest's channel; NULL for none; owned by @vm */
const struct address *vm_channel(const struct vm *vm);

/* vm_ssh_address() - the channel through a port that QEMU's command line forwards to the guest's
 * ssh, for a hint; the caller frees it; NULL for none */
char *vm_ssh_address(const struct vm *vm);

/* vm_close_guest() - leave the guest as it was found; the monitor stays open */
void vm_close_guest(struct vm *vm);

/* vm_forget() - forget the chosen VM; after vm_close() */
void vm_forget(struct vm *vm);

/* vm_close() - close guest and monitor, and log out of a console that stayed logged in */
void vm_close(struct vm *vm);

#endif
