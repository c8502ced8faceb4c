/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The job of resizing virtio-mem devices. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest/by-hand.h"
#include "hotplug/ask.h"
#include "hotplug/blocks.h"
#include "hotplug/pool.h"
#include "hotplug/vmem.h"
#include "lib/size.h"
#include "lib/util.h"

/* QEMU sends MEMORY_DEVICE_SIZE_CHANGE at most once a second: query the size as well. */
#define ASK_MS 20

void vmem_add(const struct view *v, struct vmem *vmem, const struct memdev *d,
	      uint64_t target_bytes)
{
	struct vmem_device *device;

	vmem->devices = xgrow(vmem->devices, vmem->devices_count, sizeof(*vmem->devices));
	device = &vmem->devices[vmem->devices_count++];
	*device = (struct vmem_device){ .handle = xstrdup(memdev_name(d)),
					.requested_bytes = d->requested_bytes,
					.before_bytes = d->size_bytes,
					.size_bytes = d->size_bytes,
					.target_bytes = target_bytes };
	device->has_span = view_device_blocks(v, d, &device->span);
}

void vmem_free(struct vmem *vmem)
{
	unsigned i;

	for (i = 0; i < vmem->devices_count; i++)
		free(vmem->devices[i].handle);
	free(vmem->devices);
	free(vmem->nodes);
}

int vmem_require_node(const struct view *v, struct vmem *vmem, uint64_t node, struct err *err)
{
	vmem->nodes = xcalloc(1, sizeof(*vmem->nodes));
	vmem->node = node;
	return node_map_read(vmem->nodes, v, err) ||
			       machine_check_node(&vmem->nodes->nodes, node, err)
		       ? -1
		       : 0;
}

bool vmem_is_growing(const struct vmem *vmem)
{
	unsigned i;

	for (i = 0; i < vmem->devices_count; i++)
		if (vmem->devices[i].target_bytes > vmem->devices[i].before_bytes)
			return true;
	return false;
}

/* Wait for the reply about a device; one that is refused is as it was. */
static int take_reply(struct view *v, struct vmem_device *device, uint64_t id, bool is_back,
		      struct err *err)
{
	if (!qmp_receive(v->qmp, id, NULL, err))
		return 0;
	if (!is_back && err->code == ERR_QEMU_REFUSED)
		device->is_asked = false;
	return err->code == ERR_QEMU_REFUSED
		       ? err_wrap(err, "QEMU does not resize '%s'", device->handle)
		       : -1;
}

/* Request the target size of all devices or, on undo (@is_back), the former size of those
 * requested; the first failure is reported. */
static int request_sizes(struct view *v, struct vmem *vmem, bool is_back, struct err *err)
{
	_cleanup_free_ uint64_t *ids = xcalloc(vmem->devices_count, sizeof(*ids));
	struct err other;
	int status = 0;
	unsigned i;

	for (i = 0; i < vmem->devices_count; i++) {
		struct vmem_device *device = &vmem->devices[i];
		uint64_t size_bytes = is_back ? device->requested_bytes : device->target_bytes;

		if (is_back && !device->is_asked)
			continue;
		device->is_asked = true;
		if (qmp_send(v->qmp, machine_request_size(device->handle, size_bytes), &ids[i],
			     err))
			return -1;
	}
	for (i = 0; i < vmem->devices_count; i++)
		if (ids[i] &&
		    take_reply(v, &vmem->devices[i], ids[i], is_back, status ? &other : err))
			status = -1;
	return status;
}

static uint64_t wanted(const struct vmem_device *device, bool is_back)
{
	return is_back ? device->before_bytes : device->target_bytes;
}

/* How far the devices are from their wanted sizes. */
static uint64_t bytes_left(const struct vmem *vmem, bool is_back)
{
	uint64_t bytes = 0;
	unsigned i;

	for (i = 0; i < vmem->devices_count; i++) {
		uint64_t has = vmem->devices[i].size_bytes, to = wanted(&vmem->devices[i], is_back);

		bytes += has < to ? to - has : has - to;
	}
	return bytes;
}

