/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * blocks: change the state of the guest's memory blocks, read them back, and restore them. The way
 * it is done (fast, or block by block) is chosen here and nowhere else.
 */
#ifndef HOTPLUG_BLOCKS_H
#define HOTPLUG_BLOCKS_H

#include "hotplug/transaction.h"

/* The state to put blocks into. */
enum block_state {
	BLOCK_OFFLINE,
	BLOCK_ONLINE,		 /* in a zone; moved there if online in another */
	BLOCK_ONLINE_IF_OFFLINE, /* in a zone; left alone if online in any */
};

struct block_part {
	struct block_list list; /* owned */
	enum block_state state;
	enum zone zone;
};

/* Zero-initialise it. */
struct block_change {
	struct block_list awaited; /* owned; these must appear first */
	struct block_part parts[4];
	unsigned parts_count;
	const struct block_list *read_back; /* borrowed; NULL: all blocks */
};

/* block_change_add() - append a change of the blocks of @list; an empty list is ignored */
void block_change_add(struct block_change *c, const struct block_list *list, enum block_state state,
		      enum zone zone);
void block_change_free(struct block_change *c);

/*
 * blocks_change() - change blocks, each list in its order (offline: highest first), and read them
 * back into t->view.after. Tries a fast way first where possible, which costs the guest little but
 * gives no reasons; what that leaves undone is changed block by block.
 * Return: 0; 1 when awaited blocks have not appeared yet; -1 as hotplug_ask()
 */
int blocks_change(struct transaction *t, const struct block_change *c, struct err *err)
	__attribute__((warn_unused_result));

/* blocks_change_show() - add what blocks_change() would do first to the plan */
void blocks_change_show(struct transaction *t, const struct block_change *c);

/* hotplug_take_offline(), hotplug_take_offline_show() - the same for a single list to take
 * offline */
int hotplug_take_offline(struct transaction *t, const struct block_list *list, struct err *err)
	__attribute__((warn_unused_result));
void hotplug_take_offline_show(struct transaction *t, const struct block_list *list);

/*
 * hotplug_freeze_policy() - freeze the guest's auto_online_blocks policy at "offline", so that it
 * does not online new memory in a zone of its choice; lasts until the channel is closed
 */
int hotplug_freeze_policy(struct transaction *t, struct err *err)
	__attribute__((warn_unused_result));

/* hotplug_restore() - restore the state and zone that the blocks of @list had before, and read that
 * back */
int hotplug_restore(struct transaction *t, const struct block_list *list, struct err *err)
	__attribute__((warn_unused_result));

#endif
