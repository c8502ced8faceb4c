/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * hotplug-zone: which zone new memory goes to. May call: sysfs, size, util.
 */
#ifndef HOTPLUG_ZONE_H
#define HOTPLUG_ZONE_H

#include "sysfs.h"

#define ZONE_REASON_MAX 160

/*
 * zone_split() - what --zone auto means for several pieces of memory: Movable while it stays at
 * most 3 x the kernel's zones, so that the kernel keeps enough memory of its own
 * @g:		all of the guest's memory counts, not only what was plugged
 * @sizes:	bytes of each piece
 * @reason:	receives why, in words; ZONE_REASON_MAX bytes
 * Return: how many pieces, from the first, go to the kernel's zones; the others go to Movable
 */
unsigned zone_split(const struct guest_memory *g, const uint64_t *sizes, unsigned count,
		    char *reason);

/* zone_choose() - the same for one piece */
enum zone zone_choose(const struct guest_memory *g, uint64_t size_bytes, char *reason);

#endif
