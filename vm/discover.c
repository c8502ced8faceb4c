/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The QEMU processes of this machine. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/owner.h"
#include "lib/text.h"
#include "lib/util.h"
#include "vm/discover.h"

/* The most VMs that a message names. */
#define SHOWN_MAX	 8
#define SHOWN_NAME_BYTES 64

#define HOW "-qmp unix:PATH,server=on,wait=off"

void qemu_list_free(struct qemu_list *found)
{
	unsigned i;

	for (i = 0; i < found->count; i++)
		emulator_free(&found->list[i]);
	free(found->list);
	*found = (struct qemu_list){ 0 };
}

bool discover_process(pid_t pid, struct qemu *qemu)
{
	if (!emulator_read(qemu, pid, NULL))
		return false;
	if (!qemu->is_qemu)
		emulator_free(qemu);
	return qemu->is_qemu;
}

static int by_pid(const void *a, const void *b)
{
	const struct qemu *x = a, *y = b;

	return (x->pid > y->pid) - (x->pid < y->pid);
}

/* @qemu is taken over if it is QEMU, else freed */
static void keep(struct qemu_list *found, struct qemu *qemu)
{
	if (!qemu->is_qemu) {
		emulator_free(qemu);
		return;
	}
	found->list = xgrow(found->list, found->count, sizeof(*found->list));
	found->list[found->count++] = *qemu;
}

/* Sort by pid, and drop the doubles of a QEMU. */
static void tidy(struct qemu_list *found)
{
	unsigned i, j, kept = 0;

	if (found->count)
		qsort(found->list, found->count, sizeof(*found->list), by_pid);
	for (i = 0; i < found->count; i++)
		for (j = 0; j < found->count && found->list[i].is_qemu; j++)
			if (found->list[j].is_qemu)
				found->list[i].is_qemu =
					!emulator_is_double(&found->list[i], &found->list[j]);
	for (i = 0; i < found->count; i++) {
		if (found->list[i].is_qemu)
			found->list[kept++] = found->list[i];
		else
			emulator_free(&found->list[i]);
	}
	found->count = kept;
}

int discover(struct qemu_list *found, bool all, struct deadline *deadline, struct err *err)
{
	DIR *directory = opendir("/proc");
	uid_t uid = geteuid();
	struct dirent *entry;
	int status = 0;

	if (!directory)
		return err_set(err, ERR_QEMU_UNREACHABLE, "cannot look for VMs: /proc: %s",
			       strerror(errno));
	if (access("/proc/self", F_OK)) {
		closedir(directory);
		return err_set(err, ERR_QEMU_UNREACHABLE,
			       "cannot look for VMs: /proc shows no processes");
	}
	while (!status && (entry = readdir(directory))) {
		struct qemu qemu;
		uint64_t pid;

		if (!parse_u64(entry->d_name, 10, &pid) || pid > INT_MAX)
			continue;
		if (emulator_read(&qemu, (pid_t)pid, all ? NULL : &uid))
			keep(found, &qemu);
		status = deadline_poll(deadline, NULL, 0, 0, err);
	}
	closedir(directory);
	tidy(found);
	return status;
}

/* "'web' (pid 4711)", "pid 4712": as --vm takes it */
static void add_vm(struct buf *text, const struct qemu *q)
{
	_cleanup_free_ char *name =
		q->line.name ? printable_short(q->line.name, SHOWN_NAME_BYTES) : NULL;

	if (name)
		buf_addf(text, "'%s' (pid %d)", name, (int)q->pid);
	else
		buf_addf(text, "pid %d", (int)q->pid);
}

/* May it be reachable, for all we know? */
static bool may_be_meant(const struct qemu *q)
{
	return q->line.monitors_count || q->is_silent;
}

/* "'web' (pid 4711), pid 4712" */
static char *list_of(const struct qemu_list *found, const char *name)
{
	struct buf text = { 0 };
	unsigned i, count = 0;

	for (i = 0; i < found->count; i++) {
		const struct qemu *q = &found->list[i];

		if (q->uid != geteuid() || !may_be_meant(q) ||
		    (name && (!q->line.name || strcmp(q->line.name, name) != 0)))
			continue;
		if (++count > SHOWN_MAX)
			continue;
		buf_addf(&text, "%s", text.len ? ", " : "");
		add_vm(&text, q);
	}
	if (count > SHOWN_MAX)
		buf_addf(&text, " and %u more: see memhp vms", count - SHOWN_MAX);
	return text.data;
}

static void silent(const char *vm, struct err *err)
{
	err_set(err, ERR_QEMU_UNREACHABLE,
		"the command line of %s cannot be read: something keeps its memory locked", vm);
}

