/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * owners: which memory device the guest's blocks belong to, by ranges: a guest may report ten
 * million blocks. Must never: talk to QEMU or the guest.
 */
#ifndef CMD_OWNERS_H
#define CMD_OWNERS_H

#include <stdint.h>

#include "hotplug/transaction.h"

/* The blocks of a device. */
struct owned {
	uint64_t first, last; /* both included */
	const struct memdev *device;
};

/* All devices that have blocks, ascending, without overlaps. */
struct owners {
	struct owned *list;
	unsigned count;
};

/* owners_find() - the blocks of all devices of @t, borrowed from it; for owners_free() */
struct owners owners_find(const struct view *v);
void owners_free(struct owners *o);

/*
 * owners_get() - the owner of a block
 * @until:	receives the last block with the same owner; may be NULL
 * Return: the device; NULL for boot memory
 */
const struct memdev *owners_get(const struct owners *o, uint64_t block, uint64_t *until);

/* owners_split() - @list split into runs with one owner each; the caller frees it */
struct block_list owners_split(const struct owners *o, const struct block_list *list);

#endif
