/* SPDX-License-Identifier: GPL-3.0-or-later */
/* memhp status */
#include <limits.h>
#include <string.h>

#include "cmd/report.h"
#include "hotplug/finding.h"
#include "hotplug/node.h"
#include "lib/size.h"

static struct json_object *json_qemu(const struct machine *m)
{
	struct json_object *qemu = json_object_new_object();

	json_add_string(qemu, "version", m->version);
	json_add_string(qemu, "machine", m->type);
	json_add_string(qemu, "status", m->status);
	json_add_u64(qemu, "base_memory", true, m->base_memory_bytes);
	json_add_u64(qemu, "plugged_memory", true, m->plugged_memory_bytes);
	json_add_u64(qemu, "max_memory", m->has_limits, m->max_memory_bytes);
	json_add_u64(qemu, "slots", m->has_slots, m->slots);
	json_add_u64(qemu, "slots_used", true, machine_slots_used(m));
	return qemu;
}

static uint64_t blocks_of(const struct guest_memory *g, uint64_t bytes)
{
	return bytes / g->block_size_bytes;
}

static struct json_object *json_guest(const struct ctx *ctx, const struct guest_memory *g)
{
	struct json_object *guest = json_object_new_object();
	struct block_sum sum = sysfs_sum(g, -1);

	json_add_string(guest, "channel", vm_channel(&ctx->vm)->text);
	json_add_string(guest, "kernel", g->kernel[0] ? g->kernel : NULL);
	json_add_u64(guest, "block_size", true, g->block_size_bytes);
	json_add_u64(guest, "mem_total", g->has & GUEST_HAS_TOTAL, g->total_bytes);
	json_add_u64(guest, "mem_available", g->has & GUEST_HAS_AVAILABLE, g->available_bytes);
	json_add_u64(guest, "blocks_online", true, blocks_of(g, sum.online_bytes));
	json_add_u64(guest, "blocks_offline", true, blocks_of(g, sum.offline_bytes));
	json_add_string(guest, "auto_online", g->auto_online[0] ? g->auto_online : NULL);
	json_add_string(guest, "udev_rule", g->udev_rule[0] ? g->udev_rule : NULL);
	return guest;
}

/* The memory that QEMU has plugged into a node. */
static uint64_t plugged_bytes(const struct machine *m, int node)
{
	uint64_t bytes = 0;
	unsigned i;

	for (i = 0; i < m->devices_count; i++)
		if ((m->devices[i].has & MEMDEV_HAS_NODE) && m->devices[i].node == (uint64_t)node)
			bytes += m->devices[i].size_bytes;
	return bytes;
}

/* Does QEMU or the guest have a node other than 0? */
static bool has_nodes(const struct view *v)
{
	unsigned i;

	for (i = 0; i < v->machine.devices_count; i++)
		if ((v->machine.devices[i].has & MEMDEV_HAS_NODE) && v->machine.devices[i].node)
			return true;
	for (i = 0; i < v->before.blocks.count; i++)
		if (v->before.blocks.runs[i].node > 0)
			return true;
	return false;
}

/* With one node the guest's is QEMU's; else find the node of each. */
static void read_nodes(struct node_map *map, const struct view *v)
{
	struct err ignored;
	bool is_known = !node_map_read(map, v, &ignored);

	if (!has_nodes(v) && (!is_known || map->nodes.count < 2))
		*map = (struct node_map){ .nodes.count = 1 };
	else if (map->nodes.count < 2)
		map->nodes.count = MACHINE_NODES_MAX; /* those with devices are shown anyway */
}

