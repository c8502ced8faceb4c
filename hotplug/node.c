/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Map the guest's NUMA nodes to QEMU's. */
#include "hotplug/node.h"
#include "lib/util.h"

/* The common node of all runs; NODE_UNKNOWN if they differ or there are none. */
static int common_node(const struct block_list *list)
{
	int node = list->count ? list->runs[0].node : NODE_UNKNOWN;
	unsigned i;

	for (i = 1; i < list->count; i++)
		if (list->runs[i].node != node)
			return NODE_UNKNOWN;
	return node;
}

int node_of_device(const struct view *v, const struct guest_memory *g, const struct memdev *d)
{
	struct block_list found = view_found_blocks(v, g, d);
	int node = common_node(&found);

	block_list_free(&found);
	return node;
}

/* Is it the guest's number of a QEMU node other than @but (-1: of any)? */
static bool is_of_another(const struct node_map *map, int guest, int but)
{
	unsigned n;

	for (n = 0; n < map->nodes.count; n++)
		if ((int)n != but && map->guest[n] == guest)
			return true;
	return false;
}

bool node_map_is_own(const struct node_map *map, int node)
{
	return node >= 0 && node < MACHINE_NODES_MAX && map->guest[node] != NODE_UNKNOWN &&
	       !is_of_another(map, map->guest[node], node);
}

static uint64_t boot_bytes(const struct machine_node *node)
{
	return node->total_bytes > node->plugged_bytes ? node->total_bytes - node->plugged_bytes
						       : 0;
}

/* The guest's boot memory: all blocks except those of devices; the caller frees the list. */
static struct block_list boot_blocks(const struct view *v)
{
	struct block_list devices = { 0 }, boot = { 0 };
	struct blocks rest = { 0 };
	unsigned i;

	for (i = 0; i < v->machine.devices_count; i++) {
		struct blocks run;

		if (view_device_blocks(v, &v->machine.devices[i], &run))
			block_list_add(&devices, &run);
	}
	block_list_sort(&devices);
	for (i = 0; i < devices.count; i++) {
		rest.last = devices.runs[i].first - 1;
		if (devices.runs[i].first > rest.first)
			block_list_add(&boot, &rest);
		rest.first = devices.runs[i].last + 1;
	}
	rest.last = UINT64_MAX / 2;
	block_list_add(&boot, &rest);
	block_list_free(&devices);
	devices = boot;
	boot = (struct block_list){ 0 };
	block_list_intersect(&boot, &v->before.blocks, &devices);
	block_list_free(&devices);
	return boot;
}

/* The part of a list from its block at position @from up to that at @to. */
static struct block_list slice(const struct block_list *list, uint64_t from, uint64_t to)
{
	struct block_list part = { 0 };
	uint64_t at = 0;
	unsigned i;

	for (i = 0; i < list->count; i++) {
		struct blocks run = list->runs[i];
		uint64_t blocks = run.last - run.first + 1, start = at, end = at + blocks;

		at = end;
		if (end <= from || start >= to)
			continue;
		run.last -= end > to ? end - to : 0;
		run.first += start < from ? from - start : 0;
		block_list_add(&part, &run);
	}
	return part;
}

/* QEMU lays out the memory of its nodes one after another, so the guest's blocks show the
 * mapping. */
static void map_boot_memory(struct node_map *map, const struct view *v)
{
	uint64_t block_bytes = v->before.block_size_bytes, at = 0, sum = 0;
	struct block_list boot = boot_blocks(v);
	unsigned n;

	for (n = 0; n < map->nodes.count; n++)
		sum += boot_bytes(&map->nodes.list[n]);
	for (n = 0; n < map->nodes.count; n++) {
		uint64_t end = at + boot_bytes(&map->nodes.list[n]);
		uint64_t from = (at + block_bytes - 1) / block_bytes, to = end / block_bytes;

		at = end;
		if (block_list_blocks(&boot) == (sum + block_bytes - 1) / block_bytes &&
		    to > from) {
			struct block_list part = slice(&boot, from, to);

			map->guest[n] = common_node(&part);
			block_list_free(&part);
		}
	}
	block_list_free(&boot);
}

