/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The job "resize": plug, unplug and resize devices until the VM has the requested total. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hotplug/blocks.h"
#include "hotplug/room.h"
#include "hotplug/elastic.h"
#include "hotplug/growth.h"
#include "hotplug/leave.h"
#include "hotplug/resize.h"
#include "lib/size.h"
#include "lib/util.h"

/* Memory is added in up to this many pieces, so that it can be removed in pieces. */
#define DIMMS_MAX 8

void resize_free(struct resize *r)
{
	vmem_free(&r->vmem);
	plug_free(&r->plug);
	unplug_free(&r->unplug);
}

static int find_target(struct resize *r, struct err *err)
{
	bool is_too_much = r->sign == '-' && r->size_bytes > r->before_bytes;

	if (r->sign == '+')
		r->target_bytes = r->before_bytes + r->size_bytes;
	else if (r->sign == '-')
		r->target_bytes = r->before_bytes - r->size_bytes;
	else
		r->target_bytes = r->size_bytes;
	/* a node may have no memory at all, a VM may not */
	if (is_too_much || (!r->target_bytes && r->node < 0) ||
	    (r->sign == '+' && r->target_bytes < r->before_bytes)) {
		char before[SIZE_TEXT_MAX];

		return err_set(err, ERR_FAILED, "there is %s", size_exact(before, r->before_bytes));
	}
	if (r->target_bytes > SIZE_LIMIT_BYTES || r->dimm_bytes > SIZE_LIMIT_BYTES)
		return err_set(err, ERR_FAILED, "no machine has that much memory");
	r->has_target = true;
	return 0;
}

/* Report the nearest possible totals; the present total only if there is no other. */
static int reachable(const struct resize *r, uint64_t below_bytes, uint64_t above_bytes,
		     struct err *err)
{
	char below[SIZE_TEXT_MAX], above[SIZE_TEXT_MAX];

	if (below_bytes == r->before_bytes)
		below_bytes = above_bytes;
	if (above_bytes == r->before_bytes)
		above_bytes = below_bytes;
	size_exact(below, below_bytes);
	if (below_bytes == above_bytes)
		return err_hint(err, "%s can be reached", below);
	return err_hint(err, "%s and %s can be reached", below, size_exact(above, above_bytes));
}

static uint64_t free_slots(const struct machine *m)
{
	unsigned used = machine_slots_used(m);

	return m->has_slots && m->slots > used ? m->slots - used : 0;
}

/* The number of DIMMs for @bytes: of @dimm_bytes, then of halves for the remainder. */
static uint64_t count_dimms(uint64_t bytes, uint64_t dimm_bytes, uint64_t block_bytes)
{
	uint64_t count = bytes / dimm_bytes, rest = bytes % dimm_bytes;

	for (dimm_bytes /= 2; dimm_bytes >= block_bytes; dimm_bytes /= 2) {
		count += rest >= dimm_bytes;
		rest %= dimm_bytes;
	}
	return count;
}

static int fits(struct transaction *t, uint64_t dimm_bytes)
{
	struct err ignored;

	return plug_count_fitting(t, &dimm_bytes, 1, &ignored) == 1;
}

/* The DIMM size for @bytes: a compromise between few slots, small pieces, and room for the memory
 * map of each. */
static uint64_t choose_dimm(struct transaction *t, uint64_t bytes, uint64_t block_bytes)
{
	uint64_t slots = free_slots(&t->view.machine),
		 most = slots / 2 < DIMMS_MAX ? slots / 2 : DIMMS_MAX;
	uint64_t dimm_bytes = block_bytes;

	while (dimm_bytes < bytes && count_dimms(bytes, dimm_bytes, block_bytes) > most)
		dimm_bytes *= 2;
	if (dimm_bytes > bytes && fits(t, bytes))
		return bytes; /* halves would take too many of the free slots */
	while (dimm_bytes > block_bytes && !fits(t, dimm_bytes) &&
	       count_dimms(bytes, dimm_bytes / 2, block_bytes) <= slots)
		dimm_bytes /= 2;
	return dimm_bytes;
}

static void add_dimms(struct resize *r, uint64_t bytes, uint64_t dimm_bytes, uint64_t block_bytes)
{
	for (; dimm_bytes >= block_bytes; dimm_bytes /= 2) {
		plug_add_dimms(&r->plug, dimm_bytes, (unsigned)(bytes / dimm_bytes));
		bytes %= dimm_bytes;
	}
}

