/* SPDX-License-Identifier: GPL-3.0-or-later */
/* memhp vms */
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/report.h"
#include "lib/size.h"
#include "lib/text.h"
#include "vm/discover.h"
#include "vm/fleet.h"

#define LINE_WIDTH	  80
#define MONITOR_WIDTH_MIN 16
#define NAME_BYTES	  32

struct vms_options {
	bool is_all;
};

static const struct opt opts[] = {
	{ 0, "all", NULL, "as root: the VMs of all users", NULL, OPT_FLAG,
	  offsetof(struct vms_options, is_all), NULL },
	{ 0 },
};

static struct json_object *json_vm(const struct fleet_vm *vm)
{
	const struct qemu *q = vm->qemu;
	struct json_object *object = json_object_new_object();

	json_add_printable(object, "name", fleet_vm_name(vm));
	json_add_u64(object, "pid", q, q ? (uint64_t)q->pid : 0);
	json_add_u64(object, "uid", q, q ? (uint64_t)q->uid : 0);
	json_add_printable(object, "monitor", vm->monitor.text);
	json_add_printable(object, "guest", fleet_vm_guest(vm));
	json_add_printable(object, "guest_problem", fleet_vm_guest_problem(vm));
	json_add_u64(object, "plugged_memory", vm->is_known, vm->plugged_bytes);
	json_add_printable(object, "memory", q ? q->line.memory : NULL);
	json_add_printable(object, "ssh", q ? q->line.ssh.text : NULL);
	json_add_printable(object, "from", vm->profile ? vm->profile->path : "process");
	json_add_printable(object, "problem", vm->problem);
	return object;
}

/* "~/.config/memhp/config" */
static char *short_path(const char *path)
{
	const char *home = getenv("HOME");
	size_t len = home ? strlen(home) : 0;

	return len > 1 && !strncmp(path, home, len) && path[len] == '/'
		       ? xasprintf("~%s", path + len)
		       : xstrdup(path);
}

static char *user_of(const struct fleet_vm *vm)
{
	const struct passwd *user = vm->qemu ? getpwuid(vm->qemu->uid) : NULL;

	if (user)
		return xstrdup(user->pw_name);
	return vm->qemu ? xasprintf("%u", (unsigned)vm->qemu->uid) : xstrdup("-");
}

enum {
	COLUMN_NAME,
	COLUMN_PID,
	COLUMN_MONITOR,
	COLUMN_GUEST,
	COLUMN_PLUGGED,
	COLUMN_FROM,
	COLUMN_USER,
	COLUMNS_COUNT
};

static const char *const headings[COLUMNS_COUNT] = { "NAME",	"PID",	"MONITOR", "GUEST",
						     "PLUGGED", "FROM", "USER" };

static void fill_cells(const struct fleet_vm *vm, char *cells[COLUMNS_COUNT])
{
	const char *name = fleet_vm_name(vm), *guest = fleet_vm_guest(vm);
	char size[SIZE_TEXT_MAX];

	cells[COLUMN_NAME] = printable_short(name ? name : "-", NAME_BYTES);
	cells[COLUMN_PID] = vm->qemu ? xasprintf("%d", (int)vm->qemu->pid) : xstrdup("-");
	cells[COLUMN_MONITOR] = xstrdup(vm->monitor.kind ? vm->monitor.text : "-");
	cells[COLUMN_GUEST] = guest ? xstrndup(guest, strcspn(guest, ":")) : xstrdup("-");
	cells[COLUMN_PLUGGED] = xstrdup(vm->is_known ? size_format(size, vm->plugged_bytes) : "-");
	cells[COLUMN_FROM] = vm->profile ? short_path(vm->profile->path) : xstrdup("process");
	cells[COLUMN_USER] = user_of(vm);
}

/* Shorten a text at the front: a path's end says more. Taken over and returned. */
static char *cut_to(char *text, size_t width)
{
	size_t len = strlen(text);
	char *cut;

	if (len <= width)
		return text;
	cut = xasprintf("...%s", text + len - (width - 3));
	free(text);
	return cut;
}

/* The width that the other columns leave for the monitor. */
static size_t monitor_width(char *(*cells)[COLUMNS_COUNT], unsigned count, unsigned columns)
{
	size_t left = LINE_WIDTH - 2 * (columns - 1);
	unsigned c, i;

	for (c = 0; c < columns; c++) {
		size_t width = strlen(headings[c]);

		for (i = 0; i < count && c != COLUMN_MONITOR; i++)
			if (strlen(cells[i][c]) > width)
				width = strlen(cells[i][c]);
		left -= c == COLUMN_MONITOR || width > left ? 0 : width;
	}
	return left > MONITOR_WIDTH_MIN ? left : MONITOR_WIDTH_MIN;
}

