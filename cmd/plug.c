/* SPDX-License-Identifier: GPL-3.0-or-later */
/* memhp plug */
#include "cmd/report.h"
#include "hotplug/plug.h"
#include "hotplug/vmem-plug.h"
#include "lib/size.h"

struct plug_options {
	const char *name;
	unsigned zone;
	bool is_virtio_mem, is_no_online, is_forced, is_keep_going;
	struct opt_u64 dimm, node, slot, address;
	struct backend_options backend;
};

#define NAMES_MAX	8 /* more DIMMs are only counted */
#define BACKEND(member) offsetof(struct plug_options, backend.member)

static const struct opt opts[] = {
	{ 0, "name", "NAME",
	  "name the backend NAME-mem and the DIMM NAME-dimm (memhp0, memhp1, ...); of several "
	  "DIMMs NAME0-mem, NAME0-dimm and so on",
	  NULL, OPT_STRING, offsetof(struct plug_options, name), NULL },
	{ 0, "dimm", "SIZE", "split SIZE into DIMMs of this size (default: one DIMM)", NULL,
	  OPT_SIZE, offsetof(struct plug_options, dimm), NULL },
	{ 0, "virtio-mem", NULL,
	  "a virtio-mem device of at most SIZE instead of DIMMs: resize changes it in small steps",
	  NULL, OPT_FLAG, offsetof(struct plug_options, is_virtio_mem), NULL },
	{ 0, "keep-going", NULL, "if a DIMM fails, keep those that were plugged", NULL, OPT_FLAG,
	  offsetof(struct plug_options, is_keep_going), NULL },
	{ 0, "zone", "ZONE",
	  "auto, movable (can be unplugged) or kernel; auto is movable up to 3 x the "
	  "kernel's zones",
	  NULL, OPT_CHOICE, offsetof(struct plug_options, zone), zone_choices },
	{ 0, "no-online", NULL, "stop once the guest shows the blocks", NULL, OPT_FLAG,
	  offsetof(struct plug_options, is_no_online), NULL },
	{ 0, "node", "N", "NUMA node, by QEMU's number", NULL, OPT_NUMBER,
	  offsetof(struct plug_options, node), NULL },
	{ 0, "slot", "N", "memory slot (default: the first free one)", NULL, OPT_NUMBER,
	  offsetof(struct plug_options, slot), NULL },
	{ 0, "addr", "A",
	  "guest-physical address, such as 0x140000000 (default: the first gap that fits)", NULL,
	  OPT_NUMBER, offsetof(struct plug_options, address), NULL },
	{ 0, "backend", "TYPE",
	  "ram, memfd or file; --mem-path alone means file, --hugetlb or --share alone memfd; else "
	  "what the VM booted with when that is shared, or ram",
	  NULL, OPT_CHOICE, BACKEND(type), backend_types },
	{ 0, "mem-path", "PATH", "the file, or a directory for one without a name", NULL,
	  OPT_STRING, BACKEND(mem_path), NULL },
	{ 0, "hugetlb", "[=SIZE]", "use huge pages of the host (default: its default size)", NULL,
	  OPT_SIZE, BACKEND(hugetlb), NULL },
	{ 0, "prealloc", "[=THREADS]", "take all of the host's memory at once", NULL, OPT_NUMBER,
	  BACKEND(prealloc), NULL },
	{ 0, "share", NULL, "share it with other processes of the host (vhost-user)", NULL,
	  OPT_FLAG, BACKEND(is_shared), NULL },
	{ 0, "reserve", "ON", "on or off: reserve swap or huge pages on the host", NULL, OPT_CHOICE,
	  BACKEND(reserve), backend_reserves },
	{ 0, "host-nodes", "LIST", "NUMA nodes of the host, such as 0 or 0-1,3", NULL, OPT_STRING,
	  BACKEND(host_nodes), NULL },
	{ 0, "policy", "P", "default, preferred, bind or interleave: how to use those nodes", NULL,
	  OPT_CHOICE, BACKEND(policy), backend_policies },
	{ 0, "force", NULL, "do not check whether host and guest have room for the memory", NULL,
	  OPT_FLAG, offsetof(struct plug_options, is_forced), NULL },
	{ 0 },
};

static const char *const settings[] = { "zone", "dimm", NULL };

/* The current blocks of all DIMMs in the guest; the caller releases the list. */
static struct block_list plugged_blocks(const struct view *v, const struct plug *plug)
{
	struct block_list wanted = { 0 }, found = { 0 };
	unsigned i;

