/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * owners: which memory device the guest's blocks belong to, asked for ranges: a guest can tell of
 * ten million blocks. Must never: talk to anybody.
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

/* All devices that have blocks, ascending, none in two. */
struct owners {
	struct owned *list;
	unsigned count;
};

/* owners_find() - of all devices of @t, which they are borrowed from; owners_free() it */
struct owners owners_find(const struct view *v);
void owners_free(struct owners *o);

/*
 * owners_get() - whose a block is
 * @until:	receives the last block that the same holds for; NULL is fine
 * Return: the device; NULL when it is boot memory
 */
const struct memdev *owners_get(const struct owners *o, uint64_t block, uint64_t *until);

/* owners_split() - @list in parts that have one owner each; the caller frees it */
struct block_list owners_split(const struct owners *o, const struct block_list *list);

#endif
