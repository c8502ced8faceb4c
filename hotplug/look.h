/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * look: which blocks a look at the guest shows, in words of guest.sh. A guest takes a millisecond
 * for each, so that only those are looked at that matter. Must never: talk to anybody.
 */
#ifndef HOTPLUG_LOOK_H
#define HOTPLUG_LOOK_H

#include "lib/util.h"
#include "qemu/machine.h"
#include "sysfs.h"

/*
 * look_add_first(), look_add_devices(), look_add_again() - append the words for a look at the
 * blocks of @list (NULL: all), or of QEMU's DIMMs; at all blocks, where those lie in too many
 * places or there are none. The first look shows everything about the guest, another one only its
 * memory.
 */
void look_add_first(struct buf *words, const struct block_list *list);
void look_add_devices(struct buf *words, const struct machine *m);
void look_add_again(struct buf *words, const struct block_list *list);

#endif
