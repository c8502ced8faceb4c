/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * memory: what a guest is asked about its memory, and its answer as data. A guest takes a
 * millisecond for each block, so that only those are asked for that matter.
 */
#ifndef HOTPLUG_MEMORY_H
#define HOTPLUG_MEMORY_H

#include "guest/guest.h"
#include "qemu/machine.h"
#include "sysfs.h"

/*
 * memory_ask_first(), memory_ask_devices(), memory_ask_again() - append what asks for the blocks of
 * @list (NULL: all), or of QEMU's DIMMs; for all blocks, where those lie in too many places or
 * there are none. The first time for everything about the guest, later only for its memory.
 */
void memory_ask_first(struct request *r, const struct block_list *list);
void memory_ask_devices(struct request *r, const struct machine *m);
void memory_ask_again(struct request *r, const struct block_list *list);

/*
 * memory_read() - what the answer to a request tells of the guest's memory
 * @g:		replaced; the caller releases it
 * @err:	ERR_GUEST_UNREACHABLE when the answer makes no sense
 */
int memory_read(struct guest_memory *g, const struct request *r, const struct answer *answer,
		struct err *err) __attribute__((warn_unused_result));

#endif
