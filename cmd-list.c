/* SPDX-License-Identifier: GPL-3.0-or-later */
/* memhp list, memhp blocks */
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "size.h"

struct list_options {
	bool is_args;
};

static const struct opt list_opts[] = {
	{ 0, "qemu-args", NULL,
	  "print what was hotplugged as arguments of QEMU, for the target of a migration", NULL,
	  OPT_FLAG, offsetof(struct list_options, is_args), NULL },
	{ 0 },
};

static void add_headings(struct out_table *table, const char *const *headings)
{
	for (; *headings; headings++, table->columns++)
		out_table_cell(table, *headings);
}

/* A number, or "-" when it is not known. */
static void add_number(struct out_table *table, bool is_known, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	out_table_cell(table, is_known ? text : "-");
}

/* The cells that tell of a run of blocks; NULL: there is none to tell of. */
static void add_run(struct out_table *table, const struct blocks *b)
{
	char range[BLOCKS_TEXT_MAX];

	out_table_cell(table, b ? blocks_format(range, b->first, b->last) : "-");
	out_table_cell(table, b && b->state[0] ? b->state : "-");
	out_table_cell(table, b && blocks_are_online(b) && b->zones[0] ? b->zones : "-");
}

/* Does the guest count any device's node otherwise than QEMU? */
static bool counts_otherwise(const struct hotplug *h)
{
	unsigned i;

	for (i = 0; h->has_guest && i < h->machine.devices_count; i++) {
		const struct memdev *d = &h->machine.devices[i];
		struct block_list blocks = hotplug_found_blocks(h, &h->before, d);
		bool differs = false;
		unsigned b;

		for (b = 0; b < blocks.count && (d->has & MEMDEV_HAS_NODE); b++)
			differs |= blocks.runs[b].node >= 0 &&
				   (uint64_t)blocks.runs[b].node != d->node;
		block_list_release(&blocks);
		if (differs)
			return true;
	}
	return false;
}

/* The cells that tell of a run of a device's blocks, with the guest's node if it is to be told. */
static void add_device_run(struct out_table *table, const struct blocks *b, bool has_nodes)
{
	add_run(table, b);
	if (has_nodes)
		add_number(table, b && b->node >= 0, b ? (uint64_t)b->node : 0);
}

/* One row for each run of the device's blocks, the device named in the first. */
static void add_device(struct out_table *table, const struct hotplug *h, const struct memdev *d,
		       bool has_nodes)
{
	struct block_list blocks = { 0 };
	char size[SIZE_TEXT_MAX];
	unsigned i;

	if (h->has_guest)
		blocks = hotplug_found_blocks(h, &h->before, d);
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
	block_list_release(&blocks);
}

/* Blocks that belong to no device: what the guest booted with. */
static struct block_list boot_blocks(const struct hotplug *h)
{
	struct block_list boot = { 0 };
	unsigned i;

	for (i = 0; i < h->before.blocks.count; i++) {
		struct blocks run = h->before.blocks.runs[i];
		uint64_t block;

		for (block = run.first; block <= run.last; block++) {
			struct blocks one = run;

			one.first = one.last = block;
			if (!cmd_owner(h, &one))
				block_list_add(&boot, &one);
		}
	}
	return boot;
}

static void report_list(struct ctx *ctx, const struct hotplug *h, void *job)
{
	bool has_nodes = counts_otherwise(h);
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
	for (i = 0; i < h->machine.devices_count; i++) {
		const struct memdev *d = &h->machine.devices[i];

		json_object_array_add(devices, cmd_json_device(h, &h->before, d));
		add_device(&table, h, d, has_nodes);
	}
	json_object_object_add(ctx->result, "devices", devices);
	if (h->has_guest) {
		struct block_list boot = boot_blocks(h);

		json_object_object_add(ctx->result, "boot_blocks",
				       cmd_json_blocks(h, &boot, false));
		block_list_release(&boot);
	} else {
		json_object_object_add(ctx->result, "boot_blocks", NULL);
	}
	if (!ctx->globals->is_json && !h->machine.devices_count)
		out_printf("no memory devices\n");
	out_table_finish(&table, !ctx->globals->is_json && h->machine.devices_count);
	if (ctx->globals->is_json)
		return;
	cmd_print_virtio_mem(&h->machine, "");
	cmd_print_absent(h, "");
}

/* Does a shell leave it as it is in qemu $(memhp list --qemu-args)? What it splits would be further
 * arguments. */
static bool is_word(const char *text)
{
	return !text[strcspn(text, " \t\n*?[")];
}

/* Add the arguments of one device to the array, and print them. */
static int add_args(struct ctx *ctx, struct json_object *array, const struct memdev *d,
		    struct err *err)
{
	_cleanup_free_ char *object = NULL;
	_cleanup_free_ char *device = NULL;

