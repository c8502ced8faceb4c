/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * blocks: changing the state of the guest's memory blocks, reading them back, and putting them back
 * as they were. No job chooses how.
 */
#ifndef HOTPLUG_BLOCKS_H
#define HOTPLUG_BLOCKS_H

#include "hotplug/transaction.h"

/* What blocks are to become. */
enum block_state {
	BLOCK_OFFLINE,
	BLOCK_ONLINE,		 /* in a zone; moved there when they are online in another */
	BLOCK_ONLINE_IF_OFFLINE, /* in a zone; left alone when they are online in any */
};

struct block_part {
	struct block_list list; /* owned */
	enum block_state state;
	enum zone zone;
};

/* Zero-initialise it. */
struct block_change {
	struct block_list awaited; /* owned; these have to appear first */
	struct block_part parts[4];
	unsigned parts_count;
	const struct block_list *read_back; /* borrowed; NULL: all are */
};

/* block_change_add() - what the blocks of @list are to become, after those that were added before;
 * an empty list is left out */
void block_change_add(struct block_change *c, const struct block_list *list, enum block_state state,
		      enum zone zone);
void block_change_free(struct block_change *c);

/*
 * blocks_change() - change blocks, each list in its order (offline: highest first), and read them
 * back into t->view.after. Where that will do, first in a way that costs the guest little and gives
 * no reasons; for what that has not done, block after block. Return: 0; 1 when blocks that are
 * awaited are not there yet; -1 as hotplug_ask()
 */
int blocks_change(struct transaction *t, const struct block_change *c, struct err *err)
	__attribute__((warn_unused_result));

/* blocks_change_show() - add to the plan what blocks_change() would do first */
void blocks_change_show(struct transaction *t, const struct block_change *c);

/* hotplug_take_offline(), hotplug_take_offline_show() - the same for one list that goes offline */
int hotplug_take_offline(struct transaction *t, const struct block_list *list, struct err *err)
	__attribute__((warn_unused_result));
void hotplug_take_offline_show(struct transaction *t, const struct block_list *list);

/*
 * hotplug_freeze_policy() - let the guest leave new memory offline from now on, where it would
 * bring it online by itself in a zone of its choice; until the channel is closed
 */
int hotplug_freeze_policy(struct transaction *t, struct err *err)
	__attribute__((warn_unused_result));

/* hotplug_restore() - put the blocks of @list back to the state and zone they had before; checks */
int hotplug_restore(struct transaction *t, const struct block_list *list, struct err *err)
	__attribute__((warn_unused_result));

#endif
