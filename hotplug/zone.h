/* SPDX-License-Identifier: GPL-3.0-or-later */
/* zone: choose the zone of new memory. */
#ifndef HOTPLUG_ZONE_H
#define HOTPLUG_ZONE_H

#include "hotplug/transaction.h"

#define ZONE_REASON_MAX 160

/*
 * zone_split() - choose zones for several pieces of memory; recorded in @t for pieces that
 * follow
 * @zone:	as requested. Auto means Movable while that stays at most 3 times the kernel zones,
 *		so that the kernel keeps enough memory for itself; all of the guest's memory counts,
 *		not only what was plugged
 * @sizes:	bytes of each piece
 * @reason:	receives why auto chose as it did, or ""; ZONE_REASON_MAX bytes
 * Return: how many pieces, from the first, go to kernel zones; the others go to Movable
 */
unsigned zone_split(struct transaction *t, enum zone zone, const uint64_t *sizes, unsigned count,
		    char *reason);

/* zone_split_even() - the same for @count pieces of @size_bytes each */
uint64_t zone_split_even(struct transaction *t, enum zone zone, uint64_t size_bytes, uint64_t count,
			 char *reason);

/* zone_of_others() - the zone of the others: ZONE_MOVABLE, or ZONE_ANY where only the kernel can
 * choose */
enum zone zone_of_others(const struct view *v);

/* zone_check() - can a requested zone be set in the guest? Not through an agent without
 * guest-exec. */
int zone_check(const struct view *v, enum zone zone, struct err *err)
	__attribute__((warn_unused_result));

/*
 * zone_begun() - the common zone of the device's online blocks, so that the others can go there
 * too
 * @is_mixed:	set if they are in more than one
 * Return: ZONE_MOVABLE or ZONE_KERNEL; ZONE_AUTO if none is online, or they are in several zones
 */
enum zone zone_begun(const struct view *v, const struct memdev *d, bool *is_mixed);

/* zone_choose() - zone_split() for a single piece */
enum zone zone_choose(struct transaction *t, enum zone zone, uint64_t size_bytes, char *reason);

#endif
