/* SPDX-License-Identifier: GPL-3.0-or-later */
/* memhp list, memhp blocks */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/report.h"
#include "lib/size.h"
#include "lib/text.h"

struct list_options {
	bool is_args;
};

static const struct opt list_opts[] = {
	{ 0, "qemu-args", NULL,
	  "print what was hotplugged as QEMU arguments, for the target of a migration", NULL,
	  OPT_FLAG, offsetof(struct list_options, is_args), NULL },
	{ 0 },
};

static void add_headings(struct out_table *table, const char *const *headings)
{
	for (; *headings; headings++, table->columns++)
		out_table_cell(table, *headings);
}

/* A number, or "-" if unknown. */
static void add_number(struct out_table *table, bool is_known, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	out_table_cell(table, is_known ? text : "-");
}

/* The cells for a run of blocks; NULL: empty cells. */
static void add_run(struct out_table *table, const struct blocks *b)
{
	char range[BLOCKS_TEXT_MAX];

	out_table_cell(table, b ? blocks_format(range, b->first, b->last) : "-");
	out_table_cell(table, b && b->state[0] ? b->state : "-");
	out_table_cell(table, b && blocks_are_online(b) && b->zones[0] ? b->zones : "-");
}

/* Does the guest number any device's node differently from QEMU? */
static bool counts_otherwise(const struct view *v)
{
	unsigned i;

	for (i = 0; v->has_guest && i < v->machine.devices_count; i++) {
		const struct memdev *d = &v->machine.devices[i];
		struct block_list blocks = view_found_blocks(v, &v->before, d);
		bool differs = false;
		unsigned b;

		for (b = 0; b < blocks.count && (d->has & MEMDEV_HAS_NODE); b++)
			differs |= blocks.runs[b].node >= 0 &&
				   (uint64_t)blocks.runs[b].node != d->node;
		block_list_free(&blocks);
		if (differs)
			return true;
	}
	return false;
}

/* The cells for a run of a device's blocks, with the guest's node if @has_nodes. */
static void add_device_run(struct out_table *table, const struct blocks *b, bool has_nodes)
{
	add_run(table, b);
	if (has_nodes)
		add_number(table, b && b->node >= 0, b ? (uint64_t)b->node : 0);
}

/* One row for each run of the device's blocks, the device named in the first. */
static void add_device(struct out_table *table, const struct view *v, const struct memdev *d,
		       bool has_nodes)
{
	struct block_list blocks = { 0 };
	char size[SIZE_TEXT_MAX];
	unsigned i;

	if (v->has_guest)
		blocks = view_found_blocks(v, &v->before, d);
	out_table_cell(table, memdev_name(d));
	out_table_cell(table, d->type);
	out_table_cell(table, size_format(size, d->size_bytes));
	add_number(table, d->has & MEMDEV_HAS_SLOT, d->slot);
	add_number(table, d->has & MEMDEV_HAS_NODE, d->node);
	add_device_run(table, blocks.count ? &blocks.runs[0] : NULL, has_nodes);
	for (i = 1; i < blocks.count; i++) {
		unsigned c;

		for (c = 0; c < 5; c++)
			out_table_cell(table, "");
		add_device_run(table, &blocks.runs[i], has_nodes);
	}
	block_list_free(&blocks);
}

/* Blocks that belong to no device: what the guest booted with. */
static struct block_list boot_blocks(const struct transaction *t)
{
	struct owners owners = owners_find(&t->view);
	struct block_list split = owners_split(&owners, &t->view.before.blocks), boot = { 0 };
	unsigned i;

	for (i = 0; i < split.count; i++)
		if (!owners_get(&owners, split.runs[i].first, NULL))
			block_list_add(&boot, &split.runs[i]);
	block_list_free(&split);
	owners_free(&owners);
	return boot;
}

