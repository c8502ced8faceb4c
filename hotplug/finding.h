/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * finding: find what an interrupted command or another client left half done, from QEMU and the
 * guest alone. Changes nothing.
 */
#ifndef HOTPLUG_FINDING_H
#define HOTPLUG_FINDING_H

#include "hotplug/transaction.h"

enum finding_kind {
	FINDING_BACKEND, /* a backend that no device uses */
	FINDING_ABSENT,	 /* a DIMM without any block in the guest */
	FINDING_SHORT,	 /* a DIMM with only some of its blocks in the guest */
	FINDING_PARTLY,	 /* a device with some blocks offline */
	FINDING_OFFLINE, /* a device with all blocks offline */
	FINDING_PENDING, /* a DIMM that the guest was asked to release and is about to */
	FINDING_SIZE,	 /* a virtio-mem device that has not reached its requested size */
};

enum finding_action {
	ACTION_NONE, /* left alone unless the user asks for it */
	ACTION_REMOVE,
	ACTION_ONLINE,
	ACTION_UNPLUG,
	ACTION_ACCEPT_SIZE, /* request the size that was reached */
	ACTION_RESIZE,	    /* reach the size that was requested */
};

struct finding {
	enum finding_kind kind;
	enum finding_action action;
	char *id; /* of the backend or device; owned */
};

struct findings {
	struct finding *list;
	unsigned count;
};

enum repair_direction {
	REPAIR_AUTO,	/* take nothing from the guest: online, accept the size */
	REPAIR_FORWARD, /* complete: online, resize */
	REPAIR_BACK,	/* undo: unplug, accept the size */
};

/*
 * findings_collect() - after transaction_query(): list what is half done, and what to do about
 * it
 * @is_all:	include backends not named by memhp and DIMMs from QEMU's command line
 * Return: 0, also if nothing was found; -1 when QEMU cannot be asked
 */
int findings_collect(struct findings *f, const struct transaction *t,
		     enum repair_direction direction, bool is_all, struct err *err)
	__attribute__((warn_unused_result));

/* findings_due() - how many have an action */
unsigned findings_due(const struct findings *f);

/* findings_is_absent() - is it a DIMM that the guest has not added, or only in part? */
bool findings_is_absent(const struct finding *f);

/* findings_add() - append @finding, or replace the one with the same id */
void findings_add(struct findings *f, const struct finding *finding);

/* findings_equal() - are both lists equal, in the same order? */
bool findings_equal(const struct findings *a, const struct findings *b);

void findings_free(struct findings *f);

#endif