	if (machine_args(d, ctx->vm.qmp, &object, &device, err))
		return -1;
	if (!ctx->globals->is_json && (!is_word(object) || !is_word(device))) {
		err_set(err, ERR_FAILED, "the arguments for '%s' would not stay whole in a shell",
			memdev_name(d));
		return err_hint(err, "--json gives them as a list");
	}
	json_object_array_add(array, json_object_new_string("-object"));
	json_object_array_add(array, json_object_new_string(object));
	json_object_array_add(array, json_object_new_string("-device"));
	json_object_array_add(array, json_object_new_string(device));
	if (!ctx->globals->is_json)
		out_printf("-object %s\n-device %s\n", object, device);
	return 0;
}

/* What has come since the start of the VM, as arguments for another QEMU. */
static int list_args(struct ctx *ctx, struct err *err)
{
	struct json_object *array = json_object_new_array();
	struct machine machine = { 0 };
	int status = 0;
	unsigned i;

	json_object_object_add(ctx->result, "qemu_args", array);
	if (vm_open_qmp(&ctx->vm, err) || machine_query(&machine, ctx->vm.qmp, err))
		status = -1;
	for (i = 0; i < machine.devices_count && !status; i++)
		if (machine.devices[i].is_hotplugged)
			status = add_args(ctx, array, &machine.devices[i], err);
	machine_release(&machine);
	if (!status && ctx->globals->is_json)
		out_json(ctx->result);
	return status ? -1 : out_flush(err);
}

static int run_list(struct ctx *ctx, void *options, int argc, char **argv, struct err *err)
{
	const struct list_options *o = options;

	(void)argc, (void)argv;
	return o->is_args ? list_args(ctx, err)
			  : cmd_run_look(ctx, LOOK_QMP, NULL, report_list, err);
}

/* Split the runs where the owning device changes, so that each row has one owner. */
static struct block_list by_owner(const struct hotplug *h)
{
	struct block_list split = { 0 };
	unsigned i;

	for (i = 0; i < h->before.blocks.count; i++) {
		struct blocks run = h->before.blocks.runs[i];
		uint64_t block = run.first;

		while (block <= run.last) {
			struct blocks part = run;
			const struct memdev *owner;

			part.first = part.last = block;
			owner = cmd_owner(h, &part);
			while (block < run.last) {
				struct blocks next = run;

				next.first = next.last = block + 1;
				if (cmd_owner(h, &next) != owner)
					break;
				block++;
			}
			part.last = block++;
			split.runs = xgrow(split.runs, split.count, sizeof(*split.runs));
			split.runs[split.count++] = part;
		}
	}
	return split;
}

static void report_blocks(struct ctx *ctx, const struct hotplug *h, void *job)
{
	static const char *const headings[] = { "BLOCKS", "STATE",  "ZONE", "SIZE",
						"NODE",	  "DEVICE", NULL };
	struct out_table table = { .right = { false, false, false, true, true } };
	struct block_list split = by_owner(h);
	struct block_sum sum = sysfs_sum(&h->before, -1);
	char size[SIZE_TEXT_MAX], online[SIZE_TEXT_MAX], offline[SIZE_TEXT_MAX];
	unsigned i;

	(void)job;
	json_add_u64(ctx->result, "block_size", true, h->before.block_size_bytes);
	json_object_object_add(ctx->result, "blocks", cmd_json_blocks(h, &split, true));
	add_headings(&table, headings);
	for (i = 0; i < split.count; i++) {
		const struct blocks *b = &split.runs[i];
		const struct memdev *owner = cmd_owner(h, b);

		add_run(&table, b);
		out_table_cell(&table, size_format(size, (b->last - b->first + 1) *
								 h->before.block_size_bytes));
		add_number(&table, b->node >= 0, (uint64_t)b->node);
		out_table_cell(&table, owner ? memdev_name(owner) : "-");
	}
	block_list_release(&split);
	out_table_finish(&table, !ctx->globals->is_json);
	if (!ctx->globals->is_json)
		out_printf("blocks of %s: %s online, %s offline\n",
			   size_format(size, h->before.block_size_bytes),
			   size_format(online, sum.online_bytes),
			   size_format(offline, sum.offline_bytes));
}

static int run_blocks(struct ctx *ctx, void *options, int argc, char **argv, struct err *err)
{
	(void)options, (void)argc, (void)argv;
	return cmd_run_look(ctx, LOOK_GUEST, NULL, report_blocks, err);
}

const struct cmd cmd_list = {
	.name = "list",
	.args = "",
	.summary = "memory devices of QEMU, joined with the guest's blocks",
	.details =
		"Shows which DIMM is which memoryN, online or not, and in which zone. What is not\n"
		"known is shown as '-'.\n\n"
		"  memhp list\n"
		"  memhp list --json | jq '.devices[].id'\n",
	.opts = list_opts,
	.options_size = sizeof(struct list_options),
	.run = run_list,
};

const struct cmd cmd_blocks = {
	.name = "blocks",
	.args = "",
	.summary = "memory blocks of the guest as ranges, with the device each is on",
	.details = "Needs no QEMU: memhp --guest ssh:HOST blocks works for any machine.\n\n"
		   "  memhp blocks\n",
	.run = run_blocks,
};
