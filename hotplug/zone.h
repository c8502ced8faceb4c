/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * zone: which zone new memory goes to.
 */
#ifndef HOTPLUG_ZONE_H
#define HOTPLUG_ZONE_H

#include "hotplug/transaction.h"

#define ZONE_REASON_MAX 160

/*
 * zone_split() - where several pieces of memory go; remembered in @h for the pieces after them
 * @zone:	what was asked for. Auto means Movable while it stays at most 3 x the kernel's
 *zones, so that the kernel keeps enough memory of its own; all of the guest's memory counts, not
 *only what was plugged
 * @sizes:	bytes of each piece
 * @reason:	receives why auto took what it took, ""; ZONE_REASON_MAX bytes
 * Return: how many pieces, from the first, go to the kernel's zones; the others go to Movable
 */
unsigned zone_split(struct transaction *t, enum zone zone, const uint64_t *sizes, unsigned count,
		    char *reason);

/* zone_split_even() - the same for @count pieces of @size_bytes each */
uint64_t zone_split_even(struct transaction *t, enum zone zone, uint64_t size_bytes, uint64_t count,
			 char *reason);

/* zone_of_others() - where those go: ZONE_MOVABLE, or ZONE_ANY where only the kernel can choose */
enum zone zone_of_others(const struct view *v);

/* zone_check() - can the guest be told a zone, where one was asked for? an agent without guest-exec
 * cannot */
int zone_check(const struct view *v, enum zone zone, struct err *err)
	__attribute__((warn_unused_result));

/*
 * zone_begun() - the zone that the device's blocks which are online have in common, so that the
 * others can go there too
 * @is_mixed:	set when they lie in more than one
 * Return: ZONE_MOVABLE or ZONE_KERNEL; ZONE_AUTO when none is online, or several zones are
 */
enum zone zone_begun(const struct view *v, const struct memdev *d, bool *is_mixed);

/* zone_choose() - the same as zone_split() for one piece */
enum zone zone_choose(struct transaction *t, enum zone zone, uint64_t size_bytes, char *reason);

#endif
