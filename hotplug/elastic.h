/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * elastic: how much the virtio-mem devices of a VM, or of a node, can grow and shrink in a resize.
 * Changes nothing. @node: only the devices of this guest node; -1: all.
 */
#ifndef HOTPLUG_ELASTIC_H
#define HOTPLUG_ELASTIC_H

#include "hotplug/vmem.h"

/* elastic_room() - by how many bytes they can grow, counting only what the guest can use */
uint64_t elastic_room(const struct view *v, int node);

/* elastic_bytes() - their present size in bytes */
uint64_t elastic_bytes(const struct view *v, int node);

/* elastic_next_block_size() - the smallest block size above @block_size_bytes among the devices
 * that can grow; 0 if there is none */
uint64_t elastic_next_block_size(const struct view *v, int node, uint64_t block_size_bytes);

/*
 * elastic_grow(), elastic_shrink() - distribute @bytes among them, as target sizes in @vmem: in
 * device order or, if that leaves a remainder, largest block size first
 * Return: the remainder, smaller than any device can take
 */
uint64_t elastic_grow(const struct view *v, struct vmem *vmem, int node, uint64_t bytes);
uint64_t elastic_shrink(const struct view *v, struct vmem *vmem, int node, uint64_t bytes);

#endif
