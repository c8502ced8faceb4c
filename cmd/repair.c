/* SPDX-License-Identifier: GPL-3.0-or-later */
/* memhp repair */
#include "cmd/report.h"
#include "hotplug/repair.h"

struct repair_options {
	bool is_forward, is_back, is_all, is_forced;
};

static const struct opt opts[] = {
	{ 0, "forward", NULL, "finish: bring all of it online, reach the requested size", NULL,
	  OPT_FLAG, offsetof(struct repair_options, is_forward), NULL },
	{ 0, "back", NULL, "undo: unplug what is not online, request no other size", NULL, OPT_FLAG,
	  offsetof(struct repair_options, is_back), NULL },
	{ 0, "all", NULL,
	  "also remove unused backends whose names memhp would not make, and unplug DIMMs that "
	  "were "
	  "there from the start if the guest has not added them",
	  NULL, OPT_FLAG, offsetof(struct repair_options, is_all), NULL },
	{ 0, "force", NULL, "do not check whether the guest can do without the memory", NULL,
	  OPT_FLAG, offsetof(struct repair_options, is_forced), NULL },
	{ 0 },
};

static const char *const kinds[] = {
	[FINDING_BACKEND] = "unused-backend", [FINDING_ABSENT] = "absent",
	[FINDING_SHORT] = "partly-absent",    [FINDING_PARTLY] = "partly-offline",
	[FINDING_OFFLINE] = "offline",	      [FINDING_PENDING] = "unplug-pending",
	[FINDING_SIZE] = "unfinished-resize"
};

static const char *const actions[] = {
	[ACTION_NONE] = "none",	    [ACTION_REMOVE] = "remove",	     [ACTION_ONLINE] = "online",
	[ACTION_UNPLUG] = "unplug", [ACTION_ACCEPT_SIZE] = "settle", [ACTION_RESIZE] = "resize"
};

static const char *const kind_words[] = { [FINDING_BACKEND] = "a backend without a device",
					  [FINDING_ABSENT] = "the guest has not added it",
					  [FINDING_SHORT] = "the guest has not added all of it",
					  [FINDING_PARTLY] = "some of its blocks are offline",
					  [FINDING_OFFLINE] = "all of its blocks are offline",
					  [FINDING_PENDING] = "the guest is about to let go of it",
					  [FINDING_SIZE] = "not as large as requested" };

static const char *const action_words[] = {
	[ACTION_NONE] = "left alone: see --all",    [ACTION_REMOVE] = "removed",
	[ACTION_ONLINE] = "brought online",	    [ACTION_UNPLUG] = "unplugged",
	[ACTION_ACCEPT_SIZE] = "asked for no more", [ACTION_RESIZE] = "resized"
};

/* Add the findings to the result, before they are freed. */
static void add_findings(struct ctx *ctx, const struct repair *r)
{
	struct json_object *array = json_object_new_array();
	unsigned i;

	for (i = 0; i < r->all.count; i++) {
		const struct finding *f = &r->all.list[i];
		struct json_object *object = json_object_new_object();

		json_add_string(object, "id", f->id);
		json_add_string(object, "kind", kinds[f->kind]);
		json_add_string(object, "action", actions[f->action]);
		json_object_array_add(array, object);
	}
	json_object_object_add(ctx->result, "findings", array);
}

static const char *words_of(const struct finding *f)
{
	if (f->kind == FINDING_SHORT && f->action == ACTION_NONE)
		return "left alone: see --back";
	return action_words[f->action];
}

static void print_findings(const struct repair *r, bool is_dry_run)
{
	unsigned i;

	for (i = 0; i < r->all.count; i++) {
		const struct finding *f = &r->all.list[i];
		bool is_to_be = is_dry_run && f->action != ACTION_NONE;

		out_styled(OUT_BOLD, f->id);
		out_printf(": %s: %s%s\n", kind_words[f->kind], is_to_be ? "to be " : "",
			   words_of(f));
	}
}

static void report(struct ctx *ctx, const struct transaction *t, void *job)
{
	const struct repair *r = job;

	if (!cmd_is_text(ctx))
		return;
	print_findings(r, false);
	if (r->mixed.len)
		out_printf("in several zones: %s\n", r->mixed.data);
	if (!r->all.count)
		out_printf("nothing to repair\n");
	cmd_print_times(t);
}

static int run(struct ctx *ctx, void *options, int argc, char **argv, struct err *err)
{
	const struct repair_options *o = options;
	struct repair repair = { .is_all = o->is_all,
				 .direction = o->is_forward ? REPAIR_FORWARD
					      : o->is_back  ? REPAIR_BACK
							    : REPAIR_AUTO };
	struct transaction t;
	int status;

	(void)argc, (void)argv;
	if (o->is_forward && o->is_back)
		return err_set(err, ERR_USAGE, "--forward and --back exclude each other");
	cmd_begin(ctx, &t, o->is_forced);
	status = hotplug_repair(&t, &repair, err);
	add_findings(ctx, &repair);
	if (!status && t.is_dry_run && cmd_is_text(ctx))
		print_findings(&repair, true);
	status = cmd_finish(ctx, &t, status, report, &repair, err);
	repair_free(&repair);
	transaction_free(&t);
	return status;
}

const struct cmd cmd_repair = {
	.name = "repair",
	.args = "",
	.summary = "finish or undo what an interrupted command left",
	.details = "Searches QEMU and the guest for backends without a device, DIMMs that are not\n"
		   "wholly online, and virtio-mem devices between two sizes. By default it takes\n"
		   "nothing from the guest: memory goes online.\n\n"
		   "  memhp repair --dry-run\n"
		   "  memhp repair --back\n",
	.opts = opts,
	.options_size = sizeof(struct repair_options),
	.run = run,
};
