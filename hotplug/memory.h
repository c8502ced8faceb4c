/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * memory: requests for the guest's memory, and the answers as data. A guest takes about a
 * millisecond per block, so only the blocks that matter are requested.
 */
#ifndef HOTPLUG_MEMORY_H
#define HOTPLUG_MEMORY_H

#include "guest/guest.h"
#include "qemu/machine.h"
#include "sysfs.h"

/*
 * memory_request_first(), memory_request_devices(), memory_request_again() - append a request for
 * the blocks of @list (NULL: all), or of QEMU's DIMMs; for all blocks if those are none or form too
 * many runs. The first request is for everything about the guest, later ones only for its memory.
 */
void memory_request_first(struct request *r, const struct block_list *list);
void memory_request_devices(struct request *r, const struct machine *m);
void memory_request_again(struct request *r, const struct block_list *list);

/*
 * memory_read() - read the guest's memory from the answer to a request
 * @g:	replaced; the caller frees it
 * @err:	ERR_GUEST_UNREACHABLE when the answer is malformed
 */
int memory_read(struct guest_memory *g, const struct request *r, const struct answer *answer,
		struct err *err) __attribute__((warn_unused_result));

#endif
