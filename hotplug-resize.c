/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The job "resize": whatever devices it takes for the VM to have so much memory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hotplug-guest.h"
#include "hotplug-resize.h"
#include "size.h"
#include "util.h"

/* In so many pieces memory is added, so that it can be taken back in pieces. */
#define DIMMS_MAX 8

void resize_release(struct resize *r)
{
	vmem_release(&r->vmem);
	plug_release(&r->plug);
	unplug_release(&r->unplug);
}

static int find_target(struct resize *r, struct err *err)
{
	if (r->sign == '+')
		r->target_bytes = r->before_bytes + r->size_bytes;
	else if (r->sign == '-')
		r->target_bytes = r->before_bytes - r->size_bytes;
	else
		r->target_bytes = r->size_bytes;
	if ((r->sign == '-' && r->size_bytes >= r->before_bytes) ||
	    (r->sign == '+' && r->target_bytes < r->before_bytes)) {
		char before[SIZE_TEXT_MAX];

		return err_set(err, ERR_FAILED, "there is %s", size_exact(before, r->before_bytes));
	}
	return 0;
}

/* Say which totals next to the target are possible; 0 for none. */
static int reachable(const struct resize *r, uint64_t below_bytes, uint64_t above_bytes,
		     struct err *err)
{
	char below[SIZE_TEXT_MAX], above[SIZE_TEXT_MAX];

	if (below_bytes == r->before_bytes || !below_bytes || below_bytes == above_bytes)
		return err_hint(err, "%s can be reached",
				size_exact(above, above_bytes ? above_bytes : below_bytes));
	if (!above_bytes || above_bytes == r->before_bytes)
		return err_hint(err, "%s can be reached", size_exact(below, below_bytes));
	return err_hint(err, "%s and %s can be reached", size_exact(below, below_bytes),
			size_exact(above, above_bytes));
}

static bool is_ours(const struct resize *r, const struct memdev *d)
{
	return r->node < 0 || ((d->has & MEMDEV_HAS_NODE) && d->node == (uint64_t)r->node);
}

/* Is it a virtio-mem device that this resize may change? */
static bool is_elastic(const struct resize *r, const struct memdev *d)
{
	return memdev_is_virtio_mem(d) && d->handle && is_ours(r, d);
}

/* More of a device whose backend other processes cannot reach would only do harm. */
static bool can_grow(const struct hotplug *h, const struct resize *r, const struct memdev *d)
{
	return is_elastic(r, d) && d->size_bytes < d->span_bytes &&
	       !sharing_excludes(&h->sharing, d->backend);
}

/* How much more virtio-mem devices can take, and in the smallest steps of what size. */
static uint64_t elastic_room(const struct hotplug *h, const struct resize *r, uint64_t *step_bytes)
{
	uint64_t bytes = 0;
	unsigned i;

	*step_bytes = UINT64_MAX;
	for (i = 0; i < h->machine.devices_count; i++) {
		const struct memdev *d = &h->machine.devices[i];

		if (!can_grow(h, r, d))
			continue;
		bytes += d->span_bytes - d->size_bytes;
		if (d->step_bytes < *step_bytes)
			*step_bytes = d->step_bytes;
	}
	return bytes;
}

/* Let virtio-mem devices take @bytes; returns what is too little for them. */
static uint64_t grow_elastic(const struct hotplug *h, struct resize *r, uint64_t bytes)
{
	unsigned i;

	for (i = 0; i < h->machine.devices_count && bytes; i++) {
		const struct memdev *d = &h->machine.devices[i];
		uint64_t take;

		if (!can_grow(h, r, d))
			continue;
		take = d->span_bytes - d->size_bytes < bytes ? d->span_bytes - d->size_bytes
							     : bytes;
		take -= take % d->step_bytes;
		if (take)
			vmem_add(h, &r->vmem, d, d->size_bytes + take);
		bytes -= take;
	}
	return bytes;
}

static uint64_t free_slots(const struct machine *m)
{
	unsigned used = machine_slots_used(m);

	return m->has_slots && m->slots > used ? m->slots - used : 0;
}

/* How many DIMMs of @dimm_bytes, and halves of it for the rest, @bytes make. */
static uint64_t count_dimms(uint64_t bytes, uint64_t dimm_bytes, uint64_t block_bytes)
{
	uint64_t count = bytes / dimm_bytes, rest = bytes % dimm_bytes;

	for (dimm_bytes /= 2; dimm_bytes >= block_bytes; dimm_bytes /= 2) {
		count += rest >= dimm_bytes;
		rest %= dimm_bytes;
	}
	return count;
}

