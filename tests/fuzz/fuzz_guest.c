/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A guest's console that sends anything: the opening, frames, scans, reasons. The session's id is
 * that of the seam; the first answer is exchange 1. */
#include <string.h>

#include "cmd/opener.h"
#include "fuzz.h"
#include "hotplug/ask.h"
#include "hotplug/blocks.h"

/* Use a scan as the commands do. */
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
	block_list_free(&sorted);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct deadline d = seam_deadline();
	struct vm vm = { .channel = seam_address(ADDRESS_SERIAL), .deadline = &d };
	_cleanup_request_ struct request change = { 0 };
	struct err err = { 0 };
	struct transaction t;

	seam_feed(data, size);
	transaction_init(&t, opener_of(&vm), &d);
	if (!transaction_query(&t, QUERY_GUEST | QUERY_CHANGE, &err)) {
		look(&t.view.before);
		command_add_range(request_add(&change, VERB_OFFLINE), 35, 32);
		request_add(&change, VERB_SCAN);
		(void)!hotplug_ask(&t, &change, WORK_OFFLINE, &err);
		look(&t.view.after);
		(void)!hotplug_restore(&t, &t.view.before.blocks, &err);
	}
	transaction_free(&t);
	vm_close(&vm);
	return 0;
}
