/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * zone: which zone of the guest's kernel memory goes to, or is in.
 */
#ifndef LIB_ZONE_H
#define LIB_ZONE_H

/* ZONE_AUTO: memhp chooses; ZONE_ANY: not known, or the kernel's choice. */
enum zone { ZONE_AUTO, ZONE_MOVABLE, ZONE_KERNEL, ZONE_ANY };

#endif
