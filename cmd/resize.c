/* SPDX-License-Identifier: GPL-3.0-or-later */
/* memhp resize */
#include <limits.h>
#include <string.h>

#include "cmd/report.h"
#include "hotplug/resize.h"
#include "lib/size.h"

struct resize_options {
	unsigned zone;
	struct opt_u64 dimm, node;
	bool is_forced;
};

static const struct opt opts[] = {
	{ 0, "zone", "ZONE",
	  "zone of added memory: auto, movable (can be taken back) or kernel; auto is movable up "
	  "to "
	  "3 x the kernel's zones",
	  NULL, OPT_CHOICE, offsetof(struct resize_options, zone), zone_choices },
	{ 0, "dimm", "SIZE", "add DIMMs of this size (default: at most 8, in half of the slots)",
	  NULL, OPT_SIZE, offsetof(struct resize_options, dimm), NULL },
	{ 0, "node", "N", "count and change only NUMA node N, by QEMU's number", NULL, OPT_NUMBER,
	  offsetof(struct resize_options, node), NULL },
	{ 0, "force", NULL, "do not check whether host and guest have room for the memory", NULL,
	  OPT_FLAG, offsetof(struct resize_options, is_forced), NULL },
	{ 0 },
};

static const char *const settings[] = { "zone", NULL };

/* Unplugged DIMMs are gone by the time of the report: their JSON is made before. */
struct resize_job {
	struct resize resize;
	struct json_object *plugged, *unplugged, *resized;
	struct buf changes; /* as text, one per line */
};

static struct resize_job *job_of(struct unplug *unplug)
{
	return (struct resize_job *)((char *)unplug - offsetof(struct resize_job, resize.unplug));
}

static void remember(struct unplug *unplug, const struct transaction *t, const struct memdev *d)
{
	struct resize_job *job = job_of(unplug);
	char size[SIZE_TEXT_MAX];

	json_object_array_add(job->unplugged, cmd_json_device(&t->view, &t->view.before, d));
	buf_addf(&job->changes, "%s: unplugged %s\n", memdev_name(d),
		 size_exact(size, d->size_bytes));
}

static void add_plugged(struct resize_job *job, const struct view *v)
{
	const struct plug *plug = &job->resize.plug;
	char size[SIZE_TEXT_MAX];
	unsigned i;

	for (i = 0; i < plug->dimms_count; i++) {
		const struct memdev *d = plug_device(v, &plug->dimms[i]);
		enum zone zone = v->has_guest ? plug->dimms[i].zone : ZONE_ANY;

		json_object_array_add(job->plugged, cmd_json_device(v, &v->after, d));
		buf_addf(&job->changes, "%s: plugged %s%s%s\n", memdev_name(d),
			 size_exact(size, d->size_bytes), zone == ZONE_ANY ? "" : " in zone ",
			 zone == ZONE_ANY ? "" : sysfs_zone_word(zone));
	}
	if (plug->zone_reason[0])
		buf_addf(&job->changes, "  %s\n", plug->zone_reason);
}

static void add_resized(struct resize_job *job, const struct view *v)
{
	const struct vmem *vmem = &job->resize.vmem;
	char before[SIZE_TEXT_MAX], after[SIZE_TEXT_MAX];
	unsigned i;

	for (i = 0; i < vmem->devices_count; i++) {
		const struct vmem_device *device = &vmem->devices[i];
		const struct memdev *d = machine_device(&v->machine, device->handle);

		if (d)
			json_object_array_add(job->resized, cmd_json_device(v, view_now(v), d));
		buf_addf(&job->changes, "%s: %s, was %s\n", device->handle,
			 size_exact(after, device->size_bytes),
			 size_exact(before, device->before_bytes));
	}
	if (vmem->zone_reason[0])
		buf_addf(&job->changes, "  %s\n", vmem->zone_reason);
}

