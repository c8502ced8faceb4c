/* SPDX-License-Identifier: GPL-3.0-or-later */
/* memhp events */
#include <string.h>
#include <time.h>

#include "cmd/event.h"
#include "cmd/guest-event.h"
#include "cmd/report.h"
#include "hotplug/memory.h"
#include "hotplug/watch.h"
#include "lib/fold.h"
#include "lib/size.h"
#include "qemu/ending.h"

#define ASK_MS 1000 /* the interval of asking the guest for news */

struct events_options {
	struct opt_u64 count;
	const char *until;
	bool is_guest;
};

static const struct opt opts[] = {
	{ 0, "guest-events", NULL, "follow the guest too, even if that occupies its console", NULL,
	  OPT_FLAG, offsetof(struct events_options, is_guest), NULL },
	{ 0, "count", "N", "end after N events", NULL, OPT_NUMBER,
	  offsetof(struct events_options, count), NULL },
	{ 0, "until", "GOAL",
	  "end when that much is plugged (plugged=SIZE) or online in the guest (online=SIZE); at "
	  "once if it already is",
	  NULL, OPT_STRING, offsetof(struct events_options, until), NULL },
	{ 0 },
};

/* What is followed, and the state of that. */
struct follower {
	struct ctx *ctx;
	const struct events_options *options;
	bool is_online; /* wait for online memory, not plugged */
	uint64_t until_bytes;
	uint64_t count;
	struct fold fold;
	struct request request; /* that asks the guest for news */
	struct answer answer;	/* to it, so far */
	bool is_asked;		/* it is under way ... */
	int64_t ask_ms;		/* ... or this is when to send it */
	struct guest_memory seen;
};

/* "plugged=512M", "plugged=0", "online=2G" */
static int parse_until(struct follower *f, struct err *err)
{
	const char *text = f->options->until;

	if (!text)
		return 0;
	f->is_online = !strncmp(text, "online=", 7);
	if (!f->is_online && strncmp(text, "plugged=", 8) != 0)
		return err_set(err, ERR_USAGE,
			       "bad value '%s' for --until: want plugged=SIZE or online=SIZE",
			       text);
	text = strchr(text, '=') + 1;
	return strcmp(text, "0") ? size_parse(text, &f->until_bytes, err) : 0;
}

static bool is_any(const char *name, struct json_object *data, void *context)
{
	(void)name, (void)data, (void)context;
	return true;
}

static bool is_enough(const struct follower *f)
{
	return f->options->count.is_set && f->count >= f->options->count.value;
}

/* Print an event, with its description added. */
static int print(struct follower *f, struct json_object *event, const char *words, struct err *err)
{
	char clock[16];
	time_t now = time(NULL);

	if (f->ctx->globals->is_json) {
		json_add_string(event, "text", words);
		out_json(event);
	} else {
		strftime(clock, sizeof(clock), "%H:%M:%S", localtime(&now));
		out_printf("%s  %s\n", clock, words);
	}
	return out_flush(err);
}

/* Print one event, if it is relevant and not part of a flood. */
static int show(struct follower *f, struct json_object *event, struct err *err)
{
	_cleanup_buf_ struct buf words = { 0 };
	const char *name = "";
	size_t bytes;

	if (is_enough(f) || !event_describe(event, &words))
		return 0;
	f->count++;
	json_get_string(event, "event", &name);
	bytes = f->ctx->globals->is_json ? strlen(json_text(event)) : words.len;
	if (!fold_shows(&f->fold, name, bytes, monotonic_ms()))
		return 0;
	return print(f, event, buf_text(&words), err);
}

/* Report how many events were too many to show, once a second or at the end. */
static int tell_folded(struct follower *f, bool is_over, struct err *err)
{
	_cleanup_json_ struct json_object *event = NULL;
	_cleanup_buf_ struct buf words = { 0 };
	int64_t now_ms = monotonic_ms();
	struct json_object *data;

	if (f->ctx->vm.qmp)
		fold_add(&f->fold, qmp_count_lost(f->ctx->vm.qmp), now_ms);
	if (fold_due_ms(&f->fold) > (is_over ? INT64_MAX - 1 : now_ms))
		return 0;
	data = json_object_new_object();
	json_add_u64(data, "count", true, fold_take(&f->fold, now_ms));
	event = event_new("EVENTS_FOLDED", data);
	event_describe(event, &words);
	return print(f, event, buf_text(&words), err);
}

