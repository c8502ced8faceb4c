/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Choose the zone of new memory. */
#include <stdio.h>

#include "hotplug/zone.h"
#include "lib/size.h"

#define MOVABLE_RATIO 3 /* auto keeps Movable to at most this many times the kernel zones */

/* The size of the guest's zones if all pieces go to Movable. */
struct zones {
	uint64_t movable_bytes, kernel_bytes;
};

static struct zones zones_with(const struct transaction *t, uint64_t added_bytes)
{
	struct block_sum sum = sysfs_sum(&t->view.before, -1);

	return (struct zones){
		.movable_bytes = sum.movable_bytes + t->movable_added_bytes + added_bytes,
		.kernel_bytes = sum.online_bytes - sum.movable_bytes + t->kernel_added_bytes,
	};
}

static bool is_balanced(const struct zones *z)
{
	return z->movable_bytes <= MOVABLE_RATIO * z->kernel_bytes;
}

static void give_to_kernel(struct zones *z, uint64_t bytes)
{
	z->movable_bytes -= bytes;
	z->kernel_bytes += bytes;
}

/* "auto chose Movable: 512 MiB is at most 3 times the kernel's 512 MiB", or
 * "auto put 1 of 3 in kernel: 1.5 GiB Movable is at most 3 times its 2.5 GiB" */
static void explain(char *reason, uint64_t first, uint64_t count, const struct zones *z)
{
	bool is_kernel = first || (count == 1 && !is_balanced(z));
	const char *over = first ? "is over" : "would be over";
	char movable[SIZE_TEXT_MAX], kernel[SIZE_TEXT_MAX], choice[64];

	if (count == 1)
		snprintf(choice, sizeof(choice), "chose %s", is_kernel ? "kernel" : "Movable");
	else if (first)
		snprintf(choice, sizeof(choice), "put %llu of %llu in kernel",
			 (unsigned long long)first, (unsigned long long)count);
	else
		snprintf(choice, sizeof(choice), "put all %llu in Movable",
			 (unsigned long long)count);
	snprintf(reason, ZONE_REASON_MAX, "auto %s: %s%s %s %d times %s %s", choice,
		 size_format(movable, z->movable_bytes), is_kernel ? " Movable" : "",
		 is_balanced(z) ? "is at most" : over, MOVABLE_RATIO,
		 is_kernel ? "its" : "the kernel's", size_format(kernel, z->kernel_bytes));
}

/* How many pieces auto puts in kernel zones: the first ones, so that they hold the others' memory
 * map. */
static unsigned split_auto(const struct transaction *t, const uint64_t *sizes, unsigned count,
			   char *reason)
{
	uint64_t added_bytes = 0;
	struct zones z;
	unsigned i, first;

	for (i = 0; i < count; i++)
		added_bytes += sizes[i];
	z = zones_with(t, added_bytes);
	explain(reason, 0, count, &z);
	for (first = 0; first < count && !is_balanced(&z); first++)
		give_to_kernel(&z, sizes[first]);
	if (count > 1)
		explain(reason, first, count, &z);
	return first;
}

/* The same for any number of pieces of one size. */
static uint64_t split_even(const struct transaction *t, uint64_t size_bytes, uint64_t count,
			   char *reason)
{
	struct zones z = zones_with(t, size_bytes * count);
	uint64_t first = 0;

	explain(reason, 0, count, &z);
	if (!is_balanced(&z)) {
		uint64_t over_bytes = z.movable_bytes - MOVABLE_RATIO * z.kernel_bytes;
		uint64_t step_bytes = (MOVABLE_RATIO + 1) * size_bytes;

		first = over_bytes / step_bytes + !!(over_bytes % step_bytes);
	}
	if (first > count)
		first = count;
	give_to_kernel(&z, first * size_bytes);
	if (count > 1)
		explain(reason, first, count, &z);
	return first;
}

/* Can auto choose? If not, *reason says why. */
static bool is_auto(const struct view *v, enum zone zone, char *reason)
{
	*reason = '\0';
	if (v->before.is_agent_only)
		snprintf(reason, ZONE_REASON_MAX,
			 "auto left the zone to the guest's kernel: its agent forbids guest-exec");
	return !v->before.is_agent_only && zone == ZONE_AUTO && v->has_guest;
}

unsigned zone_split(struct transaction *t, enum zone zone, const uint64_t *sizes, unsigned count,
		    char *reason)
{
	unsigned i, first = zone == ZONE_KERNEL ? count : 0;

	if (is_auto(&t->view, zone, reason))
		first = split_auto(t, sizes, count, reason);
	for (i = 0; i < count; i++)
		*(i < first ? &t->kernel_added_bytes : &t->movable_added_bytes) += sizes[i];
	return first;
}

uint64_t zone_split_even(struct transaction *t, enum zone zone, uint64_t size_bytes, uint64_t count,
			 char *reason)
{
	uint64_t first = zone == ZONE_KERNEL ? count : 0;

	if (is_auto(&t->view, zone, reason))
		first = split_even(t, size_bytes, count, reason);
	t->kernel_added_bytes += first * size_bytes;
	t->movable_added_bytes += (count - first) * size_bytes;
	return first;
}

enum zone zone_of_others(const struct view *v)
{
	return v->before.is_agent_only ? ZONE_ANY : ZONE_MOVABLE;
}

enum zone zone_choose(struct transaction *t, enum zone zone, uint64_t size_bytes, char *reason)
{
	return zone_split(t, zone, &size_bytes, 1, reason) ? ZONE_KERNEL : zone_of_others(&t->view);
}

enum zone zone_begun(const struct view *v, const struct memdev *d, bool *is_mixed)
{
	struct block_list found = view_found_blocks(v, &v->before, d);
	enum zone zone = ZONE_AUTO;
	unsigned i;

	for (i = 0; i < found.count; i++) {
		enum zone of = blocks_zone(&found.runs[i]);

		if (of == ZONE_ANY)
			continue;
		*is_mixed |= zone != ZONE_AUTO && zone != of;
		zone = of;
	}
	block_list_free(&found);
	return *is_mixed ? ZONE_AUTO : zone;
}

int zone_check(const struct view *v, enum zone zone, struct err *err)
{
	if (zone == ZONE_AUTO || !v->before.is_agent_only)
		return 0;
	err_set(err, ERR_FAILED,
		"the guest agent forbids guest-exec: without it memhp cannot choose zone %s",
		sysfs_zone_word(zone));
	return err_hint(err,
			"--zone auto leaves it to the guest's kernel; or allow guest-exec in the "
			"guest's /etc/qemu/qemu-ga.conf, or use --guest serial:PATH or "
			"ssh:HOST");
}
