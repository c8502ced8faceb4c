/* SPDX-License-Identifier: GPL-3.0-or-later */
/* memhp shell */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/history.h"
#include "cli/prompt.h"
#include "cmd/complete.h"
#include "cmd/event.h"
#include "cmd/report.h"
#include "lib/fold.h"
#include "lib/size.h"
#include "lib/text.h"

#define ASK_MS	       1000  /* the longest wait for QEMU's data for the prompt */
#define EVENTS_MAX     4096  /* taken at once */
#define LINE_MAX_BYTES 65536 /* of a script */
#define NAME_BYTES     64    /* of a VM's name in the prompt */

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
	int exit_code;
	unsigned line;
	pid_t pid; /* of the last command's QEMU; 0: unknown */
	struct prompt_user user;
	struct completion completion;
	struct fold fold;
};

static bool is_any(const char *name, struct json_object *data, void *context)
{
	(void)name, (void)data, (void)context;
	return true;
}

/* Watch the monitor, which may have changed or gone. No reply is awaited here. */
static void watch(struct shell *s)
{
	struct qmp *qmp = s->ctx->vm.qmp;

	if (qmp)
		qmp_forget_replies(qmp);

	s->user.fd = qmp ? qmp_fd(qmp) : -1;
	s->user.has_news = qmp && qmp_has_events(qmp);
}

/* QEMU has ended or was restarted: the next command connects again. */
static void lose_monitor(struct shell *s, const struct err *err)
{
	out_note("%s", err->message);
	qmp_close(s->ctx->vm.qmp);
	s->ctx->vm.qmp = NULL;
}

/* Print an event that matters to the user, if it is not part of a flood. */
static void show(struct shell *s, struct json_object *event)
{
	_cleanup_buf_ struct buf words = { 0 };
	const char *name = "";

	if (!event_describe(event, &words))
		return;
	json_get_string(event, "event", &name);
	if (fold_shows(&s->fold, name, words.len, monotonic_ms()))
		out_printf("%s\n", buf_text(&words));
}

static void tell_folded(struct shell *s)
{
	int64_t now_ms = monotonic_ms();

	if (s->ctx->vm.qmp)
		fold_add(&s->fold, qmp_count_lost(s->ctx->vm.qmp), now_ms);
	if (s->is_typed && fold_due_ms(&s->fold) <= now_ms)
		out_note("%llu more events came too fast to be shown",
			 (unsigned long long)fold_take(&s->fold, now_ms));
}

/* Take the events that have come: the user sees them, and the next command must not. */
static void take_events(void *context)
{
	struct shell *s = context;
	struct err err = { 0 };
	unsigned i;
	int ready = s->ctx->vm.qmp ? 1 : 0;

	for (i = 0; i < EVENTS_MAX && ready > 0; i++) {
		_cleanup_json_ struct json_object *event = NULL;

		ready = qmp_wait_event(s->ctx->vm.qmp, is_any, NULL, 0, &event, &err);
		if (ready > 0 && s->is_typed)
			show(s, event);
	}
	tell_folded(s);
	if (ready < 0 && err.code == ERR_QEMU_UNREACHABLE)
		lose_monitor(s, &err);
	(void)!out_flush(&err);
	completion_forget(&s->completion);
	watch(s);
}

/* Report that the VM is another process now: QEMU was ended and started again. */
static void notice_restart(struct shell *s)
{
	const struct vm *vm = &s->ctx->vm;

	if (!vm->qmp || !vm->pid)
		return;
	if (s->pid && vm->pid != s->pid)
		out_note("the VM was restarted: its pid is %d", (int)vm->pid);
	s->pid = vm->pid;
}

/* Run a command as memhp would from its own command line; returns the exit code. */
static int execute(struct shell *s, const struct argv *words)
{
	static char memhp[] = "memhp";
	_cleanup_free_ char **argv = xcalloc(words->count + 2u, sizeof(*argv));

	argv[0] = memhp;
	memcpy(argv + 1, words->list, words->count * sizeof(*argv));
	return s->ctx->execute(s->ctx, words->count + 1, argv);
}

/* Run the words of one line; returns the exit code. */
static int run_words(struct shell *s, const char *line)
{
	struct argv words;
	struct err err = { 0 };
	int status = 0;

	if (argv_split(line, &words, &err)) {
		out_error(&err);
		return err_exit_code(err.code);
	}
	if (words.count && (!strcmp(words.list[0], "exit") || !strcmp(words.list[0], "quit")))
		s->is_over = true;
	else if (words.count)
		status = execute(s, &words);
	argv_free(&words);
	return status;
}

static void run_line(struct shell *s, const char *line)
{
	struct deadline *d = &s->ctx->deadline;
	int status;

	s->line++;
	take_events(s);
	notice_restart(s);
	status = d->interrupts ? err_exit_code(ERR_INTERRUPTED) : run_words(s, line);
	notice_restart(s);
	/* Ctrl-C ends the command, and a script with it, but not an interactive shell */
	s->is_over |= d->last_signal && (d->last_signal != SIGINT || !s->is_typed);
	deadline_init(d, 0, d->signal_fd);
	watch(s);
	if (!status)
		return;
	if (!s->is_typed)
		out_note("line %u has failed", s->line);
	s->is_over |= s->is_stopping;
	if (!s->exit_code && (s->is_over || !s->is_typed))
		s->exit_code = status;
}

