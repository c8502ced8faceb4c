/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The job "unplug": which DIMMs to unplug. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hotplug/unplug.h"
#include "lib/size.h"
#include "lib/util.h"

void unplug_free(struct unplug *unplug)
{
	leaving_free(&unplug->leaving, &unplug->leaving_count);
	block_list_free(&unplug->blocks);
	stayers_free(&unplug->stayers);
}

int unplug_stay(struct unplug *unplug, const char *name, const struct err *err)
{
	if (!unplug->is_keep_going)
		return -1;
	stayers_add(&unplug->stayers, name, false, err);
	return 0;
}

void unplug_keep(struct unplug *unplug, unsigned i, const struct err *err)
{
	const struct leaving *l = &unplug->leaving[i];

	stayers_add(&unplug->stayers, memdev_name(&l->device), l->is_chosen, err);
	unplug->size_bytes -= l->device.size_bytes;
	if (l->is_chosen)
		unplug->short_bytes += l->device.size_bytes;
	leaving_drop(unplug->leaving, &unplug->leaving_count, i);
}

int unplug_add(struct unplug *unplug, const struct memdev *d, struct err *err)
{
	unsigned i;

	if (!memdev_is_dimm(d)) {
		err_set(err, ERR_FAILED, "'%s' is a %s device: only DIMMs can be unplugged",
			memdev_name(d), d->type);
		return memdev_is_virtio_mem(d)
			       ? err_hint(err, "memhp resize takes memory back from it")
			       : -1;
	}
	if (!d->handle)
		return err_set(err, ERR_FAILED, "the device at 0x%llx has neither id nor path",
			       (unsigned long long)d->address);
	for (i = 0; i < unplug->leaving_count; i++)
		if (memdev_is_same(&unplug->leaving[i].device, d))
			return 0;
	leaving_add(&unplug->leaving, &unplug->leaving_count, d);
	unplug->size_bytes += d->size_bytes;
	return 0;
}

/* The number of "memhp<number>-dimm", or -1. */
static int64_t memhp_number(const struct memdev *d)
{
	uint64_t number;
	_cleanup_free_ char *digits = NULL;
	size_t len;

	if (!d->id || strncmp(d->id, "memhp", 5) != 0)
		return -1;
	len = strspn(d->id + 5, "0123456789");
	digits = xstrndup(d->id + 5, len);
	return !strcmp(d->id + 5 + len, "-dimm") && parse_u64(digits, 10, &number) &&
			       number < UINT32_MAX
		       ? (int64_t)number
		       : -1;
}

/* QEMU does not tell when a DIMM was plugged: memhp's names count up; for others, a higher slot
 * counts as newer. */
static bool is_newer(const struct memdev *a, const struct memdev *b)
{
	int64_t x = memhp_number(a), y = memhp_number(b);

	return x != y ? x > y : a->slot > b->slot;
}

static bool can_leave(const struct memdev *d)
{
	return d->is_hotplugged && memdev_is_dimm(d) && d->handle;
}

/* No DIMM was hotplugged: after a migration all are there from the start. */
static int none_hotplugged(const struct view *v, struct err *err)
{
	unsigned i, count = 0;

	for (i = 0; i < v->machine.devices_count; i++) {
		const struct memdev *d = &v->machine.devices[i];

		count += memdev_is_dimm(d) && !d->is_hotplugged && d->handle;
	}
	err_set(err, ERR_FAILED, "no DIMM has been hotplugged");
	if (!count)
		return err_hint(err, "see memhp list");
	return err_hint(err, "%u %s there when QEMU started: name %s to unplug %s", count,
			count > 1 ? "DIMMs were" : "DIMM was", count > 1 ? "them" : "it",
			count > 1 ? "them" : "it");
}

int unplug_add_last(const struct view *v, struct unplug *unplug, struct err *err)
{
	const struct memdev *last = NULL;
	unsigned i;

	for (i = 0; i < v->machine.devices_count; i++) {
		const struct memdev *d = &v->machine.devices[i];

		if (can_leave(d) && (!last || is_newer(d, last)))
			last = d;
	}
	return last ? unplug_add(unplug, last, err) : none_hotplugged(v, err);
}

int unplug_add_all(const struct view *v, struct unplug *unplug, struct err *err)
{
	unsigned i;

	for (i = 0; i < v->machine.devices_count; i++) {
		const struct memdev *d = &v->machine.devices[i];

		if (d->is_hotplugged && memdev_is_dimm(d) && unplug_add(unplug, d, err) &&
		    unplug_stay(unplug, memdev_name(d), err))
			return -1;
	}
	return unplug->leaving_count || unplug->stayers.count ? 0 : none_hotplugged(v, err);
}

static bool is_taken(const struct unplug *unplug, const struct memdev *d)
{
	unsigned i;

	for (i = 0; i < unplug->leaving_count; i++)
		if (memdev_is_same(&unplug->leaving[i].device, d))
			return true;
	return false;
}

/* Is all of it in Movable, so that the kernel's own memory is elsewhere? */
static bool is_movable(const struct transaction *t, const struct memdev *d)
{
	struct block_list blocks = view_found_blocks(&t->view, &t->view.before, d);
	bool is_free = true;
	unsigned i;

	for (i = 0; i < blocks.count; i++)
		is_free &= !blocks_are_online(&blocks.runs[i]) ||
			   blocks_zone(&blocks.runs[i]) == ZONE_MOVABLE;
	block_list_free(&blocks);
	return is_free;
}

/* A DIMM that could be unplugged, and how well it suits. */
struct candidate {
	const struct memdev *device;
	bool is_movable;
};

