/* SPDX-License-Identifier: GPL-3.0-or-later */
/* memhp shell */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd.h"
#include "event.h"
#include "prompt.h"
#include "size.h"
#include "words.h"

#define LOOK_MS 3000 /* so long may completion take to ask the VM */

struct shell_options {
	bool is_stopping;
};

static const struct opt opts[] = {
	{ 0, "stop", NULL, "end at the first command that fails", NULL, OPT_FLAG,
	  offsetof(struct shell_options, is_stopping), NULL },
	{ 0 },
};

struct shell {
	struct ctx *ctx;
	bool is_typed; /* by a person at a terminal */
	bool is_stopping, is_over;
	int status; /* exit code of the first command that failed */
	unsigned line;
	struct prompt_user user;
	struct hotplug known; /* the VM, as completion has seen it since the last command */
	bool is_known;
};

static void forget(struct shell *s)
{
	if (s->is_known)
		hotplug_release(&s->known);
	s->is_known = false;
}

static bool is_any(const char *name, struct json_object *data, void *context)
{
	(void)name, (void)data, (void)context;
	return true;
}

/* QEMU has ended, or somebody started another: the next command connects anew. */
static void lose_monitor(struct shell *s, const struct err *err)
{
	out_note("%s", err->message);
	qmp_close(s->ctx->vm.qmp);
	s->ctx->vm.qmp = NULL;
	s->user.fd = -1;
}

/* Take the events that have come: a person sees them, and the next command must not. */
static void take_events(void *context)
{
	struct shell *s = context;
	struct err err = { 0 };
	int ready = s->ctx->vm.qmp ? 1 : 0;

	while (ready > 0) {
		_cleanup_json_ struct json_object *event = NULL;
		_cleanup_buf_ struct buf words = { 0 };

		ready = qmp_wait_event(s->ctx->vm.qmp, is_any, NULL, 0, &event, &err);
		if (ready > 0 && s->is_typed && event_describe(event, &words))
			out_printf("%s\n", buf_text(&words));
	}
	if (ready < 0)
		lose_monitor(s, &err);
	(void)!out_flush(&err);
}

static void run_line(struct shell *s, const char *line)
{
	struct words words;
	struct err err = { 0 };
	int status = 0;

	s->line++;
	forget(s);
	take_events(s);
	if (words_split(line, &words, &err)) {
		out_error(&err);
		status = err_exit_code(err.code);
	} else if (words.count &&
		   (!strcmp(words.list[0], "exit") || !strcmp(words.list[0], "quit"))) {
		s->is_over = true;
	} else if (words.count) {
		status = s->ctx->execute(s->ctx, words.count, words.list);
	}
	words_release(&words);
	s->is_over |= s->ctx->deadline.last_signal && s->ctx->deadline.last_signal != SIGINT;
	deadline_init(&s->ctx->deadline, 0, s->ctx->deadline.signal_fd);
	if (!status)
		return;
	if (!s->is_typed)
		out_note("line %u has failed", s->line);
	s->status = s->status ? s->status : status;
	s->is_over |= s->is_stopping;
}

/* "lab 1.5 GiB> ": what QEMU calls the VM, and its base plus plugged memory */
static char *prompt_text(struct shell *s)
{
	_cleanup_json_ struct json_object *reply = NULL;
	char size[SIZE_TEXT_MAX], *text;
	const char *name = "memhp";
	struct err ignored;
	uint64_t bytes;

	if (!s->ctx->vm.qmp || machine_query_total(s->ctx->vm.qmp, -1, &bytes, &ignored))
		return xstrdup("memhp> ");
	if (!qmp_execute(s->ctx->vm.qmp, "query-name", NULL, &reply, &ignored))
		json_get_string(reply, "name", &name);
	text = xasprintf("%s %s> ", name, size_format(size, bytes));
	printable(text); /* readline prints it as it is */
	return text;
}

/* Ask the VM once between two commands what completion may want. */
static const struct hotplug *look(struct shell *s)
{
	struct err ignored;

	if (s->is_known)
		return &s->known;
	deadline_init(&s->ctx->deadline, LOOK_MS, s->ctx->deadline.signal_fd);
	hotplug_init(&s->known, &s->ctx->vm);
	(void)!hotplug_look(&s->known, LOOK_QMP, &ignored);
	vm_close_guest(&s->ctx->vm);
	deadline_init(&s->ctx->deadline, 0, s->ctx->deadline.signal_fd);
	s->is_known = true;
	return &s->known;
}

static void offer_devices(const struct hotplug *h)
{
	unsigned i;

	for (i = 0; i < h->machine.devices_count; i++)
		if (h->machine.devices[i].id)
			prompt_offer(h->machine.devices[i].id);
}

