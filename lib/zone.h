/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * zone: the zone of the guest's kernel that memory is in, or goes to.
 */
#ifndef LIB_ZONE_H
#define LIB_ZONE_H

/* ZONE_AUTO: memhp chooses; ZONE_ANY: unknown, or the kernel's choice. */
enum zone { ZONE_AUTO, ZONE_MOVABLE, ZONE_KERNEL, ZONE_ANY };

#endif
