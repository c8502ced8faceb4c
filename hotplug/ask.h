/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * ask: one round trip to the guest within a step: shows its progress, reads back what it changes,
 * and stops a write that hangs.
 */
#ifndef HOTPLUG_ASK_H
#define HOTPLUG_ASK_H

#include "hotplug/transaction.h"

/* What a request is for, in messages. */
enum work { WORK_READ, WORK_FREEZE, WORK_ONLINE, WORK_OFFLINE, WORK_RESTORE };

/*
 * hotplug_ask() - one round trip to the guest; what it reports about its memory goes to
 * t->view.after
 * @err:	ERR_GUEST_REFUSED with the block and the kernel's reason; ERR_TIMEOUT and
 *		ERR_INTERRUPTED with the block that hung (its write has been killed)
 * Return: 0, or -1; 1 when the blocks that VERB_APPEAR waits for have not appeared yet
 */
int hotplug_ask(struct transaction *t, const struct request *r, enum work work, struct err *err)
	__attribute__((warn_unused_result));

/* hotplug_scan() - read all of the guest's memory again, and its huge page pools if blocks are to
 * go offline */
int hotplug_scan(struct transaction *t, struct err *err) __attribute__((warn_unused_result));

/*
 * hotplug_cancel() - guest_cancel() before an undo. A shell that does not answer costs at most half
 * of the time left for the undo; the rest is for what can be done without it.
 */
int hotplug_cancel(struct transaction *t, struct answer *answer, struct err *err)
	__attribute__((warn_unused_result));

/* hotplug_seconds_left() - the time left until the deadline, as the limit of a command: whole
 * seconds, rounded up */
unsigned hotplug_seconds_left(const struct transaction *t);

#endif