static int by_preference(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	if (x->is_movable != y->is_movable)
		return y->is_movable - x->is_movable;
	return is_newer(x->device, y->device) ? -1 : is_newer(y->device, x->device);
}

/* The DIMMs that could be unplugged, best first; the caller frees the array. */
static struct candidate *candidates(const struct transaction *t, const struct unplug *unplug,
				    int node, unsigned *count)
{
	struct candidate *found = xcalloc(t->view.machine.devices_count + 1, sizeof(*found));
	unsigned i;

	*count = 0;
	for (i = 0; i < t->view.machine.devices_count; i++) {
		const struct memdev *d = &t->view.machine.devices[i];

		if (!can_leave(d) || !d->size_bytes || is_taken(unplug, d) ||
		    stayers_have(&unplug->stayers, memdev_name(d)) ||
		    (node >= 0 && (!(d->has & MEMDEV_HAS_NODE) || d->node != (uint64_t)node)))
			continue;
		found[(*count)++] = (struct candidate){ d, is_movable(t, d) };
	}
	qsort(found, *count, sizeof(*found), by_preference);
	return found;
}

bool unplug_add_sum(const struct transaction *t, struct unplug *unplug, int node,
		    uint64_t least_bytes, uint64_t most_bytes, struct choice *out)
{
	unsigned i, count;
	_cleanup_free_ struct candidate *found = candidates(t, unplug, node, &count);
	_cleanup_free_ uint64_t *sizes = xcalloc(count + 1, sizeof(*sizes));
	_cleanup_free_ bool *chosen = xcalloc(count + 1, sizeof(*chosen));
	struct err ignored;

	for (i = 0; i < count; i++)
		sizes[i] = found[i].device->size_bytes;
	if (!choose_sum(sizes, count, least_bytes, most_bytes, chosen, out))
		return false;
	for (i = 0; i < count; i++)
		if (chosen[i] && !unplug_add(unplug, found[i].device, &ignored))
			unplug->leaving[unplug->leaving_count - 1].is_chosen = true;
	return true;
}

void unplug_replace(const struct transaction *t, struct unplug *unplug)
{
	uint64_t bytes = unplug->short_bytes;
	struct choice choice;

	unplug->short_bytes = 0;
	if (!bytes || unplug_add_sum(t, unplug, -1, bytes, bytes, &choice))
		return;
	unplug->is_short = true;
	if (choice.below)
		(void)!unplug_add_sum(t, unplug, -1, choice.below, choice.below, &choice);
}

static int add_size(const struct transaction *t, struct unplug *unplug, const char *word,
		    struct err *err)
{
	char below[SIZE_TEXT_MAX], above[SIZE_TEXT_MAX];
	uint64_t size_bytes;
	struct choice choice;

	if (size_parse(word, &size_bytes, err))
		return -1;
	if (unplug_add_sum(t, unplug, -1, size_bytes, size_bytes, &choice))
		return 0;
	if (choice.is_unknown) {
		err_set(err, ERR_FAILED, "too many sums of DIMMs to find one of %s", word);
		return err_hint(err, "name the DIMMs: see memhp list");
	}
	err_set(err, ERR_FAILED, "no hotplugged DIMMs add up to %s", word);
	if (unplug->is_keep_going) {
		unplug->short_bytes = size_bytes;
		unplug_replace(t, unplug);
	}
	if (choice.below && choice.above)
		return err_hint(err, "%s and %s can be reached", size_exact(below, choice.below),
				size_exact(above, choice.above));
	if (choice.below || choice.above)
		return err_hint(err, "%s can be reached",
				size_exact(below, choice.below + choice.above));
	return err_hint(err, "see memhp list");
}

static int add_arg(const struct transaction *t, struct unplug *unplug, const char *word,
		   struct err *err)
{
	const struct memdev *d = view_find_device(&t->view, word);

	if (d)
		return unplug_add(unplug, d, err);
	if (size_looks_like(word))
		return add_size(t, unplug, word, err);
	err_set(err, ERR_FAILED, "no memory device '%s'", word);
	return view_hint_device(&t->view, word, "see memhp list", err);
}

int unplug_add_args(const struct transaction *t, struct unplug *unplug, char *const *args,
		    unsigned count, struct err *err)
{
	unsigned i;

	for (i = 0; i < count; i++)
		if (add_arg(t, unplug, args[i], err) && unplug_stay(unplug, args[i], err))
			return -1;
	return 0;
}

void unplug_find_blocks(const struct view *v, struct unplug *unplug)
{
	struct block_list wanted = { 0 };
	unsigned i;

	block_list_free(&unplug->blocks);
	for (i = 0; i < unplug->leaving_count; i++) {
		const struct memdev *d = &unplug->leaving[i].device;
		struct blocks run;

		if (view_device_blocks(v, d, &run))
			block_list_add(&wanted, &run);
	}
	block_list_sort(&wanted);
	block_list_intersect(&unplug->blocks, &v->before.blocks, &wanted);
	block_list_free(&wanted);
}

int unplug_check_offline(const struct view *v, const struct block_list *wanted, struct err *err)
{
	struct block_list found = { 0 };
	int status = 0;
	unsigned i;

	block_list_intersect(&found, &v->after.blocks, wanted);
	for (i = 0; i < found.count && !status; i++)
		if (!blocks_are_offline(&found.runs[i]))
			status = err_set(err, ERR_GUEST_REFUSED, "'memory%llu' is %s, not offline",
					 (unsigned long long)found.runs[i].first,
					 found.runs[i].state);
	block_list_free(&found);
	return status;
}
