/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * hotplug-repair: what an interrupted command, or anybody, left half done, found from QEMU and the
 * guest alone, and finished or undone. May call: hotplug, hotplug-*, machine, sysfs, qmp, err,
 * util.
 */
#ifndef HOTPLUG_REPAIR_H
#define HOTPLUG_REPAIR_H

#include "hotplug-change.h"
#include "hotplug-unplug.h"
#include "hotplug-vmem.h"

enum finding_kind {
	FINDING_BACKEND, /* a backend that no device uses */
	FINDING_ABSENT,	 /* a DIMM of which the guest shows no, or not all, blocks */
	FINDING_PARTLY,	 /* a device of which some blocks are offline */
	FINDING_OFFLINE, /* a device of which all blocks are offline */
	FINDING_SIZE,	 /* a virtio-mem device that is not as large as it was asked to be */
};

enum finding_action {
	ACTION_NONE, /* not memhp's business, unless it is told to take all */
	ACTION_REMOVE,
	ACTION_ONLINE,
	ACTION_UNPLUG,
	ACTION_SETTLE, /* what was reached is what is asked for */
	ACTION_RESIZE, /* what was asked for is to be reached */
};

struct finding {
	enum finding_kind kind;
	enum finding_action action;
	char *id; /* of the backend or device; owned */
};

enum repair_direction {
	REPAIR_AUTO,	/* what takes nothing from the guest: online, and settle */
	REPAIR_FORWARD, /* finish: online, resize */
	REPAIR_BACK,	/* undo: unplug, settle */
};

struct repair {
	/* asked for */
	enum repair_direction direction;
	bool is_all; /* also backends that do not have a name as memhp gives them */
	/* found out */
	struct finding *findings;
	unsigned findings_count;
	struct change change;
	struct unplug unplug;
	struct vmem vmem;
};

/*
 * repair_find() - after hotplug_look(): what is half done, and what is to be done about it
 * Return: 0, also when nothing was found; -1 when QEMU cannot be asked
 */
int repair_find(const struct hotplug *h, struct repair *r, struct err *err)
	__attribute__((warn_unused_result));

/* repair_due() - how many findings have an action */
unsigned repair_due(const struct repair *r);

/* hotplug_repair() - the whole command */
int hotplug_repair(struct hotplug *h, struct repair *r, struct err *err)
	__attribute__((warn_unused_result));

void repair_release(struct repair *r);

#endif
