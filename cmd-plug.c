/* SPDX-License-Identifier: GPL-3.0-or-later */
/* memhp plug */
#include "cmd.h"
#include "size.h"

struct plug_options {
	const char *name;
	unsigned zone;
	bool is_no_online, is_forced;
	struct opt_u64 node, slot, address;
};

static const struct opt opts[] = {
	{ 0, "name", "NAME",
	  "name the backend NAME-mem and the DIMM NAME-dimm (memhp0, memhp1, ...)", NULL,
	  OPT_STRING, offsetof(struct plug_options, name), NULL },
	{ 0, "zone", "ZONE",
	  "auto, movable (can be unplugged) or kernel; auto is movable up to 3 x the "
	  "kernel's zones",
	  NULL, OPT_CHOICE, offsetof(struct plug_options, zone), zone_choices },
	{ 0, "no-online", NULL, "stop once the guest shows the blocks", NULL, OPT_FLAG,
	  offsetof(struct plug_options, is_no_online), NULL },
	{ 0, "node", "N", "guest NUMA node", NULL, OPT_NUMBER, offsetof(struct plug_options, node),
	  NULL },
	{ 0, "slot", "N", "memory slot (the first free one)", NULL, OPT_NUMBER,
	  offsetof(struct plug_options, slot), NULL },
	{ 0, "addr", "A", "guest-physical address, such as 0x140000000 (QEMU's choice)", NULL,
	  OPT_NUMBER, offsetof(struct plug_options, address), NULL },
	{ 0, "force", NULL, "do not check whether the guest has room for the memory map", NULL,
	  OPT_FLAG, offsetof(struct plug_options, is_forced), NULL },
	{ 0 },
};

static void print_blocks(const struct hotplug *h, const struct plug *plug)
{
	struct block_list blocks = cmd_device_blocks(&h->after, plug->device);
	char range[BLOCKS_TEXT_MAX];
	unsigned i;

	for (i = 0; i < blocks.count; i++) {
		const struct blocks *b = &blocks.runs[i];

		out_printf("%s: %s", blocks_format(range, b->first, b->last), b->state);
		if (blocks_are_online(b))
			out_printf(" in zone %s", b->zones);
		out_printf("\n");
	}
	if (plug->zone_reason[0] && plug->is_online_wanted)
		out_printf("  %s\n", plug->zone_reason);
	block_list_release(&blocks);
}

static void print_device(const struct memdev *d)
{
	char size[SIZE_TEXT_MAX];

	out_styled(OUT_BOLD, memdev_name(d));
	out_printf(": %s", size_format(size, d->size_bytes));
	if (d->has & MEMDEV_HAS_SLOT)
		out_printf(" in slot %llu", (unsigned long long)d->slot);
	if (d->has & MEMDEV_HAS_NODE)
		out_printf(", node %llu", (unsigned long long)d->node);
	out_printf(", at 0x%llx\n", (unsigned long long)d->address);
}

static void report(struct ctx *ctx, struct hotplug *h)
{
	struct plug *plug = h->job;
	struct json_object *devices = json_object_new_array();

	json_object_array_add(devices, cmd_json_device(h, &h->after, plug->device));
	json_object_object_add(ctx->result, "devices", devices);
	json_object_object_add(ctx->result, "guest", cmd_json_guest(h));
	if (!cmd_is_text(ctx))
		return;
	print_device(plug->device);
	if (h->has_guest) {
		print_blocks(h, plug);
		cmd_print_memory(h);
	} else {
		out_printf("no channel to the guest: bringing the memory online is left to it\n");
	}
	cmd_print_times(h);
}

static int run(struct ctx *ctx, void *options, int argc, char **argv, struct err *err)
{
	const struct plug_options *o = options;
	struct plug plug = {
		.name = o->name,
		.size_text = argv[0],
		.zone = o->zone,
		.is_online_wanted = !o->is_no_online,
		.has_slot = o->slot.is_set,
		.slot = o->slot.value,
		.has_node = o->node.is_set,
		.node = o->node.value,
		.has_address = o->address.is_set,
		.address = o->address.value,
	};
	struct hotplug h;
	int status;

	(void)argc;
	if (size_parse(argv[0], &plug.size_bytes, err))
		return -1;
	if (o->is_no_online && o->zone != ZONE_AUTO)
		return err_set(err, ERR_USAGE, "--zone and --no-online exclude each other");
	cmd_hotplug_init(ctx, &h, o->is_forced);
	status = cmd_finish(ctx, &h, hotplug_plug(&h, &plug, err), report, err);
	plug_release(&plug);
	hotplug_release(&h);
	return status;
}

const struct cmd cmd_plug = {
	.name = "plug",
	.args = "SIZE",
	.summary = "add a DIMM and bring its memory online in the guest",
	.details =
		"Returns when the guest can use the memory. When it cannot be brought online, all\n"
		"is put back and the reason given.\n\n"
		"  memhp plug 512M\n"
		"  memhp plug 1G --name cache --zone movable\n",
	.args_min = 1,
	.args_max = 1,
	.opts = opts,
	.options_size = sizeof(struct plug_options),
	.run = run,
};
