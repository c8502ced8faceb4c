/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * report: the definition of a command, and what commands share: reports, plans, the JSON of devices
 * and blocks.
 */
#ifndef CMD_REPORT_H
#define CMD_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/opt.h"
#include "cli/out.h"
#include "cmd/owners.h"
#include "hotplug/transaction.h"
#include "lib/deadline.h"
#include "lib/err.h"
#include "lib/json.h"
#include "vm/config.h"
#include "vm/vm.h"

/* The global options; their table is in memhp.c. */
struct globals {
	struct address qmp;
	struct address guest;
	const char *vm;
	const char *login;
	const char *password_file;
	int64_t timeout_ms; /* 0: none; negative: not given */
	bool is_json, is_dry_run, is_quiet, is_verbose, is_help, is_version;
};

/* One run of a command. */
struct ctx {
	const struct globals *globals;
	struct opt_target options; /* the command's own */
	struct config config;	   /* read when needed */
	struct vm vm;
	struct deadline deadline;
	struct out_progress progress;
	const struct cmd *const *cmds; /* all commands, NULL at the end */
	const struct opt *global_opts;
	/* for the shell: run one of its command lines; argv[0] is "memhp" */
	int (*execute)(struct ctx *ctx, int argc, char **argv);
	bool is_nested;		    /* a command of the shell runs: keep the connection */
	int exit_code;		    /* of a command that has reported its failures itself */
	struct json_object *result; /* what --json prints; begins with "command" and "ok" */
};

/* The kinds of arguments of a command, for completion. */
enum {
	TAKES_DEVICES = 1, /* that QEMU has */
	TAKES_ONLINE = 2,  /* blocks that are online */
	TAKES_OFFLINE = 4, /* blocks that are not */
	TAKES_SIZES = 8,   /* sizes that can be added */
	TAKES_TOTALS = 16, /* totals that the guest can have */
};

struct cmd {
	const char *name;
	const char *args;    /* "SIZE", "[NAME]..."; "" for none */
	const char *summary; /* one line of --help */
	const char *details; /* the rest of the command's own --help: a paragraph and an example */
	int args_min, args_max;	     /* number of arguments; args_max -1: any number */
	unsigned takes;		     /* TAKES_...: the kinds of arguments */
	bool is_signed;		     /* an argument may begin with a minus and a digit */
	bool is_endless;	     /* has no deadline unless one is given */
	const struct opt *opts;	     /* NULL for none */
	size_t options_size;	     /* of the struct that opts refers to */
	const char *const *settings; /* of a profile that set its options; NULL for none */
	/*
	 * @options: zeroed, then filled in by opts
	 * Return: 0 if everything was done and reported; -1 with @err
	 */
	int (*run)(struct ctx *ctx, void *options, int argc, char **argv, struct err *err);
};

extern const struct cmd cmd_plug, cmd_unplug, cmd_resize, cmd_repair, cmd_online, cmd_offline,
	cmd_list, cmd_blocks, cmd_status, cmd_events, cmd_vms, cmd_qmp, cmd_shell;

/* Global options that choose the VM, NULL at the end: not allowed in a line of the shell. */
extern const char *const cmd_vm_options[];

/* cmd_find() - the command with that name; NULL for none */
const struct cmd *cmd_find(const struct cmd *const *cmds, const char *name);

/* cmd_begin() - begin a transaction with the global options applied */
void cmd_begin(struct ctx *ctx, struct transaction *t, bool is_forced);

/* Adds to ctx->result, and prints if cmd_is_text(). */
typedef void cmd_report_fn(struct ctx *ctx, const struct transaction *t, void *job);

/*
 * cmd_finish() - report a transaction: as text through @report, as JSON, or the plan of a dry run
 * @status:	the transaction's return value
 * @job:	for @report
 * @err:	if the report cannot be written, the transaction is undone
 * Return: 0 or -1
 */
int cmd_finish(struct ctx *ctx, struct transaction *t, int status, cmd_report_fn *report, void *job,
	       struct err *err);

/* cmd_hint_channel() - suggest a channel to the guest, if none was named or found */
void cmd_hint_channel(const struct ctx *ctx);

/* cmd_is_text() - is the report to be text? (no --json, no --quiet) */
bool cmd_is_text(const struct ctx *ctx);

/*
 * cmd_run_look() - the whole of a command that only queries: asks QEMU and the guest, and reports.
 * If the guest was not named and cannot be queried, a note goes to stderr and its half stays
 * unknown.
 * @what:	QUERY_QEMU or QUERY_GUEST: the half that must be known
 * @also:	an additional request to the guest; VERB_NONE: none
 */
int cmd_run_look(struct ctx *ctx, unsigned what, enum verb also, cmd_report_fn *report,
		 struct err *err);

/* cmd_json_blocks(), cmd_json_device() - the JSON of runs of blocks, and of a device with its
 * blocks; the caller owns the result. @owners (may be NULL) adds "device" to each run. */
struct json_object *cmd_json_blocks(const struct block_list *list, const struct owners *owners);
struct json_object *cmd_json_device(const struct view *v, const struct guest_memory *g,
				    const struct memdev *d);

/* cmd_json_guest() - {"block_size", "mem_total_before", "mem_total_after"} */
struct json_object *cmd_json_guest(const struct view *v);

/* cmd_json_backend() - {"type", "share", "reason"}: what backs new memory on the host; the caller
 * owns it */
struct json_object *cmd_json_backend(const struct backend_options *b);

/* cmd_print_backend() - print the backend and why, if the user did not choose it */
void cmd_print_backend(const struct backend_options *b);
/* cmd_note_backend() - add the same to the plan of a dry run */
void cmd_note_backend(const struct ctx *ctx, const struct backend_options *b);

/* cmd_print_memory() - print the guest's memory before and after, in MiB like free -m */
void cmd_print_memory(const struct view *v);

/* cmd_print_virtio_mem() - a line for each virtio-mem device: its size and its maximum */
void cmd_print_virtio_mem(const struct machine *m, const char *indent);

/* cmd_print_absent() - a line for each DIMM that the guest has not added, or only partly */
void cmd_print_absent(const struct view *v, const char *indent);

/* cmd_print_left() - explain how to use new memory without a channel to the guest */
void cmd_print_left(const struct ctx *ctx);

/* cmd_print_times() - print how long each phase took */
void cmd_print_times(const struct transaction *t);

#endif
