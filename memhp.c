/* SPDX-License-Identifier: GPL-3.0-or-later */
/* memhp: the command table, global options, dispatch, and the way from an error to an exit code. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "cli/sink.h"
#include "cmd/complete.h"
#include "cmd/options.h"
#include "cmd/report.h"
#include "guest/password.h"
#include "lib/aside.h"
#include "lib/text.h"
#include "lib/signals.h"

#define DEFAULT_TIMEOUT_MS 60000

static const struct cmd *const cmds[] = {
	&cmd_plug,   &cmd_unplug, &cmd_resize, &cmd_online, &cmd_offline, &cmd_list,  &cmd_blocks,
	&cmd_status, &cmd_repair, &cmd_events, &cmd_vms,    &cmd_qmp,	  &cmd_shell, NULL,
};

static const struct opt global_opts[] = {
	{ 'Q', "qmp", "ADDR",
	  "QMP monitor: a path, unix:PATH, tcp:HOST:PORT or ssh://[USER@]HOST[:PORT]/PATH; "
	  "default: that of the running VM",
	  "MEMHP_QMP", OPT_MONITOR, offsetof(struct globals, qmp), NULL },
	{ 'G', "guest", "ADDR",
	  "guest channel: serial:PATH, ssh:[USER@]HOST[:PORT], qga:PATH, exec:COMMAND, "
	  "local[:SYSROOT] or none; default: QEMU is asked",
	  "MEMHP_GUEST", OPT_CHANNEL, offsetof(struct globals, guest), NULL },
	{ 'M', "vm", "NAME",
	  "a profile of memhp.conf(5), or a running VM by its name or pid; default: the one "
	  "running",
	  "MEMHP_VM", OPT_STRING, offsetof(struct globals, vm), NULL },
	{ 0, "login", "USER",
	  "log in as USER on a console that asks for a login, and out again; the password is "
	  "prompted for",
	  "MEMHP_LOGIN", OPT_USER, offsetof(struct globals, login), NULL },
	{ 0, "password-file", "PATH",
	  "file with that user's password, readable by its owner only; or set "
	  "MEMHP_GUEST_PASSWORD",
	  NULL, OPT_STRING, offsetof(struct globals, password_file), NULL },
	{ 't', "timeout", "SEC", "deadline for the whole command; default 60, 0 for none",
	  "MEMHP_TIMEOUT", OPT_SECONDS, offsetof(struct globals, timeout_ms), NULL },
	{ 'j', "json", NULL, "print one JSON object, on failure too", NULL, OPT_FLAG,
	  offsetof(struct globals, is_json), NULL },
	{ 'n', "dry-run", NULL, "print what would be done and change nothing", NULL, OPT_FLAG,
	  offsetof(struct globals, is_dry_run), NULL },
	{ 'q', "quiet", NULL, "print errors only (commands that change something)", NULL, OPT_FLAG,
	  offsetof(struct globals, is_quiet), NULL },
	{ 'v', "verbose", NULL, "show every QMP message and guest step on stderr", NULL, OPT_FLAG,
	  offsetof(struct globals, is_verbose), NULL },
	{ 'h', "help", NULL, "show this help, or that of the command", NULL, OPT_FLAG,
	  offsetof(struct globals, is_help), NULL },
	{ 0, "version", NULL, "show the version", NULL, OPT_FLAG,
	  offsetof(struct globals, is_version), NULL },
	{ 0 },
};

static int no_command(const char *name, struct err *err)
{
	struct nearest nearest = { .word = name };
	size_t i;

	for (i = 0; cmds[i]; i++)
		nearest_offer(&nearest, cmds[i]->name);
	err_set(err, ERR_USAGE, "no command '%s'", name);
	return nearest_hint(&nearest, NULL, err);
}

static void print_help(const struct cmd *cmd)
{
	_cleanup_buf_ struct buf text = { 0 };
	size_t i;

	if (cmd) {
		buf_addf(&text, "Usage: memhp [OPTIONS] %s%s%s%s\n%c%s.\n\n%s", cmd->name,
			 cmd->opts ? " [OPTIONS]" : "", *cmd->args ? " " : "", cmd->args,
			 toupper((unsigned char)cmd->summary[0]), cmd->summary + 1, cmd->details);
		buf_addf(&text, "%s", cmd->opts ? "\nOptions:\n" : "");
		opt_help(&text, cmd->opts);
	} else {
		buf_addf(&text,
			 "Usage: memhp [OPTIONS] COMMAND [OPTIONS] [ARGS]\n"
			 "Plug and unplug the memory of a running QEMU guest.\n\nCommands:\n");
		for (i = 0; cmds[i]; i++)
			buf_addf(&text, "  %-8s  %s\n", cmds[i]->name, cmds[i]->summary);
	}
	buf_addf(&text, "\nGlobal options:\n");
	opt_help(&text, global_opts);
	if (!cmd)
		buf_addf(&text,
			 "\nSizes are 512M, 1.5G, 512MiB, 536870912B. See memhp COMMAND --help and "
			 "memhp(1).\n");
	out_printf("%s", buf_text(&text));
}

static int print_version(struct err *err)
{
	out_printf("memhp %s\n", MEMHP_VERSION);
	return out_flush(err);
}

/* For completion: a word, and after a blank its meaning. */
static void print_offer(const char *word, const char *meaning)
{
	out_printf("%s%s%s\n", word, meaning ? " " : "", meaning ? meaning : "");
}

