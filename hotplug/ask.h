/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * ask: a round trip to the guest as a part of a step: its progress is shown, what it changes is
 * read back, and what hangs is stopped.
 */
#ifndef HOTPLUG_ASK_H
#define HOTPLUG_ASK_H

#include "hotplug/transaction.h"

/* What a request is for, in messages. */
enum work { WORK_READ, WORK_FREEZE, WORK_ONLINE, WORK_OFFLINE, WORK_RESTORE };

/*
 * hotplug_ask() - one round trip to the guest; what it tells of its memory goes to t->view.after
 * @err:	ERR_GUEST_REFUSED with the block and the kernel's reason; ERR_TIMEOUT and
 *		ERR_INTERRUPTED with the block that hung (its write has been killed)
 * Return: 0, or -1; 1 when the blocks that VERB_APPEAR waits for are not there yet
 */
int hotplug_ask(struct transaction *t, const struct request *r, enum work work, struct err *err)
	__attribute__((warn_unused_result));

/* hotplug_scan() - read all of the guest's memory again, and its pools of huge pages where blocks
 * are to go offline */
int hotplug_scan(struct transaction *t, struct err *err) __attribute__((warn_unused_result));

/*
 * hotplug_cancel() - guest_cancel(), to undo from now on. A shell that does not answer costs half
 * of the time that is left for that: the rest is for what can be done without it.
 */
int hotplug_cancel(struct transaction *t, struct answer *answer, struct err *err)
	__attribute__((warn_unused_result));

/* hotplug_seconds_left() - the deadline as a limit of a command: whole seconds, rounded up */
unsigned hotplug_seconds_left(const struct transaction *t);

#endif
