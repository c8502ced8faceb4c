/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * room: can the guest do without the memory of devices that are to leave?
 */
#ifndef HOTPLUG_ROOM_H
#define HOTPLUG_ROOM_H

#include "hotplug/device-del.h"

/* room_online_bytes() - what the guest has online of the device; a memory map that lies in the DIMM
 * itself is not among it */
uint64_t room_online_bytes(const struct hotplug *h, const struct memdev *d);

/*
 * room_check() - as hotplug_check_room() for what is online of the devices. Only where that is too
 * much, and the memory map may lie in what leaves, the guest is asked for its version.
 * Return: 0; -1 with ERR_GUEST_REFUSED
 */
int room_check(struct hotplug *h, const struct leaving *leaving, unsigned count, struct err *err)
	__attribute__((warn_unused_result));

#endif
