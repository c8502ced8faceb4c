/* SPDX-License-Identifier: GPL-3.0-or-later */
/* change: the job "online" or "offline": changes only the guest's blocks. */
#ifndef HOTPLUG_CHANGE_H
#define HOTPLUG_CHANGE_H

#include "hotplug/transaction.h"
#include "hotplug/zone.h"

struct change {
	/* asked for */
	char *const *args; /* blocks, devices, sizes, "all"; borrowed */
	unsigned args_count;
	bool is_online; /* bring online; else take offline */
	enum zone zone;
	/* found out */
	struct block_list blocks; /* to be changed, without those already as asked */
	struct block_list named;  /* all that the arguments name */
	enum zone zone_taken;	  /* for blocks of no device that is partly online in a zone */
	char zone_reason[ZONE_REASON_MAX];
	struct block_list parts[ZONE_ANY + 1]; /* online: the blocks that go to each zone */
	struct buf mixed; /* devices with blocks in several zones: "a-dimm b-dimm"; empty: none */
};

/* hotplug_change() - the whole command; sends nothing if all is as asked already */
int hotplug_change(struct transaction *t, struct change *change, struct err *err)
	__attribute__((warn_unused_result));

/* change_prepare() - with change->blocks known: choose the zone, add the step */
void change_prepare(struct transaction *t, struct change *change);

void change_free(struct change *change);

#endif