/* "lab 1.5 GiB> ": QEMU's name for the VM, and its base plus plugged memory */
static char *ask_text(struct qmp *qmp)
{
	_cleanup_json_ struct json_object *reply = NULL;
	char size[SIZE_TEXT_MAX], *text;
	_cleanup_free_ char *shown = NULL;
	const char *name = "memhp";
	struct err ignored;
	uint64_t bytes;

	if (machine_query_total(qmp, -1, &bytes, &ignored))
		return xstrdup("memhp> ");
	if (!qmp_execute(qmp, "query-name", NULL, &reply, &ignored))
		json_get_string(reply, "name", &name);
	shown = printable_short(name, NAME_BYTES); /* readline prints it unchanged */
	text = xasprintf("%s %s> ", shown, size_format(size, bytes));
	return text;
}

static char *prompt_text(void *context)
{
	struct shell *s = context;
	struct deadline outer;
	char *text;

	if (!s->ctx->vm.qmp)
		return xstrdup("memhp> ");
	outer = deadline_push(&s->ctx->deadline, ASK_MS);
	text = ask_text(s->ctx->vm.qmp);
	deadline_pop(&s->ctx->deadline, outer);
	watch(s);
	return text;
}

static void offer_word(const char *word, const char *meaning)
{
	(void)meaning;
	prompt_offer(word);
}

/* Complete memhp's commands, and those of the shell only. */
static bool complete(void *context, const char *before, const char *word)
{
	struct shell *s = context;
	struct argv words;
	struct err ignored;
	bool is_help, has_files;

	if (argv_split(before, &words, &ignored))
		return false;
	is_help = words.count == 1 && !strcmp(words.list[0], "help");
	has_files = complete_words(&s->completion, is_help ? 0 : words.count, words.list, word);
	if (!words.count) {
		prompt_offer("exit");
		prompt_offer("help");
	}
	argv_free(&words);
	watch(s);
	return has_files;
}

static int run_typed(struct shell *s, struct err *err)
{
	_cleanup_free_ char *history = history_path();
	int status = 0;

	prompt_start("memhp", history);
	while (!s->is_over && !status) {
		_cleanup_free_ char *line = NULL;

		status = prompt_line(&s->user, &s->ctx->deadline, &line, err);
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

/* Wait for more of the script, and take QEMU's events during the wait. 0 at the end, 1, or -1. */
static int read_more(struct shell *s, struct buf *in, struct err *err)
{
	struct pollfd fds[] = { { .fd = STDIN_FILENO, .events = POLLIN },
				{ .fd = s->user.fd, .events = POLLIN } };
	char chunk[4096];
	ssize_t n;

	if (deadline_poll(&s->ctx->deadline, fds, 2, DEADLINE_NEVER, err) < 0)
		return -1;
	if (fds[1].revents)
		take_events(s);
	if (!fds[0].revents)
		return 1;
	n = read(STDIN_FILENO, chunk, sizeof(chunk));
	if (n < 0)
		return err_set(err, ERR_FAILED, "cannot read the script: %s", strerror(errno));
	buf_add(in, chunk, (size_t)n);
	return n > 0;
}

/* Take the next line; NULL in *line at the end of the script. The caller frees it. */
static int read_line(struct shell *s, struct buf *in, char **line, struct err *err)
{
	const char *end = NULL;
	size_t len;
	int more = 1;

	while (more > 0 && !(end = in->len ? memchr(in->data, '\n', in->len) : NULL) &&
	       in->len <= LINE_MAX_BYTES)
		more = read_more(s, in, err);
	if (more < 0)
		return -1;
	len = end ? (size_t)(end - in->data) : in->len;
	if (len > LINE_MAX_BYTES)
		return err_set(err, ERR_USAGE, "line %u has more than %d bytes", s->line + 1,
			       LINE_MAX_BYTES);
	if (len && memchr(in->data, '\0', len))
		return err_set(err, ERR_USAGE, "line %u is not text", s->line + 1);
	if (!end && !len)
		return 0;
	*line = xstrndup(in->data, len);
	buf_drop(in, end ? len + 1 : len);
	return 0;
}

static int run_script(struct shell *s, struct err *err)
{
	_cleanup_buf_ struct buf in = { 0 };
	int status = 0;

	while (!s->is_over && !status) {
		_cleanup_free_ char *line = NULL;

		status = read_line(s, &in, &line, err);
		if (!line)
			break;
		run_line(s, line);
	}
	return status;
}

static int run(struct ctx *ctx, void *options, int argc, char **argv, struct err *err)
{
	const struct shell_options *o = options;
	struct shell s = {
		.ctx = ctx,
		.is_typed = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO),
		.is_stopping = o->is_stopping,
		.completion = { .ctx = ctx,
				.vm = &ctx->vm,
				.config = &ctx->config,
				.add = offer_word,
				.has_vm = true },
	};
	int status;

	(void)argc, (void)argv;
	if (vm_open_qmp(&ctx->vm, err))
		return -1;
	vm_stay(&ctx->vm);
	/* --timeout limits each command, not the user's typing */
	deadline_init(&ctx->deadline, 0, ctx->deadline.signal_fd);
	s.user = (struct prompt_user){
		.ready = take_events, .text = prompt_text, .complete = complete, .context = &s
	};
	watch(&s);
	status = s.is_typed ? run_typed(&s, err) : run_script(&s, err);
	completion_forget(&s.completion);
	vm_forget(&ctx->vm);
	ctx->exit_code = s.exit_code;
	return status;
}

const struct cmd cmd_shell = {
	.name = "shell",
	.args = "",
	.summary = "the same commands at a prompt, over one connection to QEMU",
	.details = "At a terminal, with history, completion from the live VM, and events as they\n"
		   "come; Ctrl-D or exit ends it. From a pipe, the commands are a script, and the\n"
		   "exit code is that of the first failure.\n\n"
		   "  memhp shell\n"
		   "  printf '%s\\n' 'plug 1G' list | memhp shell\n",
	.is_endless = true,
	.opts = opts,
	.options_size = sizeof(struct shell_options),
	.run = run,
};