int discover_no_monitor(const struct qemu *q, struct err *err)
{
	const struct address *human = cmdline_find(&q->line, CMDLINE_HMP);
	const char *first = NULL;
	_cleanup_free_ char *unknown = emulator_unknown(q, &first);
	_cleanup_free_ char *quoted = first ? text_quoted(first) : NULL;
	_cleanup_buf_ struct buf vm = { 0 };

	add_vm(&vm, q);
	if (q->is_silent) {
		silent(vm.data, err);
		return err_hint(err, "name its monitor with --qmp %s", quoted ? quoted : "PATH");
	}
	if (unknown) {
		err_set(err, ERR_QEMU_UNREACHABLE,
			"no QMP socket of VM %s is known: it listens on %s", vm.data, unknown);
		return err_hint(err, "if one of them is, name it: --qmp %s",
				quoted ? quoted : "PATH");
	}
	if (!q->sockets.is_known) {
		err_set(err, ERR_QEMU_UNREACHABLE,
			"no QMP socket of VM %s is known, and what it listens on cannot be read",
			vm.data);
		return err_hint(err, "name its monitor with --qmp");
	}
	err_set(err, ERR_QEMU_UNREACHABLE, "VM %s has no QMP socket%s%s%s", vm.data,
		human ? ": its monitor '" : "", human ? human->text : "",
		human ? "' is one for people (HMP)" : "");
	return err_hint(err, "start the one with pid %d with " HOW, (int)q->pid);
}

/* Set the error that none of them has a known monitor. */
static void no_monitor(const struct qemu_list *found, struct err *err)
{
	unsigned i = 0;

	if (!found->count) {
		err_set(err, ERR_QEMU_UNREACHABLE, "no running QEMU of yours has a QMP socket");
		err_hint(err, "start QEMU with " HOW ", or name a monitor with --qmp%s",
			 geteuid() ? "" : "; memhp vms --all shows those of other users");
		return;
	}
	while (i + 1 < found->count && !found->list[i].sockets.count)
		i++;
	discover_no_monitor(&found->list[i], err);
	if (found->count > 1)
		err_wrap(err, "none of %u VMs can be reached", found->count);
}

static const struct qemu *choose_only(const struct qemu_list *found, struct err *err)
{
	_cleanup_free_ char *text = NULL;
	const struct qemu *only = NULL;
	unsigned i, count = 0;

	for (i = 0; i < found->count; i++) {
		if (!may_be_meant(&found->list[i]))
			continue;
		only = &found->list[i];
		count++;
	}
	if (count == 1)
		return only;
	if (!count) {
		no_monitor(found, err);
		return NULL;
	}
	text = list_of(found, NULL);
	err_set(err, ERR_USAGE, "%u VMs are running: %s", count, text);
	err_hint(err, "choose one with --vm NAME or --vm PID");
	return NULL;
}

/* Add to the error that this VM's command line cannot be read: it may be the one meant. */
static void silent_vm(const struct qemu *q, struct err *err)
{
	err_append(err, "the name of VM %d cannot be read: something keeps its memory locked",
		   (int)q->pid);
	err_hint(err, "if it is that one, name its monitor with --qmp");
}

static void not_found(const struct qemu_list *found, const char *name, const char *like,
		      struct err *err)
{
	struct nearest nearest = { .word = name };
	unsigned i;

	nearest_offer(&nearest, like);
	for (i = 0; i < found->count; i++)
		if (found->list[i].uid == geteuid() && found->list[i].line.name &&
		    text_is_plain(found->list[i].line.name))
			nearest_offer(&nearest, found->list[i].line.name);
	err_set(err, ERR_QEMU_UNREACHABLE, "no running VM '%s'", name);
	for (i = 0; i < found->count; i++)
		if (found->list[i].is_silent)
			return silent_vm(&found->list[i], err);
	for (i = 0; i < found->count; i++)
		if (found->list[i].line.name && !strcmp(found->list[i].line.name, name)) {
			err_append(err, "another user has one of that name");
			err_hint(err, "see whose it is with memhp vms --all; that one is --vm %d",
				 (int)found->list[i].pid);
			return;
		}
	nearest_hint(&nearest, "see memhp vms", err);
}

static bool has_name(const struct qemu *q, const char *name)
{
	return q->line.name && name ? !strcmp(q->line.name, name) : q->line.name == name;
}

/* Find this user's only VM with that name, NULL for none; -1 if there are several. */
static int find_name(const struct qemu_list *found, const char *name, const struct qemu **only,
		     struct err *err)
{
	_cleanup_free_ char *text = NULL;
	unsigned i, count = 0;

	*only = NULL;
	for (i = 0; i < found->count; i++) {
		if (found->list[i].uid != geteuid() || !has_name(&found->list[i], name))
			continue;
		*only = &found->list[i];
		count++;
	}
	if (count < 2)
		return 0;
	text = list_of(found, name);
	err_set(err, ERR_USAGE, "%u VMs have that name: %s", count, text ? text : name);
	return err_hint(err, "choose one with --vm PID");
}

