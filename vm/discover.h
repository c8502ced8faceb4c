/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * discover: the QEMU processes of this machine, from /proc, and which one the user means. Must
 * never: connect.
 */
#ifndef VM_DISCOVER_H
#define VM_DISCOVER_H

#include <stdbool.h>
#include <sys/types.h>

#include "lib/deadline.h"
#include "lib/err.h"
#include "vm/emulator.h"

/* Sorted by pid, with QEMUs that have no monitor. Zero-initialise it. */
struct qemu_list {
	struct qemu *list;
	unsigned count;
};

/*
 * discover() - find the QEMU processes of this user
 * @all:	those of other users too, if they can be read: for root
 * Return: 0 with @found, which the caller frees; -1 without /proc, at the deadline, or when
 * interrupted
 */
int discover(struct qemu_list *found, bool all, struct deadline *deadline, struct err *err)
	__attribute__((warn_unused_result));

void qemu_list_free(struct qemu_list *found);

/* discover_process() - read one QEMU process, for emulator_free(); false if it is not QEMU or
 * cannot be read */
bool discover_process(pid_t pid, struct qemu *qemu);

/*
 * discover_choose() - the VM that the user means
 * @name:	its name, if it is this user's, or its pid, which is added to @found if it is a
 *		QEMU; NULL: the only one with a monitor
 * @like:	a profile's name that @name may be a typo of; NULL for none
 * Return: the VM, owned by @found; NULL with @err: ERR_QEMU_UNREACHABLE if there is none,
 * ERR_USAGE if there are several
 */
const struct qemu *discover_choose(struct qemu_list *found, const char *name, const char *like,
				   struct err *err);

/* discover_no_monitor() - set the error that @qemu has no known monitor, and what is known; returns
 * -1 */
int discover_no_monitor(const struct qemu *qemu, struct err *err);

/*
 * discover_again() - the VM that was chosen before: the same process, or another with its name
 * @name:	NULL: it has no name, and ends with its process
 * Return: the VM, owned by @found; NULL with ERR_QEMU_UNREACHABLE if it has gone, ERR_USAGE if
 * several have its name now
 */
const struct qemu *discover_again(const struct qemu_list *found, pid_t pid, const char *name,
				  struct err *err);

#endif
