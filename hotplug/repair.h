/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * repair: what was left half done, finished or undone.
 */
#ifndef HOTPLUG_REPAIR_H
#define HOTPLUG_REPAIR_H

#include "hotplug/change.h"
#include "hotplug/finding.h"
#include "hotplug/unplug.h"
#include "hotplug/vmem.h"

struct repair {
	/* asked for */
	enum repair_direction direction;
	bool is_all; /* also backends that do not have a name as memhp gives them */
	/* found out */
	struct findings due;   /* at the last look */
	struct findings tried; /* what was due before, and something was done about */
	struct findings all;   /* at any look */
	struct err failure;    /* what the last try met */
	unsigned rounds;
	bool has_waited, is_changed;
	struct buf mixed; /* devices that were brought online and lie in several zones */
	struct change change;
	struct unplug unplug;
	struct vmem vmem;
};

/*
 * hotplug_repair() - the whole command. What is half done may still be moving, and a repair may
 * show what is next: it looks again until nothing is due, or nothing changes any more
 */
int hotplug_repair(struct transaction *t, struct repair *r, struct err *err)
	__attribute__((warn_unused_result));

void repair_free(struct repair *r);

#endif
