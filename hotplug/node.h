/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * node: which of the guest's NUMA nodes is which of QEMU's. A guest with ACPI numbers
 * nodes as it meets them: those with CPUs first, then those with memory, and leaves out one
 * without either (acpi_map_pxm_to_node() of Linux). Memory for such a node goes to another.
 * Changes nothing.
 */
#ifndef HOTPLUG_NODE_H
#define HOTPLUG_NODE_H

#include "hotplug/transaction.h"

#define NODE_UNKNOWN (-1)

struct node_map {
	struct machine_nodes nodes;   /* QEMU's */
	int guest[MACHINE_NODES_MAX]; /* the guest's number of each; NODE_UNKNOWN */
};

/*
 * node_map_read() - after transaction_query() at all blocks: find out from where the guest shows
 * the memory of each node, and its CPUs Return: 0; -1 when QEMU cannot be asked
 */
int node_map_read(struct node_map *map, const struct view *v, struct err *err)
	__attribute__((warn_unused_result));

/* node_map_is_own() - is it the guest's node of one of QEMU's nodes, and no other's? */
bool node_map_is_own(const struct node_map *map, int node);

/*
 * node_map_check() - is a block, as the guest shows it, on that node of QEMU's?
 * Return: 0, also where that is not known; -1 with ERR_GUEST_REFUSED
 */
int node_map_check(const struct node_map *map, uint64_t node, const struct blocks *run,
		   struct err *err) __attribute__((warn_unused_result));

/* node_map_check_wish() - may a device that QEMU does not let go of be made on that node? 0; -1
 * with ERR_FAILED when the guest is known not to count it */
int node_map_check_wish(const struct node_map *map, const struct view *v, uint64_t node,
			struct err *err) __attribute__((warn_unused_result));

/* node_of_device() - on which of its nodes the guest shows a device; NODE_UNKNOWN when it shows
 * none or several */
int node_of_device(const struct view *v, const struct guest_memory *g, const struct memdev *d);

#endif
