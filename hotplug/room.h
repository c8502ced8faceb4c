/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * room: can the guest do without the memory of devices that are to leave?
 */
#ifndef HOTPLUG_ROOM_H
#define HOTPLUG_ROOM_H

#include "hotplug/device-del.h"

/* room_online_bytes() - what the guest has online of the device; a memory map that lies in the DIMM
 * itself is not among it */
uint64_t room_online_bytes(const struct view *v, const struct memdev *d);

/*
 * hotplug_check_room() - can the guest do without @bytes? compares MemAvailable
 * Return: 0; -1 with ERR_GUEST_REFUSED; always 0 when forced or unknown
 */
int hotplug_check_room(const struct transaction *t, uint64_t bytes, struct err *err)
	__attribute__((warn_unused_result));

/*
 * room_check() - as hotplug_check_room() for what is online of the devices. Only where that is too
 * much, and the memory map may lie in what leaves, the guest is asked for its version.
 * Return: 0; -1 with ERR_GUEST_REFUSED
 */
int room_check(struct transaction *t, const struct leaving *leaving, unsigned count,
	       struct err *err) __attribute__((warn_unused_result));

#endif