static void report(struct ctx *ctx, const struct transaction *t, void *data)
{
	struct resize_job *job = data;
	const struct resize *r = &job->resize;
	char before[SIZE_TEXT_MAX], after[SIZE_TEXT_MAX];

	add_resized(job, &t->view);
	add_plugged(job, &t->view);
	json_object_object_add(ctx->result, "plugged", json_object_get(job->plugged));
	json_object_object_add(ctx->result, "unplugged", json_object_get(job->unplugged));
	json_object_object_add(ctx->result, "resized", json_object_get(job->resized));
	json_object_object_add(ctx->result, "backend",
			       r->plug.dimms_count ? cmd_json_backend(&r->plug.request.backend)
						   : NULL);
	json_object_object_add(ctx->result, "guest", cmd_json_guest(&t->view));
	if (!cmd_is_text(ctx))
		return;
	out_styled(OUT_BOLD, size_exact(after, r->after_bytes));
	if (r->before_bytes == r->after_bytes)
		out_printf(": nothing to do\n");
	else
		out_printf(", was %s\n%s", size_exact(before, r->before_bytes),
			   buf_text(&job->changes));
	cmd_print_backend(&r->plug.request.backend);
	if (t->view.has_guest)
		cmd_print_memory(&t->view);
	else if (r->plug.dimms_count)
		cmd_print_left(ctx);
	cmd_print_times(t);
}

/* "0", "0M": nothing at all */
static bool is_zero(const char *text)
{
	size_t digits = strspn(text, "0");

	return digits && (!text[digits] || (text[digits] != '.' && size_looks_like(text) &&
					    strspn(text, "0123456789") == digits));
}

/* "8G", "+1G", "-512M"; a node's total can be 0 */
static int parse_total(struct resize *r, const char *text, struct err *err)
{
	r->text = text;
	r->sign = *text == '+' || *text == '-' ? *text : '\0';
	if (r->node >= 0 && is_zero(text))
		return 0;
	return size_parse(r->sign ? text + 1 : text, &r->size_bytes, err);
}

static void add_totals(struct json_object *result, const struct resize *r)
{
	json_add_u64(result, "total_before", r->has_before, r->before_bytes);
	json_add_u64(result, "target", r->has_target, r->target_bytes);
	json_add_u64(result, "total_after", r->has_after, r->after_bytes);
}

static int run(struct ctx *ctx, void *options, int argc, char **argv, struct err *err)
{
	const struct resize_options *o = options;
	struct resize_job job = { .resize = { .zone = o->zone,
					      .dimm_bytes = o->dimm.value,
					      .node = o->node.is_set ? (int)o->node.value : -1,
					      .unplug.leaves = remember } };
	struct transaction t;
	int status;

	(void)argc;
	if (o->node.is_set && o->node.value > INT_MAX)
		return err_set(err, ERR_USAGE, "no NUMA node can have that number");
	if (parse_total(&job.resize, argv[0], err))
		return -1;
	job.plugged = json_object_new_array();
	job.unplugged = json_object_new_array();
	job.resized = json_object_new_array();
	cmd_begin(ctx, &t, o->is_forced);
	status = hotplug_resize(&t, &job.resize, err);
	add_totals(ctx->result, &job.resize);
	cmd_note_backend(ctx, &job.resize.plug.request.backend);
	status = cmd_finish(ctx, &t, status, report, &job, err);
	json_object_put(job.plugged);
	json_object_put(job.unplugged);
	json_object_put(job.resized);
	buf_free(&job.changes);
	resize_free(&job.resize);
	transaction_free(&t);
	return status;
}

const struct cmd cmd_resize = {
	.name = "resize",
	.args = "TOTAL",
	.summary = "plug, unplug or resize devices until the VM has TOTAL memory",
	.details =
		"TOTAL counts what QEMU was started with plus what is plugged; +SIZE and -SIZE\n"
		"are relative to that. virtio-mem devices change first, DIMMs make up the rest.\n"
		"If the VM has that much already, nothing is done.\n\n"
		"  memhp resize 8G\n"
		"  memhp resize +1G --dimm 256M\n"
		"  memhp resize -512M\n",
	.args_min = 1,
	.args_max = 1,
	.takes = TAKES_TOTALS,
	.is_signed = true,
	.opts = opts,
	.options_size = sizeof(struct resize_options),
	.settings = settings,
	.run = run,
};