static int check_words(const struct cmd *cmd, int argc, char **argv, struct err *err)
{
	if (argc < cmd->args_min)
		return err_set(err, ERR_USAGE, "%s needs %s", cmd->name, cmd->args);
	if (cmd->args_max >= 0 && argc > cmd->args_max)
		return err_set(err, ERR_USAGE, "%s: too many arguments: '%s'", cmd->name,
			       argv[cmd->args_max]);
	return 0;
}

static void start_progress(struct ctx *ctx)
{
	const struct globals *g = ctx->globals;

	ctx->progress = (struct out_progress){
		.is_enabled = out_can_redraw() && !g->is_quiet && !g->is_verbose,
		.start_ms = ctx->deadline.start_ms,
	};
	ctx->deadline.tick = out_progress_tick;
	ctx->deadline.tick_context = &ctx->progress;
	ctx->vm.trace = (struct trace){ g->is_verbose ? out_trace : NULL, &ctx->progress };
}

static void print_failure(struct ctx *ctx, struct err *err)
{
	struct json_object *error = json_object_new_object();
	bool was_undoing = ctx->deadline.undoing;
	struct err ignored;

	/* it may contain text of the user, QEMU and the guest, cut anywhere */
	printable(err->message);
	printable(err->hint);
	deadline_undo(&ctx->deadline); /* the reserved time is for this output too */
	out_error(err);
	if (ctx->globals->is_json) {
		json_add_bool(ctx->result, "ok", true, false);
		if (!json_object_object_get_ex(ctx->result, "state", NULL))
			json_add_string(ctx->result, "state", "unchanged");
		json_add_string(error, "code", err_code_name(err->code));
		json_add_string(error, "message", err->message);
		json_add_string(error, "hint", err->hint[0] ? err->hint : NULL);
		json_object_object_add(ctx->result, "error", error);
		out_json(ctx->result);
		(void)!out_flush(&ignored);
	} else {
		json_object_put(error);
	}
	if (!was_undoing)
		deadline_work(&ctx->deadline);
}

static int execute(struct ctx *ctx, int argc, char **argv);

/* Set a command's VM from the global options. */
static void bind_vm(struct ctx *ctx)
{
	ctx->vm.monitor = ctx->globals->qmp;
	ctx->vm.channel = ctx->globals->guest;
	ctx->vm.name = ctx->globals->vm;
	ctx->vm.login.user = ctx->globals->login;
	ctx->vm.login.password_file = ctx->globals->password_file;
	ctx->vm.deadline = &ctx->deadline;
	start_progress(ctx);
}

/* Run one command with the words after its name. */
static int run_cmd(struct ctx *ctx, const struct cmd *cmd, void *options, int argc, char **argv,
		   struct err *err)
{
	int64_t timeout_ms = ctx->globals->timeout_ms;
	int signal_fd = ctx->is_nested ? ctx->deadline.signal_fd : signals_open(err), status;

	if (signal_fd < 0)
		return -1;
	if (timeout_ms < 0)
		timeout_ms = cmd->is_endless ? 0 : DEFAULT_TIMEOUT_MS;
	deadline_init(&ctx->deadline, timeout_ms, signal_fd);
	sink_limit(&ctx->deadline);
	aside_limit(&ctx->deadline);
	ctx->execute = execute;
	bind_vm(ctx);
	status = cmd->run(ctx, options, argc, argv, err);
	out_progress_clear();
	vm_close_guest(&ctx->vm);
	if (ctx->is_nested && err->code != ERR_QEMU_UNREACHABLE)
		return status;
	vm_close(&ctx->vm);
	return status; /* signals still count while output is written */
}

