/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Can the guest do without the memory of devices that are to leave? */
#include <string.h>

#include "hotplug/blocks.h"
#include "hotplug/memmap.h"
#include "hotplug/room.h"

/* What the guest has of the device: a map that lies in the DIMM itself is no memory of its. */
static uint64_t online_bytes(const struct transaction *t, const struct memdev *d)
{
	struct block_list found = view_found_blocks(&t->view, &t->view.before, d);
	uint64_t bytes = 0;
	unsigned i;

	for (i = 0; i < found.count; i++)
		if (blocks_are_online(&found.runs[i]))
			bytes += (found.runs[i].last - found.runs[i].first + 1) *
				 t->view.before.block_size_bytes;
	block_list_free(&found);
	return memmap_lies_inside(&t->view.before, t->view.machine.arch, d->size_bytes)
		       ? bytes - bytes / MAP_SHARE
		       : bytes;
}

static int check(const struct transaction *t, const struct leaving *leaving, unsigned count,
		 struct err *err)
{
	uint64_t bytes = 0;
	unsigned i;

	for (i = 0; i < count; i++)
		bytes += online_bytes(t, &leaving[i].device);
	return hotplug_check_room(t, bytes, err);
}

int room_check(struct transaction *t, const struct leaving *leaving, unsigned count,
	       struct err *err)
{
	if (!check(t, leaving, count, err))
		return 0;
	if (!t->view.before.memmap_on_memory || t->view.before.kernel[0])
		return -1;
	if (hotplug_guest(t, "scan", "read", "again", err))
		return -1;
	memcpy(t->view.before.kernel, t->view.after.kernel, sizeof(t->view.before.kernel));
	return check(t, leaving, count, err);
}