/* The node whose first CPU comes next after @cpu; -1: none. */
static int next_with_cpus(const struct node_map *map, int64_t cpu)
{
	int next = -1;
	unsigned n;

	for (n = 0; n < map->nodes.count; n++) {
		const struct machine_node *node = &map->nodes.list[n];

		if (node->has_cpus && node->first_cpu > cpu &&
		    (next < 0 || node->first_cpu < map->nodes.list[next].first_cpu))
			next = (int)n;
	}
	return next;
}

/* Nodes with CPUs are numbered first, in CPU order, unless their memory shows otherwise. CPUs not
 * plugged yet count too, but are not known. */
static void map_cpus(struct node_map *map)
{
	int order[MACHINE_NODES_MAX], count = 0, i;
	int n = next_with_cpus(map, -1);

	for (; n >= 0 && count < MACHINE_NODES_MAX;
	     n = next_with_cpus(map, map->nodes.list[n].first_cpu))
		order[count++] = n;
	for (i = 0; i < count; i++)
		if (map->guest[order[i]] != NODE_UNKNOWN ? map->guest[order[i]] != i
							 : is_of_another(map, i, -1))
			return;
	for (i = 0; i < count; i++)
		map->guest[order[i]] = i;
}

/* For a node with neither, plugged devices show the number, unless it is another node's. */
static void map_devices(struct node_map *map, const struct view *v)
{
	unsigned i;

	for (i = 0; i < v->machine.devices_count; i++) {
		const struct memdev *d = &v->machine.devices[i];
		int guest = node_of_device(v, &v->before, d);

		if ((d->has & MEMDEV_HAS_NODE) && d->node < map->nodes.count &&
		    map->guest[d->node] == NODE_UNKNOWN && guest != NODE_UNKNOWN &&
		    !is_of_another(map, guest, -1))
			map->guest[d->node] = guest;
	}
}

int node_map_read(struct node_map *map, const struct view *v, struct err *err)
{
	unsigned n;

	for (n = 0; n < MACHINE_NODES_MAX; n++)
		map->guest[n] = NODE_UNKNOWN;
	if (machine_query_nodes(&map->nodes, v->qmp, err))
		return -1;
	if (!v->has_guest || !v->before.block_size_bytes)
		return 0;
	map_boot_memory(map, v);
	if (v->machine.has_acpi_ost && map->nodes.has_all_cpus)
		map_cpus(map);
	map_devices(map, v);
	return 0;
}

static int is_elsewhere(const struct node_map *map, uint64_t node, const struct blocks *run,
			struct err *err)
{
	char range[BLOCKS_TEXT_MAX];
	unsigned n = 0;

	blocks_format(range, run->first, run->last);
	while (n < map->nodes.count && map->guest[n] != run->node)
		n++;
	if (n < map->nodes.count)
		err_set(err, ERR_GUEST_REFUSED,
			"the guest has put '%s' on QEMU's node %u, not on node %llu", range, n,
			(unsigned long long)node);
	else
		err_set(err, ERR_GUEST_REFUSED,
			"the guest has put '%s' on its node %d, which is not QEMU's node %llu",
			range, run->node, (unsigned long long)node);
	return err_hint(err, "a guest does not count a node that had neither CPUs nor memory when "
			     "it booted: choose another node");
}

int node_map_check(const struct node_map *map, uint64_t node, const struct blocks *run,
		   struct err *err)
{
	if (node >= map->nodes.count || run->node < 0 || run->node == map->guest[node])
		return 0;
	if (map->guest[node] == NODE_UNKNOWN && !is_of_another(map, run->node, (int)node))
		return 0;
	return is_elsewhere(map, node, run, err);
}

int node_map_check_request(const struct node_map *map, const struct view *v, uint64_t node,
			   struct err *err)
{
	const struct machine_node *n = node < map->nodes.count ? &map->nodes.list[node] : NULL;

	/* the address space for devices belongs to the last node (QEMU's build_srat()) */
	if (!n || !v->has_guest || !v->machine.has_acpi_ost || n->has_cpus || boot_bytes(n) ||
	    node + 1 == map->nodes.count || map->guest[node] != NODE_UNKNOWN)
		return 0;
	err_set(err, ERR_FAILED,
		"the guest does not count QEMU's node %llu, which had neither CPUs nor memory when "
		"it booted",
		(unsigned long long)node);
	return err_hint(err, "choose another node");
}