static bool chooses_vm(const struct opt_target *globals)
{
	const char *const *name = cmd_vm_options;

	while (*name && !opt_is_typed(globals, *name))
		name++;
	return *name;
}

/* Parse the command's own options, then take the others from environment and profile. */
static int read_options(struct ctx *ctx, struct opt_target *targets, const struct cmd *cmd,
			int argc, char **argv, int *first, struct err *err)
{
	if (opt_parse(targets, 2, argc, argv, false, first, err))
		return -1;
	if (ctx->globals->is_version || ctx->globals->is_help)
		return 0;
	if (ctx->is_nested && chooses_vm(&targets[0])) {
		err_set(err, ERR_USAGE, "the shell stays with its VM");
		return err_hint(err, "start another shell for another VM");
	}
	if (options_resolve(ctx, targets, cmd, err))
		return -1;
	ctx->options = targets[1];
	return check_words(cmd, argc - *first, argv + *first, err);
}

/* Run the command at argv[0], with both kinds of options and arguments in any order. */
static int run_words(struct ctx *ctx, struct opt_target *targets, int argc, char **argv,
		     struct err *err)
{
	const struct cmd *cmd = cmd_find(cmds, argv[0]);
	_cleanup_free_ void *options = NULL;
	_cleanup_free_ char **words = NULL;
	int first;

	if (!cmd)
		return no_command(argv[0], err);
	if (ctx->is_nested && cmd == &cmd_shell)
		return err_set(err, ERR_USAGE, "this is the shell");
	json_add_string(ctx->result, "command", cmd->name);
	json_add_bool(ctx->result, "ok", true, true);
	options = xcalloc(1, cmd->options_size ? cmd->options_size : 1);
	targets[1] = (struct opt_target){ .table = cmd->opts, .options = options };
	if (cmd->is_signed) {
		words = opt_shield(&argc, argv);
		argv = words;
	}
	if (read_options(ctx, targets, cmd, argc, argv, &first, err))
		return -1;
	if (ctx->globals->is_version)
		return print_version(err);
	if (ctx->globals->is_help) {
		print_help(cmd);
		return out_flush(err);
	}
	return run_cmd(ctx, cmd, options, argc - first, argv + first, err);
}

/* Find the VM for a line that is still being typed, as far as its options are valid. */
static int settle_line(struct ctx *ctx, struct opt_target *targets, int argc, char **argv,
		       struct err *err)
{
	_cleanup_free_ char **words = opt_shield(&argc, argv);
	_cleanup_free_ void *options = NULL;
	const struct cmd *cmd = NULL;
	int first = argc;

	(void)!opt_parse(targets, 1, argc, words, true, &first, err);
	if (first < argc)
		cmd = cmd_find(cmds, words[first]);
	if (!cmd)
		return -1;
	options = xcalloc(1, cmd->options_size ? cmd->options_size : 1);
	targets[1] = (struct opt_target){ .table = cmd->opts, .options = options };
	(void)!opt_parse(targets, 2, argc - first, words + first, false, &first, err);
	return options_resolve(ctx, targets, cmd, err);
}

/* memhp __complete [WORD]...: print the possible last words, and ":files" for file names. */
static int complete(struct ctx *ctx, struct opt_target *targets, int argc, char **argv,
		    struct err *err)
{
	struct completion completion = { .ctx = ctx, .config = &ctx->config, .add = print_offer };
	const char *word = argc > 1 ? argv[argc - 1] : "";
	int before = argc > 1 ? argc - 2 : 0, signal_fd = signals_open(err);

	if (signal_fd < 0)
		return -1;
	deadline_init(&ctx->deadline, 0, signal_fd);
	sink_limit(&ctx->deadline);
	aside_limit(&ctx->deadline);
	/* the command's name is skipped, as main() skips the program's */
	if (!settle_line(ctx, targets, before + 1, argv, err))
		completion.vm = &ctx->vm;
	bind_vm(ctx);
	if (complete_words(&completion, before, argv + 1, word))
		out_printf(":files\n");
	completion_forget(&completion);
	vm_close(&ctx->vm);
	return out_flush(err);
}

/* Parse options before the command, then run the command. */
static int run_line(struct ctx *ctx, struct opt_target *targets, int argc, char **argv,
		    struct err *err)
{
	const struct globals *globals = ctx->globals;
	int first;

	if (opt_parse(targets, 1, argc, argv, true, &first, err))
		return -1;
	argc -= first;
	argv += first;
	if (globals->is_version)
		return print_version(err);
	if (!argc && globals->is_help) {
		print_help(NULL);
		return out_flush(err);
	}
	if (!argc)
		return err_set(err, ERR_USAGE, "no command given");
	if (!ctx->is_nested && !strcmp(argv[0], "__complete"))
		return complete(ctx, targets, argc, argv, err);
	return run_words(ctx, targets, argc, argv, err);
}