static void offer_blocks(const struct hotplug *h)
{
	char text[BLOCKS_TEXT_MAX];
	uint64_t block;
	unsigned i;

	for (i = 0; i < h->before.blocks.count; i++)
		for (block = h->before.blocks.runs[i].first; block <= h->before.blocks.runs[i].last;
		     block++)
			prompt_offer(blocks_format(text, block, block));
	prompt_offer("all");
}

/* Powers of two, from one memory block to what is left below maxmem. */
static void offer_sizes(const struct hotplug *h)
{
	const struct machine *m = &h->machine;
	uint64_t used = m->base_memory_bytes + machine_span_bytes(m), bytes;

	for (bytes = h->before.block_size_bytes;
	     bytes && m->has_limits && used + bytes <= m->max_memory_bytes; bytes *= 2) {
		_cleanup_free_ char *text =
			bytes >> 30 ? xasprintf("%lluG", (unsigned long long)bytes >> 30)
				    : xasprintf("%lluM", (unsigned long long)bytes >> 20);

		prompt_offer(text);
	}
}

/* What can stand behind @before: a command, its options, or what its words mean. */
static void complete(void *context, const char *before)
{
	struct shell *s = context;
	struct words words;
	struct err ignored;
	const char *name;

	if (words_split(before, &words, &ignored))
		return;
	name = words.count ? words.list[0] : NULL;
	s->ctx->offer(name, prompt_offer);
	if (!name)
		prompt_offer("exit");
	else if (!strcmp(name, "plug") || !strcmp(name, "resize"))
		offer_sizes(look(s));
	else if (!strcmp(name, "unplug"))
		offer_devices(look(s));
	else if (!strcmp(name, "online") || !strcmp(name, "offline")) {
		offer_devices(look(s));
		offer_blocks(look(s));
	}
	words_release(&words);
}

/* ~/.local/state/memhp/history, with its directories; NULL without a home. */
static char *history_path(void)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	_cleanup_free_ char *base = NULL;
	_cleanup_free_ char *directory = NULL;
	char *at;

	if (state && state[0] == '/')
		base = xstrdup(state);
	else if (home && home[0] == '/')
		base = xasprintf("%s/.local/state", home);
	else
		return NULL;
	directory = xasprintf("%s/memhp", base);
	for (at = directory + 1; (at = strchr(at, '/')); *at++ = '/') {
		*at = '\0';
		mkdir(directory, 0700);
	}
	return mkdir(directory, 0700) && errno != EEXIST ? NULL
							 : xasprintf("%s/history", directory);
}

static int run_typed(struct shell *s, struct err *err)
{
	_cleanup_free_ char *history = history_path();
	int status = 0;

	prompt_start("memhp", history);
	while (!s->is_over && !status) {
		_cleanup_free_ char *text = prompt_text(s);
		_cleanup_free_ char *line = NULL;

		s->user.fd = s->ctx->vm.qmp ? qmp_fd(s->ctx->vm.qmp) : -1;
		status = prompt_line(text, &s->user, &s->ctx->deadline, &line, err);
		if (!status && !line) {
			out_printf("\n");
			break;
		}
		if (!status)
			run_line(s, line);
	}
	prompt_finish(history);
	return status;
}

static void run_script(struct shell *s)
{
	_cleanup_free_ char *line = NULL;
	size_t size = 0;

	while (!s->is_over && getline(&line, &size, stdin) >= 0)
		run_line(s, line);
}

static int run(struct ctx *ctx, void *options, int argc, char **argv, struct err *err)
{
	const struct shell_options *o = options;
	struct shell s = { .ctx = ctx,
			   .is_typed = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO),
			   .is_stopping = o->is_stopping };
	int status = 0;

	(void)argc, (void)argv;
	if (vm_open_qmp(&ctx->vm, err))
		return -1;
	s.user = (struct prompt_user){
		.fd = -1, .ready = take_events, .complete = complete, .context = &s
	};
	if (s.is_typed)
		status = run_typed(&s, err);
	else
		run_script(&s);
	forget(&s);
	ctx->exit_code = s.status;
	return status;
}

const struct cmd cmd_shell = {
	.name = "shell",
	.args = "",
	.summary = "the same commands at a prompt, one connection to QEMU kept open",
	.details =
		"At a terminal with history and completion from the live VM; events are shown as\n"
		"they come; Ctrl-D or exit ends it. From a pipe the commands are a script, and "
		"the\n"
		"exit code is that of the first one that failed.\n\n"
		"  memhp shell\n"
		"  printf '%s\\n' 'plug 1G' list | memhp shell\n",
	.is_endless = true,
	.opts = opts,
	.options_size = sizeof(struct shell_options),
	.run = run,
};
