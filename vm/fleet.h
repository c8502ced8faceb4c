/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * fleet: all VMs at once: those that run, those of profiles, and what their monitors report within
 * a moment. Must never: wait for a monitor that another client uses.
 */
#ifndef VM_FLEET_H
#define VM_FLEET_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/deadline.h"
#include "lib/err.h"
#include "vm/config.h"
#include "vm/discover.h"

/* One VM: a process, a profile, or both. */
struct fleet_vm {
	const struct qemu *qemu;       /* NULL if it does not run here; borrowed */
	const struct profile *profile; /* NULL for none; borrowed */
	struct address monitor; /* the one that answered, else the first; may be absent; borrowed */
	char *console;		/* channel to the guest, from the command line; NULL for none */
	char *channel;		/* the same, according to QEMU; NULL if unknown */
	char *channel_problem;	/* why that may be another VM's; NULL for none */
	bool is_known;		/* the monitor has answered */
	uint64_t plugged_bytes; /* valid with is_known */
	char *problem;		/* why not; NULL for none */
};

/* Zero-initialise it. */
struct fleet {
	struct fleet_vm *vms;
	unsigned count;
};

/*
 * fleet_gather() - collect the processes that have a monitor, each with its profile, then the
 * profiles that match none of them
 * @found, @config: borrowed until fleet_free()
 */
void fleet_gather(struct fleet *fleet, const struct qemu_list *found, const struct config *config);

/* fleet_ask() - query all monitors for a moment, each from its own child process so that none
 * delays another; -1 when interrupted */
int fleet_ask(struct fleet *fleet, struct deadline *deadline, struct err *err)
	__attribute__((warn_unused_result));

void fleet_free(struct fleet *fleet);

/* fleet_vm_name() - its name for --vm; NULL if only its pid can be used */
const char *fleet_vm_name(const struct fleet_vm *vm);

/* fleet_vm_guest() - the channel that commands would use; NULL if there is none or it is unknown */
const char *fleet_vm_guest(const struct fleet_vm *vm);

/* fleet_vm_guest_problem() - why that channel may not be the VM's; NULL for none */
const char *fleet_vm_guest_problem(const struct fleet_vm *vm);

#endif
