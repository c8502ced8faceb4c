/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * vm: the virtual machine of a command: its monitor and its guest channel, opened when first
 * needed. Without --qmp the monitor is that of a running QEMU, without --guest the channel is
 * found by asking QEMU.
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
	const char *like;	/* a profile's name that is like it, for a hint; borrowed */
	bool is_running_named;	/* the user named a running VM: its monitor is wanted */
	struct address channel; /* absent: to be found; borrowed */
	struct channel found;	/* what asking QEMU gave; owned */
	struct dial dial;	/* how the channel is opened */
	struct login login;	/* on a console; its owner frees it */
	struct trace trace;
	struct deadline *deadline; /* borrowed */
	struct remote *remote;	   /* the ssh connection that "ssh://" means; NULL for none */
	pid_t pid;		   /* of QEMU; 0 until the monitor is open, or unknown */
	pid_t own_pid;		   /* see vm_stay(); 0: any VM will do */
	char *own_name;		   /* NULL when that VM has none; owned */
	struct qmp *qmp;	   /* NULL until opened */
	struct guest *guest;	   /* NULL until opened */
};

/* vm_open_qmp() - find the monitor and connect to it unless it is open */
int vm_open_qmp(struct vm *vm, struct err *err) __attribute__((warn_unused_result));

/*
 * vm_stay() - when the monitor was found because its VM was the only one, or was named itself, that
 * is the VM from now on: the same process, or another one of its name, whatever else runs by then
 */
void vm_stay(struct vm *vm);

/* vm_has_monitor() - is a monitor to be asked even by a job that can do without? False when the
 * guest's channel is all that was named. */
bool vm_has_monitor(const struct vm *vm);

/*
 * vm_open_guest() - connect to the guest unless it is open; vm_open_qmp() comes first where there
 * is a monitor Return: 0 with vm->guest open, or NULL when no channel was given and none can be
 * found; -1
 */
int vm_open_guest(struct vm *vm, struct err *err) __attribute__((warn_unused_result));

/* vm_no_channel() - the error when the guest is needed and vm_open_guest() has found no channel;
 * returns -1 */
int vm_no_channel(const struct vm *vm, struct err *err);

/* vm_channel() - the address of the guest's channel; NULL when there is none; owned by @vm */
const struct address *vm_channel(const struct vm *vm);

/* vm_ssh_address() - the channel over a port that QEMU's command line forwards to the guest's ssh,
 * for a hint; the caller frees it; NULL for none */
char *vm_ssh_address(const struct vm *vm);

/* vm_close_guest() - leave the guest as it was found; the monitor stays open */
void vm_close_guest(struct vm *vm);

/* vm_forget() - forget which VM it was; after vm_close() */
void vm_forget(struct vm *vm);

/* vm_close() - that too, and log out of a console on which a command has stayed logged in */
void vm_close(struct vm *vm);

#endif
