/* SPDX-License-Identifier: GPL-3.0-or-later */
/* memhp events */
#include <string.h>
#include <time.h>

#include "cmd.h"
#include "event.h"
#include "size.h"

struct events_options {
	struct opt_u64 count;
	const char *until;
};

static const struct opt opts[] = {
	{ 0, "count", "N", "end after N events", NULL, OPT_NUMBER,
	  offsetof(struct events_options, count), NULL },
	{ 0, "until", "plugged=SIZE", "end when so much is plugged, or is already", NULL,
	  OPT_STRING, offsetof(struct events_options, until), NULL },
	{ 0 },
};

/* "plugged=512M", "plugged=0" */
static int parse_until(const char *text, uint64_t *bytes, struct err *err)
{
	static const char key[] = "plugged=";

	if (strncmp(text, key, sizeof(key) - 1) != 0)
		return err_set(err, ERR_USAGE, "bad value '%s' for --until: want plugged=SIZE",
			       text);
	text += sizeof(key) - 1;
	*bytes = 0;
	return strcmp(text, "0") ? size_parse(text, bytes, err) : 0;
}

static bool is_any(const char *name, struct json_object *data, void *context)
{
	(void)name, (void)data, (void)context;
	return true;
}

/* Print one event; 1 when it was worth it. */
static int show(struct ctx *ctx, struct json_object *event, struct err *err)
{
	_cleanup_buf_ struct buf words = { 0 };
	char clock[16];
	time_t now = time(NULL);

	if (!event_describe(event, &words))
		return 0;
	if (ctx->globals->is_json) {
		json_add_string(event, "text", buf_text(&words));
		out_json(event);
	} else {
		strftime(clock, sizeof(clock), "%H:%M:%S", localtime(&now));
		out_printf("%s  %s\n", clock, buf_text(&words));
	}
	return out_flush(err) ? -1 : 1;
}

/* 1 when as much is plugged as was waited for. */
static int is_reached(struct ctx *ctx, const char *until, uint64_t bytes, struct err *err)
{
	_cleanup_json_ struct json_object *reply = NULL;
	uint64_t plugged_bytes = 0;

	if (!until)
		return 0;
	if (qmp_execute(ctx->vm.qmp, "query-memory-size-summary", NULL, &reply, err))
		return err_wrap(err, "cannot ask QEMU (query-memory-size-summary)");
	json_get_u64(reply, "plugged-memory", &plugged_bytes);
	return plugged_bytes == bytes;
}

static int follow(struct ctx *ctx, const struct events_options *o, uint64_t bytes, struct err *err)
{
	uint64_t seen = 0;
	int reached;

	while (!(reached = is_reached(ctx, o->until, bytes, err)) &&
	       (!o->count.is_set || seen < o->count.value)) {
		_cleanup_json_ struct json_object *event = NULL;
		int shown;

		if (qmp_wait_event(ctx->vm.qmp, is_any, NULL, DEADLINE_NEVER, &event, err) < 0)
			return -1;
		shown = show(ctx, event, err);
		if (shown < 0)
			return -1;
		seen += (uint64_t)shown;
	}
	return reached < 0 ? -1 : 0;
}

static int run(struct ctx *ctx, void *options, int argc, char **argv, struct err *err)
{
	const struct events_options *o = options;
	uint64_t bytes = 0;

	(void)argc, (void)argv;
	if (o->until && parse_until(o->until, &bytes, err))
		return -1;
	return vm_open_qmp(&ctx->vm, err) || follow(ctx, o, bytes, err) ? -1 : 0;
}

const struct cmd cmd_events = {
	.name = "events",
	.args = "",
	.summary = "show what happens to QEMU's memory devices, until Ctrl-C",
	.details =
		"With --json each event is one object on one line. A monitor serves one client:\n"
		"give QEMU a second one to use others meanwhile.\n\n"
		"  memhp events\n"
		"  memhp events --until plugged=0 --timeout 30\n",
	.is_endless = true,
	.opts = opts,
	.options_size = sizeof(struct events_options),
	.run = run,
};