static void report_list(struct ctx *ctx, const struct transaction *t, void *job)
{
	bool has_nodes = counts_otherwise(&t->view);
	const char *const headings[] = { "DEVICE", "TYPE", "SIZE",
					 "SLOT",   "NODE", "BLOCKS",
					 "STATE",  "ZONE", has_nodes ? "GUEST NODE" : NULL,
					 NULL };
	struct out_table table = { .right = { false, false, true, true, true } };
	struct json_object *devices = json_object_new_array();
	unsigned i;

	(void)job;
	table.right[8] = true;
	add_headings(&table, headings);
	for (i = 0; i < t->view.machine.devices_count; i++) {
		const struct memdev *d = &t->view.machine.devices[i];

		json_object_array_add(devices, cmd_json_device(&t->view, &t->view.before, d));
		add_device(&table, &t->view, d, has_nodes);
	}
	json_object_object_add(ctx->result, "devices", devices);
	if (t->view.has_guest) {
		struct block_list boot = boot_blocks(t);

		json_object_object_add(ctx->result, "boot_blocks", cmd_json_blocks(&boot, NULL));
		block_list_free(&boot);
	} else {
		json_object_object_add(ctx->result, "boot_blocks", NULL);
	}
	if (!ctx->globals->is_json && !t->view.machine.devices_count)
		out_printf("no memory devices\n");
	out_table_finish(&table, !ctx->globals->is_json && t->view.machine.devices_count);
	if (ctx->globals->is_json)
		return;
	cmd_print_virtio_mem(&t->view.machine, "");
	cmd_print_absent(&t->view, "");
}

/* Does it survive in qemu $(memhp list --qemu-args)? A shell would split it into several arguments,
 * and characters that control a terminal would be shown as something else. */
static bool is_word(const char *text)
{
	size_t len;

	while ((len = printable_len(text)) && !strchr(" \t\n*?[\\(", *text))
		text += len;
	return !*text;
}

/* What a device needs; nothing for one that was there from the start. */
static int read_args(struct ctx *ctx, const struct memdev *d, struct machine_defaults *defaults,
		     struct machine_args *args, struct err *err)
{
	if (!(d->has & MEMDEV_HAS_HOTPLUGGED))
		return err_set(err, ERR_FAILED, "QEMU does not say whether '%s' was hotplugged",
			       memdev_name(d));
	if (!d->is_hotplugged)
		return 0;
	if (machine_args(d, ctx->vm.qmp, defaults, args, err))
		return -1;
	if (ctx->globals->is_json || (is_word(args->object) && is_word(args->device)))
		return 0;
	err_set(err, ERR_FAILED, "the arguments for '%s' would be split by a shell",
		memdev_name(d));
	return err_hint(err, "--json gives them as a list");
}

/* The path is in QEMU's namespace, and may not exist in ours. */
static void report_args(struct ctx *ctx, struct json_object *array, const struct memdev *d,
			const struct machine_args *args)
{
	json_object_array_add(array, json_object_new_string("-object"));
	json_object_array_add(array, json_object_new_string(args->object));
	json_object_array_add(array, json_object_new_string("-device"));
	json_object_array_add(array, json_object_new_string(args->device));
	if (!ctx->globals->is_json)
		out_printf("-object %s\n-device %s\n", args->object, args->device);
	if (args->mem_path)
		out_note("a QEMU started with these arguments opens '%s' on its host, for '%s'",
			 args->mem_path, memdev_name(d));
}

/* Report all devices, or none. */
static int report_all(struct ctx *ctx, const struct machine *m, struct err *err)
{
	struct machine_args *args = xcalloc(m->devices_count, sizeof(*args));
	struct json_object *array = json_object_new_array();
	struct machine_defaults defaults = { 0 };
	int status = 0;
	unsigned i;

	json_object_object_add(ctx->result, "qemu_args", array);
	for (i = 0; i < m->devices_count && !status; i++)
		status = read_args(ctx, &m->devices[i], &defaults, &args[i], err);
	for (i = 0; i < m->devices_count; i++) {
		if (!status && args[i].device)
			report_args(ctx, array, &m->devices[i], &args[i]);
		machine_args_free(&args[i]);
	}
	free(args);
	machine_defaults_free(&defaults);
	return status;
}

