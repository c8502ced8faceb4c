/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * finding: what an interrupted command, or anybody, left half done, found from QEMU and
 * the guest alone. Changes nothing.
 */
#ifndef HOTPLUG_FINDING_H
#define HOTPLUG_FINDING_H

#include "hotplug/transaction.h"

enum finding_kind {
	FINDING_BACKEND, /* a backend that no device uses */
	FINDING_ABSENT,	 /* a DIMM of which the guest shows no block */
	FINDING_SHORT,	 /* a DIMM of which the guest shows some blocks, but not all */
	FINDING_PARTLY,	 /* a device of which some blocks are offline */
	FINDING_OFFLINE, /* a device of which all blocks are offline */
	FINDING_PENDING, /* a DIMM that the guest was asked to let go of, and is about to */
	FINDING_SIZE,	 /* a virtio-mem device that is not as large as it was asked to be */
};

enum finding_action {
	ACTION_NONE, /* not memhp's business, unless it is told so */
	ACTION_REMOVE,
	ACTION_ONLINE,
	ACTION_UNPLUG,
	ACTION_ACCEPT_SIZE, /* what was reached is what is asked for */
	ACTION_RESIZE,	    /* what was asked for is to be reached */
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
	REPAIR_AUTO,	/* what takes nothing from the guest: online, and settle */
	REPAIR_FORWARD, /* finish: online, resize */
	REPAIR_BACK,	/* undo: unplug, settle */
};

/*
 * findings_collect() - after transaction_query(): what is half done, and what is to be done about
 *it
 * @is_all:	also about backends that do not have a name as memhp gives them, and DIMMs that were
 *		there when QEMU started
 * Return: 0, also when nothing was found; -1 when QEMU cannot be asked
 */
int findings_collect(struct findings *f, const struct transaction *t,
		     enum repair_direction direction, bool is_all, struct err *err)
	__attribute__((warn_unused_result));

/* findings_due() - how many have an action */
unsigned findings_due(const struct findings *f);

/* findings_is_absent() - is it about a DIMM that the guest has not added, or not all of? */
bool findings_is_absent(const struct finding *f);

/* findings_add() - @finding takes the place of what was known of the same id, or is one more */
void findings_add(struct findings *f, const struct finding *finding);

/* findings_equal() - are they the same, in the same order? */
bool findings_equal(const struct findings *a, const struct findings *b);

void findings_free(struct findings *f);

#endif
