/* SPDX-License-Identifier: GPL-3.0-or-later */
/* memhp online, memhp offline */
#include "cmd/report.h"
#include "hotplug/change.h"
#include "lib/size.h"

struct change_options {
	unsigned zone;	/* of online */
	bool is_forced; /* of offline */
};

static const struct opt online_opts[] = {
	{ 0, "zone", "ZONE",
	  "auto, movable (can be taken offline again) or kernel; auto leaves blocks that "
	  "are online where they are",
	  NULL, OPT_CHOICE, offsetof(struct change_options, zone), zone_choices },
	{ 0 },
};

static const struct opt offline_opts[] = {
	{ 0, "force", NULL,
	  "do not check whether the guest can do without the memory, and take its huge pages too",
	  NULL, OPT_FLAG, offsetof(struct change_options, is_forced), NULL },
	{ 0 },
};

static void report(struct ctx *ctx, const struct transaction *t, void *job)
{
	struct change *change = job;
	struct block_list found = { 0 };
	char range[BLOCKS_TEXT_MAX], size[SIZE_TEXT_MAX], state[STATE_TEXT_MAX];
	unsigned i;

	block_list_intersect(&found, &view_now(&t->view)->blocks, &change->named);
	json_add_u64(ctx->result, "changed", true,
		     block_list_blocks(&change->blocks) * t->view.before.block_size_bytes);
	json_object_object_add(ctx->result, "blocks", cmd_json_blocks(&found, NULL));
	json_object_object_add(ctx->result, "guest", cmd_json_guest(&t->view));
	for (i = 0; i < found.count && cmd_is_text(ctx); i++) {
		const struct blocks *b = &found.runs[i];

		out_styled(OUT_BOLD, blocks_format(range, b->first, b->last));
		out_printf(": %s\n", blocks_format_state(state, b));
	}
	if (cmd_is_text(ctx)) {
		if (change->mixed.len)
			out_printf("in several zones: %s\n", change->mixed.data);
		if (change->blocks.count)
			cmd_print_memory(&t->view);
		else
			out_printf("nothing to do\n");
		out_printf("%s of %s changed\n",
			   size_format(size, block_list_blocks(&change->blocks) *
						     t->view.before.block_size_bytes),
			   size_format(range, block_list_blocks(&change->named) *
						      t->view.before.block_size_bytes));
		cmd_print_times(t);
	}
	block_list_free(&found);
}

static int run(struct ctx *ctx, struct change *change, const struct change_options *o, int argc,
	       char **argv, struct err *err)
{
	struct transaction t;
	int status;

	change->args = argv;
	change->args_count = (unsigned)argc;
	change->zone = o->zone;
	cmd_begin(ctx, &t, o->is_forced);
	status = cmd_finish(ctx, &t, hotplug_change(&t, change, err), report, change, err);
	change_free(change);
	transaction_free(&t);
	return status;
}

static int run_online(struct ctx *ctx, void *options, int argc, char **argv, struct err *err)
{
	return run(ctx, &(struct change){ .is_online = true }, options, argc, argv, err);
}

static int run_offline(struct ctx *ctx, void *options, int argc, char **argv, struct err *err)
{
	return run(ctx, &(struct change){ .is_online = false }, options, argc, argv, err);
}

const struct cmd cmd_online = {
	.name = "online",
	.args = "BLOCKS...",
	.summary = "bring memory blocks of the guest online",
	.details = "BLOCKS are memory33, 33, 32-35, a device of memhp list, a size (the lowest\n"
		   "blocks that are offline), or all.\n\n"
		   "  memhp online memory33\n"
		   "  memhp online all --zone movable\n",
	.args_min = 1,
	.args_max = -1,
	.takes = TAKES_DEVICES | TAKES_OFFLINE,
	.opts = online_opts,
	.options_size = sizeof(struct change_options),
	.run = run_online,
};

const struct cmd cmd_offline = {
	.name = "offline",
	.args = "BLOCKS...",
	.summary = "take memory blocks of the guest offline",
	.details = "BLOCKS are memory33, 33, 32-35, a device of memhp list, a size (the highest\n"
		   "Movable blocks), or all (every Movable block).\n\n"
		   "  memhp offline memory33\n"
		   "  memhp offline 256M\n",
	.args_min = 1,
	.args_max = -1,
	.takes = TAKES_DEVICES | TAKES_ONLINE,
	.opts = offline_opts,
	.options_size = sizeof(struct change_options),
	.run = run_offline,
};