/* List the devices plugged since the start of the VM, as arguments for another QEMU. */
static int list_args(struct ctx *ctx, struct err *err)
{
	struct machine machine = { 0 };
	int status = vm_open_qmp(&ctx->vm, err) || machine_query(&machine, ctx->vm.qmp, err) ||
				     report_all(ctx, &machine, err)
			     ? -1
			     : 0;

	machine_free(&machine);
	if (!status && ctx->globals->is_json)
		out_json(ctx->result);
	return status ? -1 : out_flush(err);
}

static int run_list(struct ctx *ctx, void *options, int argc, char **argv, struct err *err)
{
	const struct list_options *o = options;

	(void)argc, (void)argv;
	return o->is_args ? list_args(ctx, err)
			  : cmd_run_look(ctx, QUERY_QEMU, VERB_NONE, report_list, err);
}

static void report_blocks(struct ctx *ctx, const struct transaction *t, void *job)
{
	static const char *const headings[] = { "BLOCKS", "STATE",  "ZONE", "SIZE",
						"NODE",	  "DEVICE", NULL };
	struct out_table table = { .right = { false, false, false, true, true } };
	struct owners owners = owners_find(&t->view);
	struct block_list split = owners_split(&owners, &t->view.before.blocks);
	struct block_sum sum = sysfs_sum(&t->view.before, -1);
	char size[SIZE_TEXT_MAX], online[SIZE_TEXT_MAX], offline[SIZE_TEXT_MAX];
	unsigned i;

	(void)job;
	json_add_u64(ctx->result, "block_size", true, t->view.before.block_size_bytes);
	json_object_object_add(ctx->result, "blocks", cmd_json_blocks(&split, &owners));
	add_headings(&table, headings);
	for (i = 0; i < split.count; i++) {
		const struct blocks *b = &split.runs[i];
		const struct memdev *owner = owners_get(&owners, b->first, NULL);

		add_run(&table, b);
		out_table_cell(&table, size_format(size, (b->last - b->first + 1) *
								 t->view.before.block_size_bytes));
		add_number(&table, b->node >= 0, (uint64_t)b->node);
		out_table_cell(&table, owner ? memdev_name(owner) : "-");
	}
	block_list_free(&split);
	owners_free(&owners);
	out_table_finish(&table, !ctx->globals->is_json);
	if (!ctx->globals->is_json)
		out_printf("blocks of %s: %s online, %s offline\n",
			   size_format(size, t->view.before.block_size_bytes),
			   size_format(online, sum.online_bytes),
			   size_format(offline, sum.offline_bytes));
}

static int run_blocks(struct ctx *ctx, void *options, int argc, char **argv, struct err *err)
{
	(void)options, (void)argc, (void)argv;
	return cmd_run_look(ctx, QUERY_GUEST, VERB_NONE, report_blocks, err);
}

const struct cmd cmd_list = {
	.name = "list",
	.args = "",
	.summary = "QEMU's memory devices, each with the guest's blocks",
	.details =
		"Shows the blocks (memoryN) of each DIMM, with state and zone; '-' is unknown.\n\n"
		"  memhp list\n"
		"  memhp list --json | jq '.devices[].id'\n",
	.opts = list_opts,
	.options_size = sizeof(struct list_options),
	.run = run_list,
};

const struct cmd cmd_blocks = {
	.name = "blocks",
	.args = "",
	.summary = "the guest's memory blocks as ranges, each with its device",
	.details = "Needs no QEMU: memhp --guest ssh:HOST blocks works for any machine.\n\n"
		   "  memhp blocks\n",
	.run = run_blocks,
};
