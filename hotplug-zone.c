/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which zone new memory goes to. */
#include <stdio.h>

#include "hotplug-zone.h"
#include "size.h"

#define MOVABLE_RATIO 3 /* Movable is at most this many times the kernel's zones */

static void explain(char *reason, unsigned first, unsigned count, uint64_t movable_bytes,
		    uint64_t kernel_bytes)
{
	char movable[SIZE_TEXT_MAX], kernel[SIZE_TEXT_MAX];
	int used = 0;

	if (count > 1)
		used = snprintf(reason, ZONE_REASON_MAX, "auto: %u of %u to kernel: ", first,
				count);
	else
		used = snprintf(reason, ZONE_REASON_MAX, "auto: ");
	snprintf(reason + used, ZONE_REASON_MAX - (size_t)used,
		 "Movable %s %s %d x kernel zones' %s", size_format(movable, movable_bytes),
		 movable_bytes <= MOVABLE_RATIO * kernel_bytes ? "<=" : ">", MOVABLE_RATIO,
		 size_format(kernel, kernel_bytes));
}

/* How many pieces auto gives to the kernel: they come first, and pay for the others' memory map. */
static unsigned split_auto(const struct hotplug *h, const uint64_t *sizes, unsigned count,
			   char *reason)
{
	struct block_sum sum = sysfs_sum(&h->before, -1);
	uint64_t movable_bytes = sum.movable_bytes + h->movable_added_bytes;
	uint64_t kernel_bytes = sum.online_bytes - sum.movable_bytes + h->kernel_added_bytes;
	unsigned i, first = 0;

	for (i = 0; i < count; i++)
		movable_bytes += sizes[i];
	explain(reason, first, count, movable_bytes, kernel_bytes);
	while (first < count && movable_bytes > MOVABLE_RATIO * kernel_bytes) {
		movable_bytes -= sizes[first];
		kernel_bytes += sizes[first];
		first++;
		if (count > 1)
			explain(reason, first, count, movable_bytes, kernel_bytes);
	}
	return first;
}

unsigned zone_split(struct hotplug *h, enum zone zone, const uint64_t *sizes, unsigned count,
		    char *reason)
{
	unsigned i, first = zone == ZONE_KERNEL ? count : 0;

	*reason = '\0';
	if (h->before.is_limited)
		snprintf(reason, ZONE_REASON_MAX,
			 "auto: left to the guest's kernel, as its agent allows no guest-exec");
	else if (zone == ZONE_AUTO && h->has_guest)
		first = split_auto(h, sizes, count, reason);
	for (i = 0; i < count; i++)
		*(i < first ? &h->kernel_added_bytes : &h->movable_added_bytes) += sizes[i];
	return first;
}

enum zone zone_of_others(const struct hotplug *h)
{
	return h->before.is_limited ? ZONE_ANY : ZONE_MOVABLE;
}

enum zone zone_choose(struct hotplug *h, enum zone zone, uint64_t size_bytes, char *reason)
{
	return zone_split(h, zone, &size_bytes, 1, reason) ? ZONE_KERNEL : zone_of_others(h);
}

enum zone zone_begun(const struct hotplug *h, const struct memdev *d, bool *is_mixed)
{
	struct block_list found = hotplug_found_blocks(h, &h->before, d);
	enum zone zone = ZONE_AUTO;
	unsigned i;

	for (i = 0; i < found.count; i++) {
		enum zone of = blocks_zone(&found.runs[i]);

		if (of == ZONE_ANY)
			continue;
		*is_mixed |= zone != ZONE_AUTO && zone != of;
		zone = of;
	}
	block_list_release(&found);
	return *is_mixed ? ZONE_AUTO : zone;
}

int zone_check(const struct hotplug *h, enum zone zone, struct err *err)
{
	if (zone == ZONE_AUTO || !h->before.is_limited)
		return 0;
	err_set(err, ERR_FAILED,
		"the guest agent allows no guest-exec: without it zone %s cannot be had",
		sysfs_zone_word(zone));
	return err_hint(err,
			"--zone auto leaves it to the guest's kernel; or allow guest-exec in the "
			"guest's /etc/qemu/qemu-ga.conf, or use --guest serial:PATH or "
			"ssh:HOST");
}
