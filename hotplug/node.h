/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * node: map the guest's NUMA nodes to QEMU's. A guest with ACPI numbers nodes as it finds them:
 * those with CPUs first, then those with memory; one with neither gets no number
 * (acpi_map_pxm_to_node() in Linux), and its memory goes to another node. Changes nothing.
 */
#ifndef HOTPLUG_NODE_H
#define HOTPLUG_NODE_H

#include "hotplug/transaction.h"

#define NODE_UNKNOWN (-1)

struct node_map {
	struct machine_nodes nodes;   /* QEMU's */
	int guest[MACHINE_NODES_MAX]; /* the guest's number of each, or NODE_UNKNOWN */
};

/*
 * node_map_read() - after transaction_query() of all blocks: derive the map from the node of each
 * block and from the CPUs of each node
 * Return: 0; -1 when QEMU cannot be asked
 */
int node_map_read(struct node_map *map, const struct view *v, struct err *err)
	__attribute__((warn_unused_result));

/* node_map_is_own() - is this guest node known to be that of a single QEMU node? */
bool node_map_is_own(const struct node_map *map, int node);

/*
 * node_map_check() - does the guest show a block on that QEMU node?
 * Return: 0, also if that is not known; -1 with ERR_GUEST_REFUSED
 */
int node_map_check(const struct node_map *map, uint64_t node, const struct blocks *run,
		   struct err *err) __attribute__((warn_unused_result));

/* node_map_check_request() - may a device that QEMU cannot unplug be added on that node? 0; -1 with
 * ERR_FAILED when the guest is known to have no such node */
int node_map_check_request(const struct node_map *map, const struct view *v, uint64_t node,
			   struct err *err) __attribute__((warn_unused_result));

/* node_of_device() - the guest node of a device; NODE_UNKNOWN when the guest shows none or
 * several */
int node_of_device(const struct view *v, const struct guest_memory *g, const struct memdev *d);

#endif