static void print_table(const struct fleet *fleet, bool with_user)
{
	unsigned c, i, columns = with_user ? COLUMNS_COUNT : COLUMN_USER;
	char *(*cells)[COLUMNS_COUNT] = xcalloc(fleet->count, sizeof(*cells));
	struct out_table out = { .columns = columns,
				 .right = { [COLUMN_PID] = true, [COLUMN_PLUGGED] = true } };
	size_t width;

	for (i = 0; i < fleet->count; i++)
		fill_cells(&fleet->vms[i], cells[i]);
	width = monitor_width(cells, fleet->count, columns);
	for (c = 0; c < columns; c++)
		out_table_cell(&out, headings[c]);
	for (i = 0; i < fleet->count; i++) {
		cells[i][COLUMN_MONITOR] = cut_to(cells[i][COLUMN_MONITOR], width);
		for (c = 0; c < COLUMNS_COUNT; c++) {
			if (c < columns)
				out_table_cell(&out, cells[i][c]);
			free(cells[i][c]);
		}
	}
	free(cells);
	out_table_finish(&out, true);
}

/* Print what the table has no room for. */
static void print_note(const struct fleet_vm *vm)
{
	const char *name = fleet_vm_name(vm);
	_cleanup_free_ char *shown = printable_short(name ? name : "-", NAME_BYTES);

	if (vm->problem)
		out_note("nothing known about VM '%s' (pid %d): %s", shown, (int)vm->qemu->pid,
			 vm->problem);
	else if (fleet_vm_guest_problem(vm))
		out_note("VM '%s' (pid %d): %s", shown, (int)vm->qemu->pid,
			 fleet_vm_guest_problem(vm));
	else if (!fleet_vm_guest(vm) && vm->qemu->line.ssh.kind)
		out_note("VM '%s' (pid %d) forwards a port to its guest's ssh: --guest %s", shown,
			 (int)vm->qemu->pid, vm->qemu->line.ssh.text);
}

static void print_notes(const struct fleet *fleet, const struct qemu_list *found)
{
	unsigned i;

	for (i = 0; i < fleet->count; i++) {
		const struct fleet_vm *vm = &fleet->vms[i];

		if (vm->qemu)
			print_note(vm);
		else if (fleet_vm_guest_problem(vm))
			out_note("VM '%s': %s", fleet_vm_name(vm), fleet_vm_guest_problem(vm));
	}
	for (i = 0; i < found->count; i++) {
		struct err err;

		if (found->list[i].line.monitors_count)
			continue;
		discover_no_monitor(&found->list[i], &err);
		out_note("%s; %s", err.message, err.hint);
	}
}

static int report(struct ctx *ctx, const struct fleet *fleet, const struct qemu_list *found,
		  bool with_user, struct err *err)
{
	struct json_object *vms = json_object_new_array();
	unsigned i;

	for (i = 0; i < fleet->count; i++)
		json_object_array_add(vms, json_vm(&fleet->vms[i]));
	json_object_object_add(ctx->result, "vms", vms);
	if (ctx->globals->is_json)
		out_json(ctx->result);
	else if (fleet->count)
		print_table(fleet, with_user);
	else
		out_printf("no VMs\n");
	if (out_flush(err))
		return -1;
	if (!ctx->globals->is_json)
		print_notes(fleet, found);
	return 0;
}

static int run(struct ctx *ctx, void *options, int argc, char **argv, struct err *err)
{
	const struct vms_options *o = options;
	struct qemu_list found = { 0 };
	struct fleet fleet = { 0 };
	unsigned i;
	int status;

	(void)argc, (void)argv;
	if (o->is_all && geteuid()) {
		err_set(err, ERR_USAGE, "only root sees the VMs of other users");
		return err_hint(err, "run it as root; memhp vms shows yours");
	}
	status = config_load(&ctx->config, err);
	if (!status)
		status = discover(&found, o->is_all, &ctx->deadline, err);
	for (i = 0; i < found.count; i++)
		(void)emulator_ssh(&found.list[i]); /* drops line.ssh unless it is listened on */
	if (!status) {
		fleet_gather(&fleet, &found, &ctx->config);
		status = fleet_ask(&fleet, &ctx->deadline, err);
	}
	if (!status)
		status = report(ctx, &fleet, &found, o->is_all, err);
	fleet_free(&fleet);
	qemu_list_free(&found);
	return status;
}

const struct cmd cmd_vms = {
	.name = "vms",
	.args = "",
	.summary = "running VMs, and those in the configuration",
	.details =
		"Shows the QEMU processes of this user that have a QMP socket, and the profiles\n"
		"of memhp.conf(5). Each can be named with --vm. If a monitor does not answer at\n"
		"once, because another client is using it, '-' is shown.\n\n"
		"  memhp vms\n"
		"  memhp vms --json | jq '.vms[].name'\n",
	.opts = opts,
	.options_size = sizeof(struct vms_options),
	.run = run,
};
