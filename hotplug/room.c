/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Can the guest do without the memory of devices that are to be unplugged? */
#include <string.h>

#include "hotplug/ask.h"
#include "hotplug/memmap.h"
#include "hotplug/room.h"
#include "lib/size.h"

#define ROOM_BYTES (UINT64_C(16) << 20) /* that the guest needs to keep */

/* Can the rest of the guest do without @bytes? */
static bool has_room(const struct guest_memory *g, uint64_t bytes)
{
	/* MemAvailable plus the memory map of what is removed; MemAvailable leaves out reserves,
	 * which shrink with the memory. The map is not counted if memmap_on_memory may apply. */
	uint64_t map_bytes = g->memmap_on_memory ? 0 : bytes / MAP_SHARE;

	return g->available_bytes >= bytes + ROOM_BYTES ||
	       ((g->has & GUEST_HAS_FREE) && g->free_bytes + map_bytes >= bytes + ROOM_BYTES);
}

int hotplug_check_room(const struct transaction *t, uint64_t bytes, struct err *err)
{
	char need[SIZE_TEXT_MAX], have[SIZE_TEXT_MAX];

	if (t->is_forced || !bytes || !(t->view.before.has & GUEST_HAS_AVAILABLE) ||
	    has_room(&t->view.before, bytes))
		return 0;
	err_set(err, ERR_GUEST_REFUSED,
		"the guest uses that memory: to give up %s it has %s available",
		size_format(need, bytes), size_format(have, t->view.before.available_bytes));
	return err_hint(err, "free memory in the guest first; --force tries anyway");
}

uint64_t room_online_bytes(const struct view *v, const struct memdev *d)
{
	struct block_list found = view_found_blocks(v, &v->before, d);
	uint64_t bytes = 0;
	unsigned i;

	for (i = 0; i < found.count; i++)
		if (blocks_are_online(&found.runs[i]))
			bytes += (found.runs[i].last - found.runs[i].first + 1) *
				 v->before.block_size_bytes;
	block_list_free(&found);
	return memmap_lies_inside(&v->before, v->machine.arch, d->size_bytes)
		       ? bytes - bytes / MAP_SHARE
		       : bytes;
}

static int check(const struct transaction *t, const struct leaving *leaving, unsigned count,
		 struct err *err)
{
	uint64_t bytes = 0;
	unsigned i;

	for (i = 0; i < count; i++)
		bytes += room_online_bytes(&t->view, &leaving[i].device);
	return hotplug_check_room(t, bytes, err);
}

int room_check(struct transaction *t, const struct leaving *leaving, unsigned count,
	       struct err *err)
{
	if (!check(t, leaving, count, err))
		return 0;
	if (!t->view.before.memmap_on_memory || t->view.before.kernel[0])
		return -1;
	if (hotplug_scan(t, err))
		return -1;
	memcpy(t->view.before.kernel, t->view.after.kernel, sizeof(t->view.before.kernel));
	return check(t, leaving, count, err);
}
