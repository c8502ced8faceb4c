/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * vm: the virtual machine of a command: its monitor and its guest channel, opened when first
 * needed. Without --guest the channel is found by asking QEMU. May call: qmp, guest, json, err,
 * util.
 */
#ifndef VM_H
#define VM_H

#include <stdbool.h>

#include "deadline.h"
#include "guest.h"
#include "qmp.h"

struct vm {
	const char *qmp_address;   /* borrowed; NULL: none given */
	const char *guest_address; /* borrowed; NULL: to be found; "none": not wanted */
	char *guest_found;	   /* the address that asking QEMU gave; owned */
	struct trace trace;
	struct deadline *deadline; /* borrowed */
	struct qmp *qmp;	   /* NULL until opened */
	struct guest *guest;	   /* NULL until opened */
};

/* vm_open_qmp() - connect to the monitor unless it is open */
int vm_open_qmp(struct vm *vm, struct err *err) __attribute__((warn_unused_result));

/*
 * vm_open_guest() - connect to the guest unless it is open; vm_open_qmp() comes first where there
 * is a monitor Return: 0 with vm->guest open, or NULL when no channel was given and none can be
 * found; -1
 */
int vm_open_guest(struct vm *vm, struct err *err) __attribute__((warn_unused_result));

/* vm_channel() - the guest channel's address; NULL when there is none; owned by @vm */
const char *vm_channel(const struct vm *vm);

void vm_close(struct vm *vm);

#endif