/* Read the devices' present sizes. Not into t->view.machine: others have pointers into its list. */
static int refresh(struct view *v, struct vmem *vmem, struct err *err)
{
	struct machine now = { 0 };
	int status = machine_query_devices(&now, v->qmp, err);
	unsigned i;

	for (i = 0; i < vmem->devices_count && !status; i++) {
		const struct memdev *d = machine_device(&now, vmem->devices[i].handle);

		if (d)
			vmem->devices[i].size_bytes = d->size_bytes;
		else
			status = err_set(err, ERR_FAILED, "'%s' is gone", vmem->devices[i].handle);
	}
	machine_free(&now);
	return status;
}

/* The guest's blocks inside the devices; the caller frees the list. */
static struct block_list shown_blocks(const struct view *v, const struct vmem *vmem)
{
	struct block_list wanted = { 0 }, found = { 0 };
	unsigned i;

	for (i = 0; i < vmem->devices_count; i++)
		if (vmem->devices[i].has_span)
			block_list_add(&wanted, &vmem->devices[i].span);
	block_list_sort(&wanted);
	block_list_intersect(&found, &v->after.blocks, &wanted);
	block_list_free(&wanted);
	return found;
}

/* Move the first @count blocks of a list to another list. */
static void take_first(struct block_list *list, uint64_t count, struct block_list *first)
{
	struct block_list rest = { 0 };
	unsigned i;

	for (i = 0; i < list->count; i++) {
		struct blocks run = list->runs[i];
		uint64_t blocks = run.last - run.first + 1, take = blocks < count ? blocks : count;

		count -= take;
		run.last = run.first + take - 1;
		if (take)
			block_list_add(first, &run);
		run.first += take;
		run.last = list->runs[i].last;
		if (take < blocks)
			block_list_add(&rest, &run);
	}
	block_list_free(list);
	*list = rest;
}

/* The blocks that the driver has added and that are still offline; the caller frees the list. */
static struct block_list waiting_blocks(const struct view *v, const struct vmem *vmem)
{
	struct block_list shown = shown_blocks(v, vmem), offline = { 0 };
	unsigned i;

	for (i = 0; i < shown.count; i++)
		if (blocks_are_offline(&shown.runs[i]))
			block_list_add(&offline, &shown.runs[i]);
	block_list_free(&shown);
	return offline;
}

/* The number of blocks of @list that are online in kernel zones. */
static uint64_t count_kernel(const struct view *v, const struct block_list *list)
{
	struct block_list found = { 0 };
	uint64_t blocks = 0;
	unsigned i;

	block_list_intersect(&found, &v->after.blocks, list);
	for (i = 0; i < found.count; i++)
		if (blocks_zone(&found.runs[i]) == ZONE_KERNEL)
			blocks += found.runs[i].last - found.runs[i].first + 1;
	block_list_free(&found);
	return blocks;
}

/* Bring both lists online. Blocks missing from kernel zones are made up for next time. */
static int bring_lists(struct transaction *t, struct vmem *vmem, const struct block_list *kernel,
		       const struct block_list *movable, struct err *err)
{
	struct block_change c = { 0 };
	int status;

	block_change_add(&c, kernel, BLOCK_ONLINE_IF_OFFLINE, ZONE_KERNEL);
	block_change_add(&c, movable, BLOCK_ONLINE_IF_OFFLINE, zone_of_others(&t->view));
	status = c.parts_count ? blocks_change(t, &c, err) : 0;
	block_change_free(&c);
	vmem->kernel_blocks -= count_kernel(&t->view, kernel);
	return status;
}

/* Bring online what the driver has added: it adds memory block by block, and pauses while too much
 * of it is offline. */
static int bring_online(struct transaction *t, struct vmem *vmem, struct err *err)
{
	struct block_list movable, kernel = { 0 };
	int status;

	if (hotplug_scan(t, err))
		return -1;
	movable = waiting_blocks(&t->view, vmem);
	take_first(&movable, vmem->kernel_blocks, &kernel);
	status = bring_lists(t, vmem, &kernel, &movable, err);
	block_list_free(&movable);
	block_list_free(&kernel);
	return status;
}