/* Run memhp's own command line. */
static int dispatch(struct ctx *ctx, struct globals *globals, int argc, char **argv,
		    struct err *err)
{
	struct opt_target targets[] = { { .table = global_opts, .options = globals }, { 0 } };

	return opt_environment(&targets[0], err) || run_line(ctx, targets, argc, argv, err) ? -1
											    : 0;
}

/* A new result; "ok" until something fails. */
static struct json_object *new_result(void)
{
	struct json_object *result = json_object_new_object();

	json_object_object_add(result, "command", NULL);
	json_add_bool(result, "ok", true, true);
	return result;
}

/* Report a failure; returns the exit code. */
static int fail(struct ctx *ctx, struct err *err)
{
	if (err->code == ERR_USAGE && !err->hint[0])
		err_hint(err, "see memhp --help");
	print_failure(ctx, err);
	return err_exit_code(err->code);
}

/* Run a command line of the shell on the open connection. Returns its exit code. */
static int execute(struct ctx *ctx, int argc, char **argv)
{
	const struct globals *outer = ctx->globals;
	struct json_object *outer_result = ctx->result;
	struct globals globals = *outer;
	struct opt_target targets[] = { { .table = global_opts, .options = &globals }, { 0 } };
	struct err err = { 0 };
	int status = 0;

	ctx->globals = &globals;
	ctx->result = new_result();
	ctx->is_nested = true;
	ctx->vm.login.is_kept = true;
	if (argc > 1 && !strcmp(argv[1], "help"))
		print_help(argc > 2 ? cmd_find(cmds, argv[2]) : NULL);
	else if (run_line(ctx, targets, argc, argv, &err))
		status = fail(ctx, &err);
	(void)!out_flush(&err);
	json_object_put(ctx->result);
	ctx->result = outer_result;
	ctx->globals = outer;
	ctx->is_nested = false;
	bind_vm(ctx); /* this line's arguments must not be used any more */
	return status;
}

/* An option before --json may be wrong: search for --json first. */
static bool wants_json(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (!strcmp(argv[i], "--json") || !strcmp(argv[i], "-j"))
			return true;
	return false;
}

/* The monitor must not get a closed stdin's or stderr's number; a closed stdout is an error. */
static int fill_standard_descriptors(struct err *err)
{
	bool is_stdout_closed = fcntl(STDOUT_FILENO, F_GETFD) < 0;
	bool is_any_closed = is_stdout_closed || fcntl(STDIN_FILENO, F_GETFD) < 0 ||
			     fcntl(STDERR_FILENO, F_GETFD) < 0;
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd < 0 && is_any_closed)
		return err_set(err, ERR_FAILED,
			       "cannot open /dev/null in the place of what is "
			       "closed of stdin, stdout and stderr: %s",
			       strerror(errno));
	if (fd >= 0)
		close(fd);
	if (is_stdout_closed)
		return err_set(err, ERR_FAILED, "cannot write to stdout: it is closed");
	return 0;
}

/* Refuse to run setuid, setgid or with file capabilities: memhp obeys the environment and runs
 * commands, so any user could change the machine through it. */
static int refuse_borrowed_rights(struct err *err)
{
	if (!getauxval(AT_SECURE))
		return 0;
	err_set(err, ERR_FAILED, "cannot run setuid, setgid or with file capabilities");
	return err_hint(err, "run it as a user who has the rights, for example with sudo");
}

int main(int argc, char **argv)
{
	struct globals globals = { .timeout_ms = -1 };
	struct ctx ctx = { .globals = &globals,
			   .cmds = cmds,
			   .global_opts = global_opts,
			   .result = new_result() };
	struct err err = { 0 };
	int status = 0;

	signals_reset();
	ctx.vm.login.password = password_take("MEMHP_GUEST_PASSWORD");
	if (fill_standard_descriptors(&err) || refuse_borrowed_rights(&err)) {
		out_error(&err);
		json_object_put(ctx.result);
		return err_exit_code(err.code);
	}
	if (dispatch(&ctx, &globals, argc, argv, &err)) {
		globals.is_json = globals.is_json || wants_json(argc, argv);
		status = fail(&ctx, &err);
	}
	status = status ? status : ctx.exit_code;
	login_free(&ctx.vm.login);
	json_object_put(ctx.result);
	config_free(&ctx.config);
	sink_finish();
	return status;
}
