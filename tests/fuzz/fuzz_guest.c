/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A guest's console that says anything: the opening, frames, scans, reasons. The session's id is
 * that of the seam; the first answer is exchange 1. */
#include <string.h>

#include "fuzz.h"
#include "hotplug/blocks.h"

/* What the commands do with a scan. */
static void look(const struct guest_memory *g)
{
	struct block_list sorted = { 0 };
	struct block_sum sum = sysfs_sum(g, -1);
	char range[BLOCKS_TEXT_MAX];
	unsigned i;

	seam_check(sum.movable_bytes <= sum.online_bytes);
	for (i = g->blocks.count; i > 0; i--) {
		const struct blocks *b = &g->blocks.runs[i - 1];

		seam_check(b->first <= b->last);
		blocks_format(range, b->first, b->last);
		block_list_add(&sorted, b);
	}
	block_list_sort(&sorted);
	seam_check(block_list_blocks(&sorted) == block_list_blocks(&g->blocks));
	block_list_release(&sorted);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct deadline d = seam_deadline();
	struct vm vm = { .channel = seam_address(ADDRESS_SERIAL), .deadline = &d };
	struct err err = { 0 };
	struct hotplug h;

	seam_feed(data, size);
	hotplug_init(&h, &vm);
	if (!hotplug_look(&h, LOOK_GUEST | LOOK_CHANGE, &err)) {
		look(&h.before);
		(void)!hotplug_guest(&h, "change 9 lower any 35-32;scan", "take", "offline", &err);
		look(&h.after);
		(void)!hotplug_restore(&h, &h.before.blocks, &err);
	}
	hotplug_release(&h);
	vm_close(&vm);
	return 0;
}
