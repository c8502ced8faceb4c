/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * elastic: what the virtio-mem devices of a VM, or of a node, take and give when it is to have
 * another size. Changes nothing. @node: only those of this guest node; -1: all.
 */
#ifndef HOTPLUG_ELASTIC_H
#define HOTPLUG_ELASTIC_H

#include "hotplug/vmem.h"

/* elastic_room() - how many bytes more they can take, of which the guest can use all */
uint64_t elastic_room(const struct view *v, int node);

/* elastic_bytes() - how many they have */
uint64_t elastic_bytes(const struct view *v, int node);

/* elastic_next_block_size() - the least step in which one with room grows that is larger than
 * @block_size_bytes; 0 when there is none */
uint64_t elastic_next_block_size(const struct view *v, int node, uint64_t block_size_bytes);

/*
 * elastic_grow(), elastic_shrink() - share out @bytes among them, as sizes in @vmem: in their
 * order, or, where their steps leave a rest then, those of large steps first
 * Return: what is left, less than they could do in any order
 */
uint64_t elastic_grow(const struct view *v, struct vmem *vmem, int node, uint64_t bytes);
uint64_t elastic_shrink(const struct view *v, struct vmem *vmem, int node, uint64_t bytes);

#endif