/* The smallest useful DIMM: a memory block; without a guest, that of x86. */
static uint64_t block_bytes_of(const struct view *v)
{
	return v->has_guest ? v->before.block_size_bytes : UINT64_C(128) << 20;
}

/* The granularity of added DIMMs. */
static uint64_t dimm_multiple(const struct view *v, const struct resize *r)
{
	return r->dimm_bytes ? r->dimm_bytes : block_bytes_of(v);
}

/* The next smaller DIMM size: a block times a power of two. */
static uint64_t smaller_dimm(uint64_t dimm_bytes, uint64_t block_bytes)
{
	uint64_t bytes = block_bytes;

	while (bytes * 2 < dimm_bytes)
		bytes *= 2;
	return bytes;
}

static bool has_gaps(const struct view *v, const struct plug *plug)
{
	_cleanup_free_ uint64_t *sizes = plug_sizes(plug);
	_cleanup_free_ struct device_place *places =
		xcalloc(plug->dimms_count + 1, sizeof(*places));
	struct err ignored;

	return !place_choose(v, &plug->request.backend, sizes, plug->dimms_count, places, &ignored);
}

/* Add DIMMs for @bytes, smaller ones if larger ones find no gap. */
static void add_chosen(struct transaction *t, struct resize *r, uint64_t bytes)
{
	uint64_t block_bytes = block_bytes_of(&t->view),
		 dimm_bytes = choose_dimm(t, bytes, block_bytes);

	add_dimms(r, bytes, dimm_bytes, block_bytes);
	while (dimm_bytes > block_bytes && !has_gaps(&t->view, &r->plug)) {
		dimm_bytes = smaller_dimm(dimm_bytes, block_bytes);
		if (count_dimms(bytes, dimm_bytes, block_bytes) > free_slots(&t->view.machine))
			return;
		r->plug.dimms_count = 0;
		add_dimms(r, bytes, dimm_bytes, block_bytes);
	}
}

static int plan_dimms(struct transaction *t, struct resize *r, uint64_t bytes, struct err *err)
{
	r->plug.request = (struct plug_request){ .size_text = r->text,
						 .size_bytes = bytes,
						 .zone = r->zone,
						 .is_online_wanted = true,
						 .growing_bytes = growth_bytes(&r->vmem),
						 .has_node = r->node >= 0,
						 .node = (uint64_t)r->node };
	if (plug_check_request(&r->plug.request, err))
		return -1;
	if (r->dimm_bytes && bytes / r->dimm_bytes > PLUG_DIMMS_MAX)
		return err_set(err, ERR_FAILED, "that is more than %d DIMMs", PLUG_DIMMS_MAX);
	if (r->dimm_bytes)
		plug_add_dimms(&r->plug, r->dimm_bytes, (unsigned)(bytes / r->dimm_bytes));
	else
		add_chosen(t, r, bytes);
	return 0;
}

/*
 * Split the growth: virtio-mem takes what it has room for; DIMMs take the excess, rounded up to
 * whole DIMMs, and the remainder below virtio-mem's block size. Returns what is too small for
 * either.
 */
static uint64_t share(struct view *v, struct resize *r, uint64_t *dimms_bytes)
{
	uint64_t bytes = r->target_bytes - r->before_bytes, unit = dimm_multiple(v, r), left;
	uint64_t room = elastic_room(v, r->node);

	*dimms_bytes = bytes > room ? (bytes - room + unit - 1) / unit * unit : 0;
	if (*dimms_bytes > bytes)
		return (bytes - room) % unit;
	left = elastic_grow(v, &r->vmem, r->node, bytes - *dimms_bytes);
	if (left % unit)
		return left;
	*dimms_bytes += left;
	return 0;
}

/* Could the VM grow to that total: are there slots, gaps and everything else it needs? */
static bool can_grow_to(struct transaction *t, const struct resize *r, uint64_t total_bytes)
{
	struct resize try = { .text = r->text,
			      .node = r->node,
			      .zone = r->zone,
			      .dimm_bytes = r->dimm_bytes,
			      .before_bytes = r->before_bytes,
			      .target_bytes = total_bytes };
	uint64_t dimms_bytes;
	struct err ignored;
	bool can = total_bytes > r->before_bytes && !share(&t->view, &try, &dimms_bytes) &&
		   (!dimms_bytes || !plan_dimms(t, &try, dimms_bytes, &ignored));

	if (can && dimms_bytes) {
		_cleanup_free_ uint64_t *sizes = plug_sizes(&try.plug);
		_cleanup_free_ struct device_place *places =
			xcalloc(try.plug.dimms_count + 1, sizeof(*places));

		can = !plug_check(t, &try.plug.request, sizes, try.plug.dimms_count, places,
				  &ignored);
	}
	resize_free(&try);
	return can;
}

