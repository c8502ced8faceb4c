/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * blocks: the guest's part of a step: commands of guest.sh, what their answers mean, and
 * putting blocks back.
 */
#ifndef HOTPLUG_BLOCKS_H
#define HOTPLUG_BLOCKS_H

#include "hotplug/transaction.h"

/*
 * hotplug_guest() - one round trip to the guest; reads a scan in its answer into t->view.after
 * @commands:	of guest.sh
 * @verb:	what its change does, for messages: "bring" a block ...
 * @to:		... "online"
 * @err:	ERR_GUEST_REFUSED with the block and the kernel's reason; ERR_TIMEOUT and
 *		ERR_INTERRUPTED with the block that hung (its write has been killed)
 * Return: 0, or -1; 1 when the blocks that "appear" waits for are not there yet
 */
int hotplug_guest(struct transaction *t, const char *commands, const char *verb, const char *to,
		  struct err *err) __attribute__((warn_unused_result));

/*
 * hotplug_cancel() - guest_cancel(), to undo from now on. A shell that does not answer costs half
 * of the time that is left for that: the rest is for what can be done without it.
 */
int hotplug_cancel(struct transaction *t, struct answer *answer, struct err *err)
	__attribute__((warn_unused_result));

/*
 * hotplug_hold() - let the guest leave new memory offline from now on, where it would bring it
 * online by itself in a zone of its choice; until the channel is closed
 */
int hotplug_hold(struct transaction *t, struct err *err) __attribute__((warn_unused_result));

/* hotplug_seconds_left() - the deadline as guest.sh takes it: whole seconds, rounded up */
unsigned hotplug_seconds_left(const struct transaction *t);

/* hotplug_lower_words(), hotplug_raise_words() - commands of guest.sh for the blocks of @list,
 * highest first, and each into @zone (lift: only those that are offline); the caller frees them */
char *hotplug_lower_words(const struct transaction *t, const struct block_list *list);
char *hotplug_raise_words(const struct transaction *t, const struct block_list *list,
			  enum zone zone, bool is_lift);

/*
 * hotplug_swift_words() - the short way to bring few blocks online, that are offline or new:
 * guest.sh needs little for it. It gives no reasons: when the scan after it shows a block in
 * another state, go the long way with hotplug_raise_words(). The caller frees it; NULL: go the long
 * way at once.
 */
char *hotplug_swift_words(const struct block_list *list, enum zone zone);

/* hotplug_add_ranges() - append " FIRST-LAST" for each run, as guest.sh takes them */
void hotplug_add_ranges(struct buf *words, const struct block_list *list, bool is_descending);

/*
 * hotplug_add_look() - append the look that reads back what has been done to the blocks of @list:
 * where nothing else is to be done, at those only
 */
void hotplug_add_look(const struct transaction *t, struct buf *words,
		      const struct block_list *list);

/* hotplug_restore() - put the blocks of @list back to the state and zone they had before; checks */
int hotplug_restore(struct transaction *t, const struct block_list *list, struct err *err)
	__attribute__((warn_unused_result));

/*
 * hotplug_check_room() - can the guest do without @bytes? compares MemAvailable
 * Return: 0; -1 with ERR_GUEST_REFUSED; always 0 when forced or unknown
 */
int hotplug_check_room(const struct transaction *t, uint64_t bytes, struct err *err)
	__attribute__((warn_unused_result));

#endif
