/* SPDX-License-Identifier: GPL-3.0-or-later */
/* repair: the job "repair": complete or undo what was left half done. */
#ifndef HOTPLUG_REPAIR_H
#define HOTPLUG_REPAIR_H

#include "hotplug/change.h"
#include "hotplug/finding.h"
#include "hotplug/unplug.h"
#include "hotplug/vmem.h"

struct repair {
	/* asked for */
	enum repair_direction direction;
	bool is_all; /* also backends not named by memhp */
	/* found out */
	struct findings due;   /* in the last query */
	struct findings tried; /* what was due before and has been tried */
	struct findings all;   /* in any query */
	struct err failure;    /* of the last attempt */
	unsigned rounds;
	bool has_waited, is_changed;
	struct buf mixed; /* devices brought online that have blocks in several zones */
	struct change change;
	struct unplug unplug;
	struct vmem vmem;
};

/*
 * hotplug_repair() - the whole command. Half-done work may still be changing, and one repair may
 * uncover the next: queries again until nothing is due, or nothing changes any more.
 */
int hotplug_repair(struct transaction *t, struct repair *r, struct err *err)
	__attribute__((warn_unused_result));

void repair_free(struct repair *r);

#endif
