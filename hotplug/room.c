/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Can the guest do without the memory of devices that are to leave? */
#include <string.h>

#include "hotplug/blocks.h"
#include "hotplug/memmap.h"
#include "hotplug/room.h"

uint64_t room_online_bytes(const struct hotplug *h, const struct memdev *d)
{
	struct block_list found = hotplug_found_blocks(h, &h->before, d);
	uint64_t bytes = 0;
	unsigned i;

	for (i = 0; i < found.count; i++)
		if (blocks_are_online(&found.runs[i]))
			bytes += (found.runs[i].last - found.runs[i].first + 1) *
				 h->before.block_size_bytes;
	block_list_release(&found);
	return memmap_lies_inside(&h->before, h->machine.arch, d->size_bytes)
		       ? bytes - bytes / MAP_SHARE
		       : bytes;
}

static int check(const struct hotplug *h, const struct leaving *leaving, unsigned count,
		 struct err *err)
{
	uint64_t bytes = 0;
	unsigned i;

	for (i = 0; i < count; i++)
		bytes += room_online_bytes(h, leaving[i].device);
	return hotplug_check_room(h, bytes, err);
}

int room_check(struct hotplug *h, const struct leaving *leaving, unsigned count, struct err *err)
{
	if (!check(h, leaving, count, err))
		return 0;
	if (!h->before.memmap_on_memory || h->before.kernel[0])
		return -1;
	if (hotplug_guest(h, "scan", "read", "again", err))
		return -1;
	memcpy(h->before.kernel, h->after.kernel, sizeof(h->before.kernel));
	return check(h, leaving, count, err);
}
