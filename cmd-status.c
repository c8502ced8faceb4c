/* SPDX-License-Identifier: GPL-3.0-or-later */
/* memhp status */
#include "cmd.h"
#include "size.h"

static struct json_object *json_qemu(const struct machine *m)
{
	struct json_object *qemu = json_object_new_object();

	json_add_string(qemu, "version", m->version);
	json_add_string(qemu, "machine", m->type);
	json_add_string(qemu, "status", m->status);
	json_add_u64(qemu, "base_memory", true, m->base_memory_bytes);
	json_add_u64(qemu, "plugged_memory", true, m->plugged_memory_bytes);
	json_add_u64(qemu, "max_memory", m->has_limits, m->max_memory_bytes);
	json_add_u64(qemu, "slots", m->has_limits, m->slots);
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

	json_add_string(guest, "channel", vm_channel(&ctx->vm));
	json_add_string(guest, "kernel", g->kernel[0] ? g->kernel : NULL);
	json_add_u64(guest, "block_size", true, g->block_size_bytes);
	json_add_u64(guest, "mem_total", g->has & GUEST_HAS_TOTAL, g->total_bytes);
	json_add_u64(guest, "mem_available", g->has & GUEST_HAS_AVAILABLE, g->available_bytes);
	json_add_u64(guest, "blocks_online", true, blocks_of(g, sysfs_online_bytes(g)));
	json_add_u64(guest, "blocks_offline", true, blocks_of(g, sysfs_offline_bytes(g)));
	json_add_string(guest, "auto_online", g->auto_online[0] ? g->auto_online : NULL);
	return guest;
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
		out_printf("\n");
}

static void print_guest(const struct ctx *ctx, const struct guest_memory *g)
{
	char total[SIZE_TEXT_MAX], available[SIZE_TEXT_MAX], block[SIZE_TEXT_MAX];

	out_styled(OUT_BOLD, "Guest");
	out_printf("   Linux %s\n        %s\n", g->kernel[0] ? g->kernel : "-",
		   vm_channel(&ctx->vm));
	out_printf("        MemTotal %s, available %s\n",
		   g->has & GUEST_HAS_TOTAL ? size_format(total, g->total_bytes) : "-",
		   g->has & GUEST_HAS_AVAILABLE ? size_format(available, g->available_bytes) : "-");
	out_printf("        %llu blocks online, %llu offline, of %s\n",
		   (unsigned long long)blocks_of(g, sysfs_online_bytes(g)),
		   (unsigned long long)blocks_of(g, sysfs_offline_bytes(g)),
		   size_format(block, g->block_size_bytes));
	out_printf("        new memory: %s%s%s\n", g->auto_online[0] ? g->auto_online : "-",
		   g->online_policy[0] ? ", policy " : "", g->online_policy);
}

static void report(struct ctx *ctx, const struct hotplug *h, void *job)
{
	(void)job;
	json_object_object_add(ctx->result, "qemu", json_qemu(&h->machine));
	json_object_object_add(ctx->result, "guest",
			       h->has_guest ? json_guest(ctx, &h->before) : NULL);
	if (ctx->globals->is_json)
		return;
	print_qemu(&h->machine);
	if (h->has_guest)
		print_guest(ctx, &h->before);
	else
		out_printf("Guest   not known\n");
}

static int run(struct ctx *ctx, void *options, int argc, char **argv, struct err *err)
{
	(void)options, (void)argc, (void)argv;
	return cmd_run_look(ctx, LOOK_QMP, report, NULL, err);
}

const struct cmd cmd_status = {
	.name = "status",
	.args = "",
	.summary = "QEMU's and the guest's memory on one screen",
	.details = "  memhp status\n"
		   "  memhp status --json | jq .guest.mem_total\n",
	.run = run,
};
