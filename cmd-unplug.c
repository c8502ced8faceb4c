/* SPDX-License-Identifier: GPL-3.0-or-later */
/* memhp unplug */
#include <stdlib.h>

#include "cmd.h"
#include "size.h"

struct unplug_options {
	bool is_all, is_forced;
};

static const struct opt opts[] = {
	{ 0, "all", NULL, "every hotplugged DIMM", NULL, OPT_FLAG,
	  offsetof(struct unplug_options, is_all), NULL },
	{ 0, "force", NULL, "do not check whether the guest can do without the memory", NULL,
	  OPT_FLAG, offsetof(struct unplug_options, is_forced), NULL },
	{ 0 },
};

/* The devices are gone when the report is made: their JSON and names are kept from before. */
struct unplug_job {
	struct unplug unplug; /* first: h->job points here */
	struct json_object *devices;
	struct buf names;
};

static void report(struct ctx *ctx, struct hotplug *h)
{
	struct unplug_job *job = h->job;
	char size[SIZE_TEXT_MAX];

	json_object_object_add(ctx->result, "devices", json_object_get(job->devices));
	json_object_object_add(ctx->result, "guest", cmd_json_guest(h));
	if (!cmd_is_text(ctx))
		return;
	out_styled(OUT_BOLD, buf_text(&job->names));
	out_printf(": unplugged %s\n", size_format(size, job->unplug.size_bytes));
	if (h->has_guest && (h->after.has & GUEST_HAS_TOTAL))
		cmd_print_memory(h);
	cmd_print_times(h);
}

/* What leaves, while it is still known. */
static void remember(struct hotplug *h, const struct memdev *d)
{
	struct unplug_job *job = h->job;

	json_object_array_add(job->devices, cmd_json_device(h, &h->before, d));
	buf_addf(&job->names, "%s%s", job->names.len ? ", " : "", memdev_name(d));
}

static int run(struct ctx *ctx, void *options, int argc, char **argv, struct err *err)
{
	const struct unplug_options *o = options;
	struct unplug_job job = {
		.unplug = { .names = argv,
			    .names_count = (unsigned)argc,
			    .is_all = o->is_all,
			    .leaves = remember },
		.devices = json_object_new_array(),
	};
	struct hotplug h;
	int status;

	if (o->is_all && argc) {
		json_object_put(job.devices);
		return err_set(err, ERR_USAGE, "--all takes no names");
	}
	cmd_hotplug_init(ctx, &h, o->is_forced);
	status = cmd_finish(ctx, &h, hotplug_unplug(&h, &job.unplug, err), report, err);
	unplug_release(&job.unplug);
	buf_release(&job.names);
	json_object_put(job.devices);
	hotplug_release(&h);
	return status;
}

const struct cmd cmd_unplug = {
	.name = "unplug",
	.args = "[NAME]...",
	.summary = "take DIMMs away: blocks offline, device released, backend removed",
	.details =
		"NAME is a device of memhp list, or the name given to plug; without one, the DIMM\n"
		"plugged last. When the guest cannot give the memory back, all is put back, and\n"
		"the block and the reason are named.\n\n"
		"  memhp unplug\n"
		"  memhp unplug cache --timeout 10\n",
	.args_min = 0,
	.args_max = -1,
	.opts = opts,
	.options_size = sizeof(struct unplug_options),
	.run = run,
};
