/* SPDX-License-Identifier: GPL-3.0-or-later */
/* room: can the guest do without the memory of devices that are to be unplugged? */
#ifndef HOTPLUG_ROOM_H
#define HOTPLUG_ROOM_H

#include "hotplug/device-del.h"

/* room_online_bytes() - bytes of the device that are online, without a memory map that lies in the
 * DIMM itself */
uint64_t room_online_bytes(const struct view *v, const struct memdev *d);

/*
 * hotplug_check_room() - can the guest do without @bytes? compares MemAvailable
 * Return: 0; -1 with ERR_GUEST_REFUSED; always 0 when forced or unknown
 */
int hotplug_check_room(const struct transaction *t, uint64_t bytes, struct err *err)
	__attribute__((warn_unused_result));

/*
 * room_check() - hotplug_check_room() for the online memory of the devices. Only if that fails and
 * the memory map may lie in the devices is the guest asked for its version.
 * Return: 0; -1 with ERR_GUEST_REFUSED
 */
int room_check(struct transaction *t, const struct leaving *leaving, unsigned count,
	       struct err *err) __attribute__((warn_unused_result));

#endif