/* One JSON object, and a line if there are several nodes; -1: unknown, or not numbered. */
static void report_node(struct ctx *ctx, const struct view *v, struct json_object *nodes,
			bool is_alone, int node, int guest)
{
	bool is_known = v->has_guest && !v->before.is_agent_only && guest >= 0;
	struct block_sum sum = { 0 };
	struct json_object *object = json_object_new_object();
	uint64_t plugged = node < 0 ? 0 : plugged_bytes(&v->machine, node);
	char text[SIZE_TEXT_MAX], movable[SIZE_TEXT_MAX];

	if (is_known)
		sum = sysfs_sum(&v->before, guest);
	json_add_u64(object, "node", node >= 0, (uint64_t)node);
	json_add_u64(object, "guest_node", is_known, (uint64_t)guest);
	json_add_u64(object, "plugged", node >= 0, plugged);
	json_add_u64(object, "online", is_known, sum.online_bytes);
	json_add_u64(object, "offline", is_known, sum.offline_bytes);
	json_add_u64(object, "movable", is_known, sum.movable_bytes);
	json_object_array_add(nodes, object);
	if (ctx->globals->is_json || is_alone)
		return;
	if (node >= 0)
		out_printf("Node %-3d plugged %s; ", node, size_format(text, plugged));
	if (!is_known) {
		out_printf(v->has_guest && !plugged ? "the guest has no memory there\n"
						    : "in the guest not known\n");
		return;
	}
	out_printf(node == guest ? "in the guest " : "the guest's node %d: ", guest);
	out_printf("%s online, %s of it Movable\n", size_format(text, sum.online_bytes),
		   size_format(movable, sum.movable_bytes));
}

/* The guest's nodes that match none of QEMU's, or several. */
static void report_guest_nodes(struct ctx *ctx, const struct view *v, struct json_object *nodes,
			       const struct node_map *map)
{
	bool done[MACHINE_NODES_MAX] = { false };
	unsigned i;

	for (i = 0; i < MACHINE_NODES_MAX; i++)
		if (node_map_is_own(map, (int)i) && map->guest[i] < MACHINE_NODES_MAX)
			done[map->guest[i]] = true;
	for (i = 0; i < v->before.blocks.count; i++) {
		int guest = v->before.blocks.runs[i].node;

		if (guest < 0 || guest >= MACHINE_NODES_MAX || done[guest])
			continue;
		done[guest] = true;
		report_node(ctx, v, nodes, map->nodes.count == 1, -1, guest);
	}
}

/* Each of QEMU's NUMA nodes with the guest's matching one, then the guest's other nodes. */
static void report_nodes(struct ctx *ctx, const struct view *v)
{
	struct json_object *nodes = json_object_new_array();
	struct node_map map;
	unsigned i;

	read_nodes(&map, v);
	for (i = 0; i < map.nodes.count; i++) {
		int guest = node_map_is_own(&map, (int)i) ? map.guest[i] : NODE_UNKNOWN;
		struct block_sum sum = sysfs_sum(&v->before, guest < 0 ? INT_MAX : guest);

		if (plugged_bytes(&v->machine, (int)i) || map.nodes.list[i].is_there ||
		    sum.online_bytes || sum.offline_bytes)
			report_node(ctx, v, nodes, map.nodes.count == 1, (int)i, guest);
	}
	if (v->has_guest)
		report_guest_nodes(ctx, v, nodes, &map);
	json_object_object_add(ctx->result, "nodes", nodes);
}

static void print_qemu(const struct machine *m)
{
	char base[SIZE_TEXT_MAX], plugged[SIZE_TEXT_MAX], max[SIZE_TEXT_MAX];

	out_styled(OUT_BOLD, "QEMU ");
	out_printf("   %s, %s, ", m->version ? m->version : "-", m->type ? m->type : "-");
	out_styled(m->is_running ? OUT_GOOD : OUT_BAD, m->status);
	out_printf("%s%s\n", m->migration ? ", migrating: " : "", m->migration ? m->migration : "");
	out_printf("        base %s, plugged %s", size_format(base, m->base_memory_bytes),
		   size_format(plugged, m->plugged_memory_bytes));
	if (m->has_limits)
		out_printf(", at most %s\n        %u of %llu slots used\n",
			   size_format(max, m->max_memory_bytes), machine_slots_used(m),
			   (unsigned long long)m->slots);
	else
		out_printf("%s\n", m->has_slots ? ", no memory slots" : "");
}