/* 1 when as much memory is plugged, or online, as --until says. */
static int is_reached(struct follower *f, struct err *err)
{
	_cleanup_json_ struct json_object *reply = NULL;
	uint64_t plugged_bytes = 0;

	if (!f->options->until)
		return 0;
	if (f->is_online)
		return sysfs_sum(&f->seen, -1).online_bytes == f->until_bytes;
	if (qmp_execute(f->ctx->vm.qmp, "query-memory-size-summary", NULL, &reply, err))
		return err_wrap(err, "cannot ask QEMU (query-memory-size-summary)");
	json_get_u64(reply, "plugged-memory", &plugged_bytes);
	return plugged_bytes == f->until_bytes;
}

/* Receives the events of guest_event_compare(). */
struct showing {
	struct follower *f;
	struct err *err;
};

static int show_guest(void *context, struct json_object *event)
{
	struct showing *showing = context;
	_cleanup_json_ struct json_object *owned = event;

	return show(showing->f, owned, showing->err);
}

/* The guest can no longer be reached. Without it there may be nothing left to wait for. */
static int lose_guest(struct follower *f, struct err *why, struct err *err)
{
	_cleanup_json_ struct json_object *event = guest_event_lost(why->message);

	vm_close_guest(&f->ctx->vm);
	answer_free(&f->answer);
	if (!f->ctx->vm.qmp || f->is_online) {
		*err = *why;
		return -1;
	}
	return show(f, event, err);
}

/* A restart of the guest ends its shell: send nothing to what is there now. */
static int notice_end(struct follower *f, struct json_object *event, struct err *err)
{
	struct endings endings = { 0 };
	struct json_object *data = NULL;
	const char *name = "";
	struct err why = { 0 };

	json_get_string(event, "event", &name);
	json_get_object(event, "data", &data);
	if (!f->ctx->vm.guest || !endings_take(&endings, name, data, monotonic_ms()))
		return 0;
	guest_abandon(f->ctx->vm.guest);
	err_set(&why, ERR_GUEST_UNREACHABLE, "it has ended or restarted");
	return lose_guest(f, &why, err);
}

/* Show an event of QEMU; one at a time, so that neither source can delay the other. */
static int hear_qemu(struct follower *f, struct err *err)
{
	_cleanup_json_ struct json_object *event = NULL;
	int ready =
		f->ctx->vm.qmp ? qmp_wait_event(f->ctx->vm.qmp, is_any, NULL, 0, &event, err) : 0;

	if (ready <= 0)
		return ready;
	return show(f, event, err) || notice_end(f, event, err) ? -1 : 0;
}

/* Show what is new in the guest's answer, and schedule the next request. */
static int take_scan(struct follower *f, struct err *err)
{
	struct guest_memory now = { 0 };
	struct showing showing = { f, err };
	int status = memory_read(&now, &f->request, &f->answer, err);

	/* no scan: nothing has happened */
	if (!status && now.block_size_bytes) {
		status = f->seen.block_size_bytes
				 ? guest_event_compare(&f->seen, &now, show_guest, &showing)
				 : 0;
		guest_memory_free(&f->seen);
		f->seen = now;
	} else {
		guest_memory_free(&now);
	}
	answer_free(&f->answer);
	f->is_asked = false;
	f->ask_ms = monotonic_ms() + ASK_MS;
	return status;
}

static int ask_guest(struct follower *f, struct err *err)
{
	f->is_asked = true;
	return guest_send(f->ctx->vm.guest, &f->request, err);
}

/* Ask the guest for news when it is time, and show its answer. */
static int follow_guest(struct follower *f, struct err *err)
{
	int ready;

	if (!f->is_asked)
		return monotonic_ms() < f->ask_ms ? 0 : ask_guest(f, err);
	ready = guest_poll(f->ctx->vm.guest, &f->answer, 0, err);
	return ready > 0 ? take_scan(f, err) : ready;
}

static int hear_guest(struct follower *f, struct err *err)
{
	struct err why = { 0 };

	if (!f->ctx->vm.guest || is_enough(f) || !follow_guest(f, &why))
		return 0;
	if (why.code == ERR_GUEST_UNREACHABLE)
		return lose_guest(f, &why, err);
	*err = why;
	return -1;
}