/* The smallest total above the target that can be reached; the present total if none can. */
static uint64_t next_above(struct transaction *t, const struct resize *r)
{
	uint64_t bytes = r->target_bytes - r->before_bytes, unit = dimm_multiple(&t->view, r),
		 step = 0;
	uint64_t least = UINT64_MAX;

	do {
		uint64_t above;

		step = elastic_next_block_size(&t->view, r->node, step);
		above = (bytes / (step ? step : unit) + 1) * (step ? step : unit);
		if (above < least && can_grow_to(t, r, r->before_bytes + above))
			least = above;
	} while (step);
	return r->before_bytes + (least == UINT64_MAX ? 0 : least);
}

static int refuse_size(struct transaction *t, const struct resize *r, uint64_t left_bytes,
		       uint64_t unit_bytes, struct err *err)
{
	uint64_t below_bytes = r->target_bytes - left_bytes;
	char unit[SIZE_TEXT_MAX];

	err_set(err, ERR_FAILED, "memory can be added in pieces of %s",
		size_exact(unit, unit_bytes));
	if (!can_grow_to(t, r, below_bytes))
		below_bytes = r->before_bytes;
	return reachable(r, below_bytes, next_above(t, r), err);
}

static int grow(struct transaction *t, struct resize *r, struct err *err)
{
	uint64_t dimms_bytes, left_bytes,
		block_size_bytes = elastic_next_block_size(&t->view, r->node, 0);

	if (zone_check(&t->view, r->zone, err))
		return -1;
	left_bytes = share(&t->view, r, &dimms_bytes);
	if (left_bytes)
		return refuse_size(t, r, left_bytes,
				   block_size_bytes && !dimms_bytes ? block_size_bytes
								    : dimm_multiple(&t->view, r),
				   err);
	r->vmem.zone = r->zone;
	if (r->vmem.devices_count &&
	    growth_check_headroom(t, &r->vmem, r->target_bytes - r->before_bytes - dimms_bytes,
				  err))
		return -1;
	if (growth_check(t, &r->vmem, err) || (!t->is_dry_run && hotplug_freeze_policy(t, err)))
		return -1;
	if (r->vmem.devices_count && r->node >= 0 &&
	    vmem_require_node(&t->view, &r->vmem, (uint64_t)r->node, err))
		return -1;
	if (r->vmem.devices_count)
		vmem_prepare(t, &r->vmem);
	if (!dimms_bytes)
		return 0;
	return plan_dimms(t, r, dimms_bytes, err) || plug_prepare(t, &r->plug, err) ? -1 : 0;
}

static int cannot_shrink(const struct resize *r, uint64_t elastic_bytes,
			 const struct choice *choice, struct err *err)
{
	char bytes[SIZE_TEXT_MAX];
	uint64_t most_bytes = choice->below + elastic_bytes;

	if (choice->is_unknown) {
		err_set(err, ERR_FAILED, "too many sums of DIMMs to find one that fits");
		return err_hint(err, "unplug DIMMs by name: see memhp list");
	}
	if (most_bytes > r->before_bytes || choice->above > r->before_bytes)
		return err_set(err, ERR_FAILED,
			       "QEMU reports devices with more memory than the whole of %s",
			       size_exact(bytes, r->before_bytes));
	err_set(err, ERR_FAILED, "what was plugged does not add up to %s",
		size_exact(bytes, r->before_bytes - r->target_bytes));
	if (!most_bytes && !choice->above)
		return err_hint(err, "%s",
				r->node < 0 ? "what the VM booted with stays"
					    : "what the node booted with stays");
	return reachable(r, r->before_bytes - choice->above, r->before_bytes - most_bytes, err);
}

/* Does a different set of DIMMs add up to this, all of which can be unplugged? */
static bool can_leave(const struct transaction *t, struct resize *r, uint64_t bytes)
{
	struct unplug instead = { .leaves = r->unplug.leaves };
	struct choice choice;

	if (!unplug_add_sum(t, &instead, r->node, bytes, bytes, &choice))
		return false;
	unplug_free(&r->unplug);
	r->unplug = instead;
	return true;
}