static int fits(struct hotplug *h, uint64_t dimm_bytes)
{
	struct err ignored;

	return plug_count_fitting(h, &dimm_bytes, 1, &ignored) == 1;
}

/* The size of the DIMMs that add up to @bytes: few slots, small pieces, and room for the memory map
 * of each. */
static uint64_t choose_dimm(struct hotplug *h, uint64_t bytes, uint64_t block_bytes)
{
	uint64_t slots = free_slots(&h->machine),
		 most = slots / 2 < DIMMS_MAX ? slots / 2 : DIMMS_MAX;
	uint64_t dimm_bytes = block_bytes;

	while (dimm_bytes < bytes && count_dimms(bytes, dimm_bytes, block_bytes) > most)
		dimm_bytes *= 2;
	if (dimm_bytes > bytes && fits(h, bytes))
		return bytes; /* halves would take more slots than there are to spare */
	while (dimm_bytes > block_bytes && !fits(h, dimm_bytes) &&
	       count_dimms(bytes, dimm_bytes / 2, block_bytes) <= slots)
		dimm_bytes /= 2;
	return dimm_bytes;
}

static void add_dimms(struct resize *r, uint64_t bytes, uint64_t dimm_bytes, uint64_t block_bytes)
{
	for (; dimm_bytes >= block_bytes; dimm_bytes /= 2) {
		plug_add_units(&r->plug, dimm_bytes, (unsigned)(bytes / dimm_bytes));
		bytes %= dimm_bytes;
	}
}

/* The smallest DIMM that makes sense; without a guest to ask, what x86 guests have. */
static uint64_t block_bytes_of(const struct hotplug *h)
{
	return h->has_guest ? h->before.block_size_bytes : UINT64_C(128) << 20;
}

/* What every DIMM that is added is a multiple of. */
static uint64_t dimm_unit(const struct hotplug *h, const struct resize *r)
{
	return r->dimm_bytes ? r->dimm_bytes : block_bytes_of(h);
}

static int refuse_size(const struct resize *r, uint64_t bytes, uint64_t unit_bytes, struct err *err)
{
	uint64_t below_bytes = r->target_bytes - bytes % unit_bytes;
	char unit[SIZE_TEXT_MAX];

	err_set(err, ERR_FAILED, "memory can be added in pieces of %s",
		size_exact(unit, unit_bytes));
	return reachable(r, below_bytes, below_bytes + unit_bytes, err);
}

static int grow_dimms(struct hotplug *h, struct resize *r, uint64_t bytes, struct err *err)
{
	uint64_t block_bytes = block_bytes_of(h);

	r->plug.request = (struct plug_request){ .size_text = r->text,
						 .size_bytes = bytes,
						 .zone = r->zone,
						 .is_online_wanted = true,
						 .has_node = r->node >= 0,
						 .node = (uint64_t)r->node };
	if (plug_check_request(&r->plug.request, err))
		return -1;
	if (r->dimm_bytes && bytes / r->dimm_bytes > UNITS_MAX)
		return err_set(err, ERR_FAILED, "that is more than %d DIMMs", UNITS_MAX);
	if (r->dimm_bytes)
		plug_add_units(&r->plug, r->dimm_bytes, (unsigned)(bytes / r->dimm_bytes));
	else
		add_dimms(r, bytes, choose_dimm(h, bytes, block_bytes), block_bytes);
	return plug_prepare(h, &r->plug, err);
}

/* DIMMs take what virtio-mem has no room for, rounded up to whole ones; virtio-mem takes the rest.
 */
static int grow(struct hotplug *h, struct resize *r, struct err *err)
{
	uint64_t bytes = r->target_bytes - r->before_bytes, unit_bytes = dimm_unit(h, r);
	uint64_t step_bytes, room_bytes = elastic_room(h, r, &step_bytes);
	uint64_t dimms_bytes = 0, left_bytes;

	if (zone_check(h, r->zone, err))
		return -1;
	if (bytes > room_bytes)
		dimms_bytes = (bytes - room_bytes + unit_bytes - 1) / unit_bytes * unit_bytes;
	if (dimms_bytes > bytes)
		return refuse_size(r, bytes - room_bytes, unit_bytes, err);
	left_bytes = grow_elastic(h, r, bytes - dimms_bytes);
	if (left_bytes)
		return refuse_size(r, left_bytes, step_bytes, err);
	if (!h->is_dry_run && hotplug_hold(h, err))
		return -1;
	r->vmem.zone = r->zone;
	if (r->vmem.units_count)
		vmem_prepare(h, &r->vmem);
	return dimms_bytes ? grow_dimms(h, r, dimms_bytes, err) : 0;
}

