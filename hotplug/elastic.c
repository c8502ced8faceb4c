/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How a resize is distributed among virtio-mem devices. */
#include "hotplug/blocks.h"
#include "hotplug/elastic.h"

/* May this resize change the device? */
static bool is_resizable(const struct memdev *d, int node)
{
	return memdev_is_virtio_mem(d) && d->handle && memdev_is_on_node(d, node);
}

/* The size up to which the guest can use a device: whole memory blocks only. */
static uint64_t most_bytes(const struct view *v, const struct memdev *d)
{
	struct blocks span;

	if (!v->has_guest)
		return d->max_size_bytes;
	return view_device_blocks(v, d, &span)
		       ? (span.last - span.first + 1) * v->before.block_size_bytes
		       : 0;
}

/* Growing a device whose backend another process must map but cannot would only do harm. */
static bool can_grow(const struct view *v, int node, const struct memdev *d)
{
	return is_resizable(d, node) && !sharing_excludes(&v->sharing, d->backend);
}

/* By how much a device can grow. */
static uint64_t grow_bytes(const struct view *v, int node, const struct memdev *d)
{
	uint64_t most = can_grow(v, node, d) ? most_bytes(v, d) : 0;
	uint64_t room = most > d->size_bytes ? most - d->size_bytes : 0;

	return room - (room ? room % d->block_size_bytes : 0);
}

/* By how much a device can shrink. */
static uint64_t shrink_bytes(const struct view *v, int node, const struct memdev *d)
{
	(void)v;
	return is_resizable(d, node) ? d->size_bytes : 0;
}

typedef uint64_t limit_fn(const struct view *v, int node, const struct memdev *d);

static uint64_t sum(const struct view *v, int node, limit_fn *most)
{
	uint64_t bytes = 0;
	unsigned i;

	for (i = 0; i < v->machine.devices_count; i++)
		bytes += most(v, node, &v->machine.devices[i]);
	return bytes;
}

uint64_t elastic_room(const struct view *v, int node)
{
	return sum(v, node, grow_bytes);
}

uint64_t elastic_bytes(const struct view *v, int node)
{
	return sum(v, node, shrink_bytes);
}

uint64_t elastic_next_block_size(const struct view *v, int node, uint64_t block_size_bytes)
{
	uint64_t least = 0;
	unsigned i;

	for (i = 0; i < v->machine.devices_count; i++) {
		const struct memdev *d = &v->machine.devices[i];

		if (grow_bytes(v, node, d) && d->block_size_bytes > block_size_bytes &&
		    (!least || d->block_size_bytes < least))
			least = d->block_size_bytes;
	}
	return least;
}

/* The largest block size of a device below @below_bytes; 0 if there is none. */
static uint64_t smaller_block_size(const struct view *v, int node, uint64_t below_bytes)
{
	uint64_t most = 0;
	unsigned i;

	for (i = 0; i < v->machine.devices_count; i++) {
		const struct memdev *d = &v->machine.devices[i];

		if (is_resizable(d, node) && d->block_size_bytes < below_bytes &&
		    d->block_size_bytes > most)
			most = d->block_size_bytes;
	}
	return most;
}

/* Change a device by as much of @bytes as it can; returns the remainder. */
static uint64_t change(const struct view *v, struct vmem *vmem, int node, const struct memdev *d,
		       uint64_t bytes, bool is_growing)
{
	uint64_t take = (is_growing ? grow_bytes : shrink_bytes)(v, node, d);

	if (!take)
		return bytes;
	take = take < bytes ? take : bytes;
	take -= take % d->block_size_bytes;
	if (take)
		vmem_add(v, vmem, d, is_growing ? d->size_bytes + take : d->size_bytes - take);
	return bytes - take;
}

/* Change the devices of one block size (0: any): the first grows first, the last shrinks first. */
static uint64_t change_those(const struct view *v, struct vmem *vmem, int node,
			     uint64_t block_size_bytes, uint64_t bytes, bool is_growing)
{
	unsigned i, count = v->machine.devices_count;

	for (i = 0; i < count && bytes; i++) {
		const struct memdev *d = &v->machine.devices[is_growing ? i : count - 1 - i];

		if (!block_size_bytes || d->block_size_bytes == block_size_bytes)
			bytes = change(v, vmem, node, d, bytes, is_growing);
	}
	return bytes;
}

/* Block sizes are powers of two: with the largest first, the smaller ones only need to make up the
 * remainder. */
static uint64_t share_out(const struct view *v, struct vmem *vmem, int node, uint64_t bytes,
			  bool is_growing)
{
	uint64_t left = change_those(v, vmem, node, 0, bytes, is_growing);
	uint64_t block_size_bytes = smaller_block_size(v, node, UINT64_MAX);

	if (!left)
		return 0;
	vmem_free(vmem);
	*vmem = (struct vmem){ 0 };
	for (; bytes && block_size_bytes;
	     block_size_bytes = smaller_block_size(v, node, block_size_bytes))
		bytes = change_those(v, vmem, node, block_size_bytes, bytes, is_growing);
	return bytes;
}

uint64_t elastic_grow(const struct view *v, struct vmem *vmem, int node, uint64_t bytes)
{
	return share_out(v, vmem, node, bytes, true);
}

uint64_t elastic_shrink(const struct view *v, struct vmem *vmem, int node, uint64_t bytes)
{
	return share_out(v, vmem, node, bytes, false);
}