/* What else in the guest decides about new memory. */
static void print_policy(const struct guest_memory *g)
{
	out_printf("        new memory: %s%s%s\n", g->auto_online[0] ? g->auto_online : "-",
		   g->online_policy[0] ? ", policy " : "", g->online_policy);
	if (g->auto_online[0] && strcmp(g->auto_online, "offline") != 0)
		out_printf("        the guest brings it online by itself: memhp holds that back "
			   "while it plugs\n");
	if (g->udev_rule[0])
		out_printf("        udev brings it online too: %s\n", g->udev_rule);
}

static void print_guest(const struct ctx *ctx, const struct guest_memory *g)
{
	struct block_sum sum = sysfs_sum(g, -1);
	char total[SIZE_TEXT_MAX], available[SIZE_TEXT_MAX], block[SIZE_TEXT_MAX];

	out_styled(OUT_BOLD, "Guest");
	out_printf("   Linux %s\n        %s\n", g->kernel[0] ? g->kernel : "-",
		   vm_channel(&ctx->vm)->text);
	out_printf("        MemTotal %s, available %s\n",
		   g->has & GUEST_HAS_TOTAL ? size_format(total, g->total_bytes) : "-",
		   g->has & GUEST_HAS_AVAILABLE ? size_format(available, g->available_bytes) : "-");
	out_printf("        %llu blocks online, %llu offline, of %s\n",
		   (unsigned long long)blocks_of(g, sum.online_bytes),
		   (unsigned long long)blocks_of(g, sum.offline_bytes),
		   size_format(block, g->block_size_bytes));
	print_policy(g);
}

/* Report whether anything needs repair. */
static void report_repair(struct ctx *ctx, const struct transaction *t)
{
	struct findings found = { 0 };
	struct err ignored;
	bool is_known = !findings_collect(&found, t, REPAIR_AUTO, false, &ignored);
	unsigned i;

	json_add_u64(ctx->result, "repair_due", is_known, findings_due(&found));
	if (!ctx->globals->is_json && findings_due(&found)) {
		out_styled(OUT_BAD, "Repair");
		out_printf("  due for");
		for (i = 0; i < found.count; i++)
			if (found.list[i].action != ACTION_NONE)
				out_printf(" %s", found.list[i].id);
		out_printf(": see memhp repair --dry-run\n");
	}
	findings_free(&found);
}

static void report(struct ctx *ctx, const struct transaction *t, void *job)
{
	(void)job;
	json_object_object_add(ctx->result, "qemu", json_qemu(&t->view.machine));
	json_object_object_add(ctx->result, "guest",
			       t->view.has_guest ? json_guest(ctx, &t->view.before) : NULL);
	if (ctx->globals->is_json) {
		report_nodes(ctx, &t->view);
		report_repair(ctx, t);
		return;
	}
	print_qemu(&t->view.machine);
	cmd_print_virtio_mem(&t->view.machine, "        ");
	cmd_print_absent(&t->view, "        ");
	if (t->view.has_guest)
		print_guest(ctx, &t->view.before);
	else
		out_printf("Guest   not known\n");
	report_nodes(ctx, &t->view);
	report_repair(ctx, t);
}

static int run(struct ctx *ctx, void *options, int argc, char **argv, struct err *err)
{
	(void)options, (void)argc, (void)argv;
	return cmd_run_look(ctx, QUERY_QEMU, VERB_UDEV, report, err);
}

const struct cmd cmd_status = {
	.name = "status",
	.args = "",
	.summary = "QEMU's and the guest's memory on one screen",
	.details = "  memhp status\n"
		   "  memhp status --json | jq .guest.mem_total\n",
	.run = run,
};