/* Wait until QEMU or the guest sends something. */
static int wait_for_news(struct follower *f, struct err *err)
{
	const struct vm *vm = &f->ctx->vm;
	struct pollfd fds[] = { { .fd = vm->qmp ? qmp_fd(vm->qmp) : -1, .events = POLLIN },
				{ .fd = vm->guest && f->is_asked ? guest_fd(vm->guest) : -1,
				  .events = POLLIN } };
	int64_t until_ms = vm->qmp && qmp_has_events(vm->qmp) ? 0
			   : !vm->guest			      ? DEADLINE_NEVER
			   : f->is_asked		      ? guest_due_ms(vm->guest)
							      : f->ask_ms;

	if (fold_due_ms(&f->fold) < until_ms)
		until_ms = fold_due_ms(&f->fold);
	return deadline_poll(&f->ctx->deadline, fds, 2, until_ms, err) < 0 ? -1 : 0;
}

static int follow(struct follower *f, struct err *err)
{
	int reached;

	while (!(reached = is_reached(f, err)) && !is_enough(f))
		if (wait_for_news(f, err) || hear_qemu(f, err) || hear_guest(f, err) ||
		    tell_folded(f, false, err))
			return -1;
	return reached < 0 ? -1 : tell_folded(f, true, err);
}

/* Should the guest be followed? Without an explicit request only over a named channel that others
 * can use at the same time: a console or an agent's socket would be occupied. */
static bool is_guest_wanted(const struct follower *f)
{
	enum address_kind kind = f->ctx->vm.channel.kind;

	return f->options->is_guest || f->is_online || kind == ADDRESS_SSH ||
	       kind == ADDRESS_EXEC || kind == ADDRESS_LOCAL;
}

static int look_first(struct follower *f, struct view *view, struct err *err)
{
	struct vm *vm = &f->ctx->vm;

	if (vm_open_guest(vm, err))
		return -1;
	view->guest = vm->guest;
	if (!vm->guest)
		return vm_no_channel(vm, err);
	request_add(&f->request, VERB_SCAN_NEWS);
	if (ask_guest(f, err) || guest_receive(vm->guest, &f->answer, err) || take_scan(f, err))
		return -1;
	if (!f->seen.block_size_bytes)
		return err_set(err, ERR_GUEST_UNREACHABLE,
			       "the guest has no /sys/devices/system/memory: no memory hotplug");
	return 0;
}

/* Make the first scan, which the next one is compared with. The wait fails if the guest ends. */
static int open_guest(struct follower *f, struct err *err)
{
	struct view view = { .qmp = f->ctx->vm.qmp };
	struct guest_watch watched = { 0 };
	int status = watch_begin(&watched, &view, &f->ctx->deadline, NULL, err) ||
				     look_first(f, &view, err)
			     ? -1
			     : 0;

	watch_end(&watched);
	view_free(&view);
	return status;
}

static int run(struct ctx *ctx, void *options, int argc, char **argv, struct err *err)
{
	struct follower f = { .ctx = ctx, .options = options };
	bool is_guest;
	int status;

	(void)argc, (void)argv;
	if (parse_until(&f, err))
		return -1;
	is_guest = is_guest_wanted(&f);
	if ((!is_guest || (f.options->until && !f.is_online) || vm_has_monitor(&ctx->vm)) &&
	    vm_open_qmp(&ctx->vm, err))
		return -1;
	status = (is_guest && open_guest(&f, err)) || follow(&f, err) ? -1 : 0;
	request_free(&f.request);
	answer_free(&f.answer);
	guest_memory_free(&f.seen);
	return status;
}

const struct cmd cmd_events = {
	.name = "events",
	.args = "",
	.summary = "show memory events of QEMU and the guest, until Ctrl-C",
	.details =
		"Follows the guest too if --guest names a channel: a console or an agent, which\n"
		"that occupies, only with --guest-events. With --json each event is one object on\n"
		"one line. In a flood most events are only counted. A monitor serves one client:\n"
		"give QEMU a second one for other commands.\n\n"
		"  memhp events\n"
		"  memhp events --until plugged=0 --timeout 30\n"
		"  memhp events --guest-events --until online=2G\n",
	.is_endless = true,
	.opts = opts,
	.options_size = sizeof(struct events_options),
	.run = run,
};