/* Read back: is all of the devices' memory online in blocks? */
static bool is_online(const struct view *v, const struct vmem *vmem)
{
	struct block_list shown = shown_blocks(v, vmem);
	uint64_t bytes = block_list_blocks(&shown) * v->before.block_size_bytes, devices_bytes = 0;
	bool is_whole = true;
	unsigned i;

	for (i = 0; i < shown.count; i++)
		is_whole &= blocks_are_online(&shown.runs[i]);
	for (i = 0; i < vmem->devices_count; i++)
		if (vmem->devices[i].has_span)
			devices_bytes += vmem->devices[i].size_bytes;
	block_list_free(&shown);
	return is_whole && bytes >= devices_bytes;
}

static bool is_size_change(const char *name, struct json_object *data, void *context)
{
	(void)data;
	return transaction_notice_stop(context, name) || !strcmp(name, "MEMORY_DEVICE_SIZE_CHANGE");
}

/* Have all devices reached their wanted sizes? */
static bool is_reached(const struct vmem *vmem, bool is_back)
{
	unsigned i;

	for (i = 0; i < vmem->devices_count; i++)
		if (vmem->devices[i].size_bytes != wanted(&vmem->devices[i], is_back))
			return false;
	return true;
}

/* The driver has removed memory. It moves huge pages (alloc_contig_range()). */
static int read_less(struct transaction *t, struct err *err)
{
	if (hotplug_scan(t, err))
		return -1;
	hotplug_restore_floor(t);
	return 0;
}

/* Wait until the sizes are reached and added memory is online. */
static int follow(struct transaction *t, struct vmem *vmem, bool is_back, struct err *err)
{
	bool has_guest = t->view.has_guest && !transaction_guest_has_ended(t);
	bool is_adding = has_guest && vmem_is_growing(vmem) != is_back;
	uint64_t bytes = bytes_left(vmem, is_back);

	progress_expect(&t->progress, NULL, 0, bytes, NULL);
	for (;;) {
		_cleanup_json_ struct json_object *event = NULL;

		if (transaction_check_runs(t, err) || refresh(&t->view, vmem, err) ||
		    (is_adding && bring_online(t, vmem, err)))
			return -1;
		progress_reach(&t->progress, 0, bytes - bytes_left(vmem, is_back), monotonic_ms());
		if (is_reached(vmem, is_back) && (!is_adding || is_online(&t->view, vmem)))
			return is_adding || !has_guest ? 0 : read_less(t, err);
		if (qmp_wait_event(t->view.qmp, is_size_change, t,
				   deadline_within(t->deadline, ASK_MS), &event, err) < 0)
			return -1;
	}
}

/* Report the first device that has not reached its target. */
static int short_of(const struct vmem *vmem, struct err *err)
{
	char size[SIZE_TEXT_MAX], target[SIZE_TEXT_MAX];
	unsigned i;

	for (i = 0; i < vmem->devices_count; i++) {
		const struct vmem_device *device = &vmem->devices[i];

		if (device->size_bytes != device->target_bytes)
			return err_wrap(err, "'%s' has reached %s, not %s", device->handle,
					size_format(size, device->size_bytes),
					size_format(target, device->target_bytes));
	}
	return err_wrap(err, "the guest has not brought all of it online");
}

/*
 * The guest does not give back everything: accept the size reached and request just that, or the
 * driver would keep trying.
 */
static int stop_short(struct transaction *t, struct vmem *vmem, struct err *err)
{
	bool is_changed = false;
	struct err other;
	unsigned i;

	deadline_undo(t->deadline);
	short_of(vmem, err);
	for (i = 0; i < vmem->devices_count; i++) {
		vmem->devices[i].target_bytes = vmem->devices[i].size_bytes;
		is_changed |= vmem->devices[i].size_bytes != vmem->devices[i].before_bytes;
	}
	if (!is_changed) {
		err->code = ERR_GUEST_REFUSED;
		err_hint(err, "its memory is in use: free some in the guest, or raise --timeout");
		return -1;
	}
	if (request_sizes(&t->view, vmem, false, &other) || refresh(&t->view, vmem, &other))
		err_append(err, "%s", other.message);
	transaction_commit(t);
	err->code = ERR_PARTIAL;
	err_hint(err, "the rest is in use: free memory in the guest and try again");
	return -1;
}

