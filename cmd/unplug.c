/* SPDX-License-Identifier: GPL-3.0-or-later */
/* memhp unplug */
#include <stdlib.h>

#include "cmd/report.h"
#include "hotplug/leave.h"
#include "lib/size.h"

#define NAMES_MAX 8 /* more are only counted */

struct unplug_options {
	bool is_all, is_keep_going, is_forced;
};

static const struct opt opts[] = {
	{ 0, "all", NULL, "every hotplugged DIMM", NULL, OPT_FLAG,
	  offsetof(struct unplug_options, is_all), NULL },
	{ 0, "keep-going", NULL, "take what can be taken, and name what stays", NULL, OPT_FLAG,
	  offsetof(struct unplug_options, is_keep_going), NULL },
	{ 0, "force", NULL,
	  "do not check whether the guest can do without the memory, and take its huge pages too",
	  NULL, OPT_FLAG, offsetof(struct unplug_options, is_forced), NULL },
	{ 0 },
};

/* The devices are gone by the time of the report: their JSON and names are kept from before. */
struct unplug_job {
	struct unplug unplug; /* first: what the transaction is given */
	struct json_object *devices;
	struct buf names;
	unsigned count;
};

static void report(struct ctx *ctx, const struct transaction *t, void *data)
{
	struct unplug_job *job = data;
	char size[SIZE_TEXT_MAX];
	unsigned i;

	json_object_object_add(ctx->result, "devices", json_object_get(job->devices));
	json_object_object_add(ctx->result, "guest", cmd_json_guest(&t->view));
	if (!cmd_is_text(ctx))
		return;
	if (job->count > NAMES_MAX)
		out_printf("%u DIMMs", job->count);
	else
		out_styled(OUT_BOLD, buf_text(&job->names));
	out_printf(": unplugged %s\n", size_format(size, job->unplug.size_bytes));
	for (i = 0; i < job->unplug.stayers.count; i++)
		out_printf("%s stays: %s\n", job->unplug.stayers.list[i].name,
			   job->unplug.stayers.list[i].err.message);
	if (t->view.has_guest && (t->view.after.has & GUEST_HAS_TOTAL))
		cmd_print_memory(&t->view);
	cmd_print_times(t);
}

/* Note a device that is to leave, while its properties are known. */
static void remember(struct unplug *unplug, const struct transaction *t, const struct memdev *d)
{
	struct unplug_job *job = (struct unplug_job *)unplug;

	json_object_array_add(job->devices, cmd_json_device(&t->view, &t->view.before, d));
	buf_addf(&job->names, "%s%s", job->names.len ? ", " : "", memdev_name(d));
	job->count++;
}

static int choose(const struct transaction *t, struct unplug *unplug, bool is_all, int argc,
		  char **argv, struct err *err)
{
	if (is_all)
		return unplug_add_all(&t->view, unplug, err);
	if (!argc)
		return unplug_add_last(&t->view, unplug, err);
	return unplug_add_args(t, unplug, argv, (unsigned)argc, err);
}

/* Put into the error what the user named, else what was chosen: "memhp0-dimm", "64 DIMMs" */
static int explain(const struct unplug_job *job, int argc, char **argv, struct err *err)
{
	_cleanup_buf_ struct buf words = { 0 };
	int i;

	for (i = 0; i < argc; i++)
		buf_addf(&words, "%s%s", i ? " " : "", argv[i]);
	if (!words.len && job->unplug.is_keep_going)
		return err_wrap(err, "cannot unplug all");
	if (words.len || (job->names.len && job->count <= NAMES_MAX))
		return err_wrap(err, "cannot unplug '%s'",
				words.len ? words.data : job->names.data);
	return job->count ? err_wrap(err, "cannot unplug %u DIMMs", job->count)
			  : err_wrap(err, "cannot unplug");
}

/* With --keep-going, even on failure: report what has gone, and what stays and why. */
static void add_stayers(struct ctx *ctx, const struct unplug_job *job)
{
	struct json_object *array = json_object_new_array();
	unsigned i;

	for (i = 0; i < job->unplug.stayers.count; i++) {
		const struct stayer *s = &job->unplug.stayers.list[i];
		struct json_object *object = json_object_new_object();

		json_add_string(object, "id", s->name);
		json_add_string(object, "reason", s->err.message);
		json_object_array_add(array, object);
	}
	json_object_object_add(ctx->result, "devices", json_object_get(job->devices));
	json_object_object_add(ctx->result, "staying", array);
}

static int unplug(struct transaction *t, struct unplug_job *job, bool is_all, int argc, char **argv,
		  struct err *err)
{
	t->view.preload = VERB_BIT(job->unplug.is_keep_going ? VERB_OFFLINE : VERB_OFFLINE_FAST) |
			  VERB_BIT(VERB_BLOCKS);
	t->view.is_scope_devices = t->view.is_taking = true;
	if (!transaction_query(t, QUERY_QEMU | QUERY_CHANGE, err) &&
	    !choose(t, &job->unplug, is_all, argc, argv, err) &&
	    !leave_prepare(t, &job->unplug, err) && !transaction_run(t, err))
		return 0;
	return explain(job, argc, argv, err);
}

static int run(struct ctx *ctx, void *options, int argc, char **argv, struct err *err)
{
	const struct unplug_options *o = options;
	struct unplug_job job = { .unplug = { .leaves = remember,
					      .is_keep_going = o->is_keep_going } };
	struct transaction t;
	int status;

	if (o->is_all && argc)
		return err_set(err, ERR_USAGE, "--all takes no names");
	job.devices = json_object_new_array();
	cmd_begin(ctx, &t, o->is_forced);
	status = unplug(&t, &job, o->is_all, argc, argv, err);
	if (o->is_keep_going)
		add_stayers(ctx, &job);
	status = cmd_finish(ctx, &t, status, report, &job, err);
	unplug_free(&job.unplug);
	buf_free(&job.names);
	json_object_put(job.devices);
	transaction_free(&t);
	return status;
}

const struct cmd cmd_unplug = {
	.name = "unplug",
	.args = "[NAME|SIZE]...",
	.summary = "take DIMMs away: blocks offline, device released, backend removed",
	.details =
		"NAME is a device of memhp list, or the name given to plug; SIZE stands for DIMMs\n"
		"that add up to it; without either, the DIMM plugged last. If the guest cannot\n"
		"give the memory back, everything is undone, and the block and the reason are\n"
		"named; with --keep-going only what cannot leave stays.\n\n"
		"  memhp unplug\n"
		"  memhp unplug cache --timeout 10\n"
		"  memhp unplug 1G\n",
	.args_min = 0,
	.args_max = -1,
	.takes = TAKES_DEVICES,
	.opts = opts,
	.options_size = sizeof(struct unplug_options),
	.run = run,
};