	for (i = 0; i < plug->dimms_count; i++)
		if (plug->dimms[i].has_blocks)
			block_list_add(&wanted, &plug->dimms[i].blocks);
	block_list_sort(&wanted);
	block_list_intersect(&found, &v->after.blocks, &wanted);
	block_list_free(&wanted);
	return found;
}

static void print_blocks(const struct view *v, const struct plug *plug)
{
	struct block_list blocks = plugged_blocks(v, plug);
	char range[BLOCKS_TEXT_MAX], state[STATE_TEXT_MAX];
	unsigned i;

	for (i = 0; i < blocks.count; i++) {
		const struct blocks *b = &blocks.runs[i];

		out_printf("%s: %s\n", blocks_format(range, b->first, b->last),
			   blocks_format_state(state, b));
	}
	if (plug->zone_reason[0] && plug->request.is_online_wanted)
		out_printf("  %s\n", plug->zone_reason);
	block_list_free(&blocks);
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

static void print_devices(const struct view *v, const struct plug *plug)
{
	const struct plug_dimm *dimms = plug->dimms;
	char size[SIZE_TEXT_MAX];
	unsigned i;

	if (plug->dimms_count > NAMES_MAX)
		out_printf("%u DIMMs of %s: %s to %s\n", plug->dimms_count,
			   size_format(size, dimms[0].request.size_bytes),
			   dimms[0].request.device_id,
			   dimms[plug->dimms_count - 1].request.device_id);
	for (i = 0; plug->dimms_count <= NAMES_MAX && i < plug->dimms_count; i++)
		print_device(plug_device(v, &dimms[i]));
}

/* The end of both reports: memory and times. */
static void print_end(const struct ctx *ctx, const struct transaction *t)
{
	if (t->view.has_guest)
		cmd_print_memory(&t->view);
	else
		cmd_print_left(ctx);
	cmd_print_times(t);
}

static void report_vmem(struct ctx *ctx, const struct transaction *t, void *job)
{
	struct vmem_plug *plug = job;
	struct json_object *devices = json_object_new_array();
	const struct memdev *d = machine_device(&t->view.machine, plug->device.device_id);
	char size[SIZE_TEXT_MAX];

	json_object_array_add(devices, cmd_json_device(&t->view, view_now(&t->view), d));
	json_object_object_add(ctx->result, "devices", devices);
	json_object_object_add(ctx->result, "backend", cmd_json_backend(&plug->request.backend));
	json_object_object_add(ctx->result, "guest", cmd_json_guest(&t->view));
	if (!cmd_is_text(ctx))
		return;
	out_styled(OUT_BOLD, memdev_name(d));
	out_printf(": %s of virtio-mem at 0x%llx\n", size_format(size, d->size_bytes),
		   (unsigned long long)d->address);
	cmd_print_backend(&plug->request.backend);
	if (plug->vmem.zone_reason[0])
		out_printf("  %s\n", plug->vmem.zone_reason);
	print_end(ctx, t);
}

static void report(struct ctx *ctx, const struct transaction *t, void *job)
{
	struct plug *plug = job;
	struct json_object *devices = json_object_new_array();
	unsigned i;

	for (i = 0; i < plug->dimms_count; i++)
		json_object_array_add(devices,
				      cmd_json_device(&t->view, &t->view.after,
						      plug_device(&t->view, &plug->dimms[i])));
	json_object_object_add(ctx->result, "devices", devices);
	json_object_object_add(ctx->result, "backend", cmd_json_backend(&plug->request.backend));
	json_object_object_add(ctx->result, "guest", cmd_json_guest(&t->view));
	if (!cmd_is_text(ctx))
		return;
	print_devices(&t->view, plug);
	cmd_print_backend(&plug->request.backend);
	if (t->view.has_guest)
		print_blocks(&t->view, plug);
	print_end(ctx, t);
}

/* A profile's zone does not apply to memory that stays offline. */
static enum zone zone_of(const struct ctx *ctx, const struct plug_options *o)
{
	return o->is_no_online && !opt_is_typed(&ctx->options, "zone") ? ZONE_AUTO : o->zone;
}

/* A profile's DIMM size applies where possible. */
static uint64_t dimm_bytes_of(const struct ctx *ctx, const struct plug_options *o,
			      uint64_t size_bytes)
{
	bool can_split = size_bytes % o->dimm.value == 0 && !o->slot.is_set && !o->address.is_set;

	return can_split || opt_is_typed(&ctx->options, "dimm") ? o->dimm.value : size_bytes;
}

static int no_multiple(const char *text, uint64_t size_bytes, uint64_t dimm_bytes, struct err *err)
{
	uint64_t down_bytes = size_bytes - size_bytes % dimm_bytes;
	char dimm[SIZE_TEXT_MAX], below[SIZE_TEXT_MAX], above[SIZE_TEXT_MAX];

	err_set(err, ERR_USAGE, "'%s' is not a multiple of --dimm, %s", text,
		size_exact(dimm, dimm_bytes));
	if (!down_bytes)
		return err_hint(err, "take %s", dimm);
	return err_hint(err, "take %s or %s", size_exact(below, down_bytes),
			size_exact(above, down_bytes + dimm_bytes));
}

/* How many DIMMs, and how large? */
static int split(const struct ctx *ctx, struct plug *plug, const struct plug_options *o,
		 struct err *err)
{
	uint64_t size_bytes = plug->request.size_bytes;
	uint64_t dimm_bytes = o->dimm.is_set ? dimm_bytes_of(ctx, o, size_bytes) : size_bytes;

	if (size_bytes % dimm_bytes)
		return no_multiple(plug->request.size_text, size_bytes, dimm_bytes, err);
	if (size_bytes / dimm_bytes > PLUG_DIMMS_MAX)
		return err_set(err, ERR_USAGE, "'%s' is more than %d DIMMs",
			       plug->request.size_text, PLUG_DIMMS_MAX);
	if (size_bytes != dimm_bytes && (o->slot.is_set || o->address.is_set))
		return err_set(err, ERR_USAGE, "--slot and --addr go with a single DIMM");
	plug_add_dimms(plug, dimm_bytes, (unsigned)(size_bytes / dimm_bytes));
	return 0;
}

static int run_dimms(struct ctx *ctx, const struct plug_options *o,
		     const struct plug_request *request, struct err *err)
{
	struct plug plug = { .request = *request, .is_keep_going = o->is_keep_going };
	struct transaction t;
	int status;

	if (split(ctx, &plug, o, err))
		return -1;
	cmd_begin(ctx, &t, o->is_forced);
	status = hotplug_plug(&t, &plug, err);
	cmd_note_backend(ctx, &plug.request.backend);
	status = cmd_finish(ctx, &t, status, report, &plug, err);
	plug_free(&plug);
	transaction_free(&t);
	return status;
}

static int run_vmem(struct ctx *ctx, const struct plug_options *o,
		    const struct plug_request *request, struct err *err)
{
	struct vmem_plug plug = { .request = *request };
	struct transaction t;
	int status;

	if (opt_is_typed(&ctx->options, "dimm") || o->slot.is_set || o->is_no_online ||
	    o->is_keep_going)
		return err_set(
			err, ERR_USAGE,
			"--virtio-mem excludes --dimm, --slot, --no-online and --keep-going");
	cmd_begin(ctx, &t, o->is_forced);
	status = hotplug_vmem_plug(&t, &plug, err);
	cmd_note_backend(ctx, &plug.request.backend);
	status = cmd_finish(ctx, &t, status, report_vmem, &plug, err);
	vmem_plug_free(&plug);
	transaction_free(&t);
	return status;
}

static int run(struct ctx *ctx, void *options, int argc, char **argv, struct err *err)
{
	const struct plug_options *o = options;
	struct plug_request request = {
		.name = o->name,
		.size_text = argv[0],
		.zone = zone_of(ctx, o),
		.is_online_wanted = !o->is_no_online,
		.has_slot = o->slot.is_set,
		.slot = o->slot.value,
		.has_node = o->node.is_set,
		.node = o->node.value,
		.has_address = o->address.is_set,
		.address = o->address.value,
		.backend = o->backend,
	};

	(void)argc;
	if (size_parse(argv[0], &request.size_bytes, err) || plug_check_request(&request, err))
		return -1;
	return o->is_virtio_mem ? run_vmem(ctx, o, &request, err)
				: run_dimms(ctx, o, &request, err);
}

const struct cmd cmd_plug = {
	.name = "plug",
	.args = "SIZE",
	.summary = "add DIMMs and bring their memory online in the guest",
	.details = "Returns when the guest can use the memory. If it cannot be brought online,\n"
		   "everything is undone, and the reason is given.\n\n"
		   "  memhp plug 512M\n"
		   "  memhp plug 1G --name cache --zone movable\n"
		   "  memhp plug 4G --dimm 512M\n",
	.args_min = 1,
	.args_max = 1,
	.takes = TAKES_SIZES,
	.opts = opts,
	.options_size = sizeof(struct plug_options),
	.settings = settings,
	.run = run,
};