/* Set the error that a process named by its pid is not a known QEMU, and what it is. */
static int no_qemu(const struct qemu_list *found, const struct qemu *q, struct err *err)
{
	_cleanup_free_ char *program =
		printable_short(q->program ? q->program : "unknown", SHOWN_NAME_BYTES);
	_cleanup_free_ char *unknown = emulator_unknown(q, NULL);
	_cleanup_buf_ struct buf child = { 0 };
	unsigned i;

	for (i = 0; i < found->count && !child.len; i++)
		if (found->list[i].parent == q->pid)
			add_vm(&child, &found->list[i]);
	if (q->is_silent) {
		_cleanup_free_ char *process = owner_describe(q->pid);

		silent(process, err);
		return err_hint(err, "if it is QEMU, name its monitor with --qmp");
	}
	err_set(err, ERR_QEMU_UNREACHABLE, "process %d is '%s', not QEMU%s%s", (int)q->pid, program,
		unknown ? "; it listens on " : "", unknown ? unknown : "");
	if (child.data)
		return err_hint(err, "it has started VM %s", child.data);
	return err_hint(err, "see memhp vms; if it is a QEMU, name its monitor with --qmp");
}

/* No VM in the list has that pid: find the process. Only root can read other users' processes. */
static const struct qemu *choose_process(struct qemu_list *found, pid_t pid, struct err *err)
{
	struct proc p;
	struct qemu q;

	if (!proc_open(&p, pid)) {
		err_set(err, ERR_QEMU_UNREACHABLE, "no running VM '%d'", (int)pid);
		err_hint(err, "see memhp vms");
		return NULL;
	}
	proc_close(&p);
	if (geteuid() && p.uid != geteuid()) {
		err_set(err, ERR_QEMU_UNREACHABLE, "process %d belongs to another user (uid %u)",
			(int)pid, (unsigned)p.uid);
		err_hint(err, "root can reach it: run memhp as root");
	} else if (!emulator_read_named(&q, pid)) {
		err_set(err, ERR_QEMU_UNREACHABLE,
			"process %d is not a QEMU: it has no command line, so it may have ended",
			(int)pid);
	} else if (!q.is_qemu) {
		no_qemu(found, &q, err);
		emulator_free(&q);
	} else {
		keep(found, &q);
		return &found->list[found->count - 1];
	}
	return NULL;
}

/* Refuse a VM whose name is the pid of another one: the user may mean either. */
static int check_number(const struct qemu_list *found, const struct qemu *by_name, struct err *err)
{
	uint64_t pid;
	unsigned i;

	if (!parse_u64(by_name->line.name, 10, &pid))
		return 0;
	for (i = 0; i < found->count; i++) {
		const struct qemu *other = &found->list[i];

		if ((uint64_t)other->pid != pid || other == by_name || other->uid != by_name->uid)
			continue;
		err_set(err, ERR_USAGE,
			"'%s' is the name of the VM with pid %d and the pid of %s%s%s",
			by_name->line.name, (int)by_name->pid,
			other->line.name ? "VM '" : "another",
			other->line.name ? other->line.name : "", other->line.name ? "'" : "");
		return err_hint(err, "choose one with --vm %d or --vm 0%d", (int)by_name->pid,
				(int)other->pid);
	}
	return 0;
}

/* Another user's VM is addressed only by its pid: its name may be chosen to imitate one of ours. */
static const struct qemu *choose_named(struct qemu_list *found, const char *name, const char *like,
				       struct err *err)
{
	const struct qemu *by_name;
	uint64_t pid = 0;
	unsigned i;

	if (find_name(found, name, &by_name, err))
		return NULL;
	if (by_name)
		return check_number(found, by_name, err) ? NULL : by_name;
	if (!parse_u64(name, 10, &pid) || !pid || pid > INT_MAX) {
		not_found(found, name, like, err);
		return NULL;
	}
	for (i = 0; i < found->count; i++)
		if ((uint64_t)found->list[i].pid == pid)
			return &found->list[i];
	return choose_process(found, (pid_t)pid, err);
}

const struct qemu *discover_choose(struct qemu_list *found, const char *name, const char *like,
				   struct err *err)
{
	const struct qemu *qemu;

	if (!name)
		return choose_only(found, err);
	qemu = choose_named(found, name, like, err);
	if (!qemu || qemu->line.monitors_count)
		return qemu;
	discover_no_monitor(qemu, err);
	return NULL;
}

const struct qemu *discover_again(const struct qemu_list *found, pid_t pid, const char *name,
				  struct err *err)
{
	const struct qemu *qemu = NULL;
	unsigned i;

	for (i = 0; i < found->count; i++)
		if (found->list[i].pid == pid && has_name(&found->list[i], name))
			return &found->list[i];
	if (name && find_name(found, name, &qemu, err)) {
		err_hint(err, "start another shell with --vm PID");
		return NULL;
	}
	if (qemu && qemu->line.monitors_count)
		return qemu;
	if (name)
		err_set(err, ERR_QEMU_UNREACHABLE, "the VM '%s' (pid %d) has gone", name, (int)pid);
	else
		err_set(err, ERR_QEMU_UNREACHABLE, "the VM with pid %d has gone", (int)pid);
	err_hint(err, "this shell stays with it; start another one for another VM");
	return NULL;
}