/* Read back: is all of it on the requested node? */
static int check_nodes(const struct view *v, const struct vmem *vmem, struct err *err)
{
	struct block_list shown = { 0 };
	int status = 0;
	unsigned i;

	if (!vmem->nodes || !v->has_guest || !vmem_is_growing(vmem))
		return 0;
	shown = shown_blocks(v, vmem);
	for (i = 0; i < shown.count && !status; i++)
		status = node_map_check(vmem->nodes, vmem->node, &shown.runs[i], err);
	block_list_free(&shown);
	return status;
}

static int resize(struct transaction *t, void *job, struct err *err)
{
	struct vmem *vmem = job;

	if (request_sizes(&t->view, vmem, false, err))
		return -1;
	if (!follow(t, vmem, false, err))
		return check_nodes(&t->view, vmem, err);
	if (err->code != ERR_TIMEOUT)
		return -1;
	if (!vmem_is_growing(vmem))
		return stop_short(t, vmem, err);
	err_hint(err, "does the guest have the virtio_mem driver, and room for the memory map?");
	return short_of(vmem, err);
}

static bool is_asked(const struct vmem *vmem)
{
	unsigned i;

	for (i = 0; i < vmem->devices_count; i++)
		if (vmem->devices[i].is_asked)
			return true;
	return false;
}

static int resize_back(struct transaction *t, void *job, struct err *err)
{
	struct vmem *vmem = job;
	char size[SIZE_TEXT_MAX], before[SIZE_TEXT_MAX];
	unsigned i;

	if (!is_asked(vmem))
		return 0;
	if (!request_sizes(&t->view, vmem, true, err) && !follow(t, vmem, true, err))
		return t->view.has_guest ? hotplug_restore_pools(t, err) : 0;
	for (i = 0; i < vmem->devices_count; i++)
		if (vmem->devices[i].size_bytes != vmem->devices[i].before_bytes)
			return err_wrap(err, "'%s' is at %s, was at %s", vmem->devices[i].handle,
					size_format(size, vmem->devices[i].size_bytes),
					size_format(before, vmem->devices[i].before_bytes));
	return -1;
}

/* The number of memory blocks to be added, rounded up. */
static uint64_t blocks_added(const struct view *v, const struct vmem *vmem)
{
	uint64_t blocks = 0;
	unsigned i;

	for (i = 0; i < vmem->devices_count; i++)
		if (vmem->devices[i].target_bytes > vmem->devices[i].before_bytes)
			blocks += (vmem->devices[i].target_bytes - vmem->devices[i].before_bytes +
				   v->before.block_size_bytes - 1) /
				  v->before.block_size_bytes;
	return blocks;
}

/* The blocks' numbers are not known before they appear. */
static void plan_online(struct transaction *t, const struct vmem *vmem)
{
	uint64_t kernel = vmem->kernel_blocks, blocks = blocks_added(&t->view, vmem);

	if (kernel)
		transaction_plan(t, "guest", by_hand_for_each(ZONE_KERNEL));
	if (kernel < blocks)
		transaction_plan(t, "guest", by_hand_for_each(zone_of_others(&t->view)));
}

static void resize_show(struct transaction *t, void *job)
{
	const struct vmem *vmem = job;
	unsigned i;

	for (i = 0; i < vmem->devices_count; i++)
		transaction_plan_request(t, machine_request_size(vmem->devices[i].handle,
								 vmem->devices[i].target_bytes));
	for (i = 0; i < vmem->devices_count; i++)
		transaction_plan(
			t, "event",
			xasprintf("MEMORY_DEVICE_SIZE_CHANGE %s", vmem->devices[i].handle));
	if (t->view.has_guest && vmem_is_growing(vmem))
		plan_online(t, vmem);
}

static const struct step steps[] = {
	{ "resize", resize, resize_back, resize_show, NULL },
};

void vmem_choose_zones(struct transaction *t, struct vmem *vmem)
{
	uint64_t blocks = t->view.has_guest ? blocks_added(&t->view, vmem) : 0;

	if (blocks)
		vmem->kernel_blocks = zone_split_even(
			t, vmem->zone, t->view.before.block_size_bytes, blocks, vmem->zone_reason);
}

void vmem_prepare(struct transaction *t, struct vmem *vmem)
{
	vmem_choose_zones(t, vmem);
	transaction_add_steps(t, steps, ARRAY_SIZE(steps), vmem);
}