static uint64_t elastic_bytes(const struct hotplug *h, const struct resize *r)
{
	uint64_t bytes = 0;
	unsigned i;

	for (i = 0; i < h->machine.devices_count; i++)
		if (is_elastic(r, &h->machine.devices[i]))
			bytes += h->machine.devices[i].size_bytes;
	return bytes;
}

/* Take @bytes from virtio-mem devices, the last first; returns what could not be taken. */
static uint64_t shrink_elastic(const struct hotplug *h, struct resize *r, uint64_t bytes)
{
	unsigned i;

	for (i = h->machine.devices_count; i-- > 0 && bytes;) {
		const struct memdev *d = &h->machine.devices[i];
		uint64_t take;

		if (!is_elastic(r, d))
			continue;
		take = d->size_bytes < bytes ? d->size_bytes : bytes;
		take -= take % d->step_bytes;
		if (take)
			vmem_add(h, &r->vmem, d, d->size_bytes - take);
		bytes -= take;
	}
	return bytes;
}

static int cannot_shrink(const struct resize *r, uint64_t elastic_bytes,
			 const struct choice *choice, struct err *err)
{
	char bytes[SIZE_TEXT_MAX];
	uint64_t most_bytes = choice->below + elastic_bytes;

	err_set(err, ERR_FAILED, "what was plugged does not add up to %s",
		size_exact(bytes, r->before_bytes - r->target_bytes));
	if (!most_bytes && !choice->above)
		return err_hint(err, "%s",
				r->node < 0 ? "what the VM booted with stays"
					    : "what the node booted with stays");
	return reachable(r, choice->above ? r->before_bytes - choice->above : 0,
			 r->before_bytes - most_bytes, err);
}

static int shrink(struct hotplug *h, struct resize *r, struct err *err)
{
	uint64_t bytes = r->before_bytes - r->target_bytes, elastic = elastic_bytes(h, r), left;
	struct choice choice;

	if (!unplug_add_sum(h, &r->unplug, r->node, bytes > elastic ? bytes - elastic : 0, bytes,
			    &choice))
		return cannot_shrink(r, elastic, &choice, err);
	left = shrink_elastic(h, r, bytes - choice.sum);
	if (left) {
		err_set(err, ERR_FAILED, "virtio-mem does not give back memory in so small pieces");
		return reachable(r, 0, r->target_bytes + left, err);
	}
	if (h->has_guest && hotplug_check_room(h, bytes - choice.sum, err))
		return -1;
	if (r->vmem.units_count)
		vmem_prepare(h, &r->vmem);
	return r->unplug.leaving_count ? unplug_prepare(h, &r->unplug, err) : 0;
}

/* Read back. */
static int verify(struct hotplug *h, void *job, struct err *err)
{
	struct resize *r = job;
	char after[SIZE_TEXT_MAX];

	if (machine_query_total(h->vm->qmp, r->node, &r->after_bytes, err) ||
	    machine_query_devices(&h->machine, h->vm->qmp, err))
		return -1;
	if (r->after_bytes != r->target_bytes)
		return err_set(err, ERR_FAILED, "QEMU has %s afterwards",
			       size_exact(after, r->after_bytes));
	return 0;
}

static const struct step verify_steps[] = {
	{ "verify", verify, NULL, NULL },
};

static int prepare(struct hotplug *h, struct resize *r, struct err *err)
{
	if (machine_query_total(h->vm->qmp, r->node, &r->before_bytes, err) || find_target(r, err))
		return -1;
	r->after_bytes = r->before_bytes;
	if (r->target_bytes == r->before_bytes)
		return 0;
	if (r->target_bytes > r->before_bytes ? grow(h, r, err) : shrink(h, r, err))
		return -1;
	hotplug_add_steps(h, verify_steps, ARRAY_SIZE(verify_steps), r);
	return 0;
}

/* After a failure: what the VM has now is what counts, wherever the work ended. */
static void ask_what_is_left(struct hotplug *h, struct resize *r)
{
	struct err ignored;

	if (h->outcome != OUTCOME_UNCHANGED &&
	    machine_query_total(h->vm->qmp, r->node, &r->after_bytes, &ignored))
		r->after_bytes = 0;
}

int hotplug_resize(struct hotplug *h, struct resize *r, struct err *err)
{
	h->is_adding = r->sign != '-';
	h->ahead = r->sign == '-' ? "ease" : "swift";
	if (!hotplug_look(h, LOOK_QMP | LOOK_CHANGE, err) && !prepare(h, r, err) &&
	    !hotplug_execute(h, err))
		return 0;
	ask_what_is_left(h, r);
	return err_wrap(err, "cannot resize to '%s'", r->text);
}