static int shrink(struct transaction *t, struct resize *r, struct err *err)
{
	uint64_t bytes = r->before_bytes - r->target_bytes,
		 elastic = elastic_bytes(&t->view, r->node), left;
	struct choice choice;

	if (!unplug_add_sum(t, &r->unplug, r->node, bytes > elastic ? bytes - elastic : 0, bytes,
			    &choice))
		return cannot_shrink(r, elastic, &choice, err);
	left = elastic_shrink(&t->view, &r->vmem, r->node, bytes - choice.sum);
	if (left && can_leave(t, r, choice.sum + left)) {
		choice.sum += left;
		left = 0;
	}
	if (left) {
		err_set(err, ERR_FAILED,
			"virtio-mem does not give back memory in such small pieces");
		return reachable(r, r->before_bytes, r->target_bytes + left, err);
	}
	if (t->view.has_guest && hotplug_check_room(t, bytes - choice.sum, err))
		return -1;
	if (r->vmem.devices_count)
		vmem_prepare(t, &r->vmem);
	return r->unplug.leaving_count ? leave_prepare(t, &r->unplug, err) : 0;
}

/* Read back. */
static int verify(struct transaction *t, void *job, struct err *err)
{
	struct resize *r = job;
	char after[SIZE_TEXT_MAX];

	if (machine_query_total(t->view.qmp, r->node, &r->after_bytes, err) ||
	    machine_query_devices(&t->view.machine, t->view.qmp, err))
		return -1;
	if (r->after_bytes != r->target_bytes)
		return err_set(err, ERR_FAILED, "QEMU has %s afterwards",
			       size_exact(after, r->after_bytes));
	return 0;
}

static const struct step verify_steps[] = {
	{ "verify", verify, NULL, NULL, NULL },
};

static int prepare(struct transaction *t, struct resize *r, struct err *err)
{
	if (machine_query_total(t->view.qmp, r->node, &r->before_bytes, err))
		return -1;
	r->has_before = true;
	if (find_target(r, err))
		return -1;
	r->after_bytes = r->before_bytes;
	r->has_after = true;
	if (r->target_bytes == r->before_bytes)
		return 0;
	if (r->target_bytes > r->before_bytes ? grow(t, r, err) : shrink(t, r, err))
		return -1;
	transaction_add_steps(t, verify_steps, ARRAY_SIZE(verify_steps), r);
	return 0;
}

static bool is_leaving(const struct resize *r, const struct memdev *d)
{
	unsigned i;

	for (i = 0; i < r->unplug.leaving_count; i++)
		if (memdev_is_same(&r->unplug.leaving[i].device, d))
			return true;
	return false;
}

/* QEMU's total includes memory that the guest does not use: then warn although it is reached. */
static void warn_absent(struct transaction *t, const struct resize *r)
{
	unsigned i;

	for (i = 0; i < t->view.machine.devices_count; i++) {
		const struct memdev *d = &t->view.machine.devices[i];
		_cleanup_free_ char *text = NULL, *command = NULL;
		char size[SIZE_TEXT_MAX];

		if (!memdev_is_on_node(d, r->node) || is_leaving(r, d) ||
		    view_added(&t->view, &t->view.before, d) != ADDED_NOT)
			continue;
		command = view_absent_command(d);
		text = xasprintf("'%s' counts with %s, but the guest has not added it: take it "
				 "away with: %s",
				 memdev_name(d), size_exact(size, d->size_bytes), command);
		transaction_warn(t, text);
	}
}

/* After a failure: query the total that the VM has now. */
static void ask_what_is_left(struct transaction *t, struct resize *r)
{
	struct err ignored;

	if (t->outcome != OUTCOME_UNCHANGED)
		r->has_after =
			!machine_query_total(t->view.qmp, r->node, &r->after_bytes, &ignored);
}

int hotplug_resize(struct transaction *t, struct resize *r, struct err *err)
{
	t->view.is_adding = r->sign != '-';
	t->view.preload = VERB_BIT(r->sign == '-' ? VERB_OFFLINE_FAST : VERB_ONLINE_FAST);
	t->view.is_taking = r->sign != '+';
	if (!r->sign && r->node < 0)
		t->view.goal_bytes = r->size_bytes;
	if (!transaction_query(t, QUERY_QEMU | QUERY_CHANGE, err) && !prepare(t, r, err)) {
		warn_absent(t, r);
		if (!transaction_run(t, err))
			return 0;
	}
	ask_what_is_left(t, r);
	return err_wrap(err, "cannot resize to '%s'", r->text);
}
