/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The QEMU processes of this machine. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "discover.h"
#include "nearest.h"
#include "util.h"

#define CMDLINE_MAX (1 << 20) /* bytes; a process with a longer command line is passed over */

void qemu_list_release(struct qemu_list *found)
{
	unsigned i;

	for (i = 0; i < found->count; i++)
		cmdline_release(&found->list[i].line);
	free(found->list);
	*found = (struct qemu_list){ 0 };
}

/* The target of a link below a directory of /proc, which the caller frees; NULL when it cannot be
 * read. */
static char *read_link(int directory, const char *name)
{
	char target[PATH_MAX];
	ssize_t len = readlinkat(directory, name, target, sizeof(target));

	return len > 0 && (size_t)len < sizeof(target) ? xstrndup(target, (size_t)len) : NULL;
}

/* /proc/PID: all that is read below it is of one process, also when the number goes to another. */
static int open_process(pid_t pid)
{
	_cleanup_free_ char *path = xasprintf("/proc/%d", (int)pid);

	return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

char *discover_cwd(pid_t pid)
{
	int directory = open_process(pid);
	char *cwd = directory >= 0 ? read_link(directory, "cwd") : NULL;

	if (directory >= 0)
		close(directory);
	return cwd;
}

/* A program's name says that it is QEMU; " (deleted)" follows it after an upgrade. */
static bool is_qemu(int directory)
{
	static const char *const names[] = { "qemu-kvm", "kvm" };
	_cleanup_free_ char *program = read_link(directory, "exe");
	const char *slash = program ? strrchr(program, '/') : NULL;
	size_t i, len;

	if (!slash)
		return false;
	if (!strncmp(slash + 1, "qemu-system-", 12))
		return true;
	len = strcspn(slash + 1, " ");
	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (len == strlen(names[i]) && !strncmp(slash + 1, names[i], len))
			return true;
	return false;
}

static bool read_cmdline(int directory, struct buf *bytes)
{
	int fd = openat(directory, "cmdline", O_RDONLY | O_CLOEXEC);
	char chunk[4096];
	ssize_t n = -1;

	while (fd >= 0 && bytes->len <= CMDLINE_MAX && (n = read(fd, chunk, sizeof(chunk))) > 0)
		buf_add(bytes, chunk, (size_t)n);
	if (fd >= 0)
		close(fd);
	return n == 0 && bytes->len;
}

static bool read_process(int directory, struct qemu *qemu)
{
	_cleanup_buf_ struct buf bytes = { 0 };
	_cleanup_free_ char *cwd = NULL;

	if (!is_qemu(directory) || !read_cmdline(directory, &bytes))
		return false;
	cwd = read_link(directory, "cwd");
	cmdline_parse(&qemu->line, bytes.data, bytes.len, cwd);
	return true;
}

/* @uid: the owner that is wanted; NULL for any */
static bool look_at(pid_t pid, const uid_t *uid, struct qemu *qemu)
{
	int directory = open_process(pid);
	struct stat st;
	bool is_found = false;

	if (directory < 0)
		return false;
	/* the owner of /proc/PID is the effective user of the process, dumpable or not */
	if (!fstat(directory, &st) && (!uid || st.st_uid == *uid)) {
		*qemu = (struct qemu){ .pid = pid, .uid = st.st_uid };
		is_found = read_process(directory, qemu);
	}
	close(directory);
	return is_found;
}

bool discover_process(pid_t pid, struct qemu *qemu)
{
	return look_at(pid, NULL, qemu);
}

static int by_pid(const void *a, const void *b)
{
	const struct qemu *x = a, *y = b;

	return (x->pid > y->pid) - (x->pid < y->pid);
}

int discover(struct qemu_list *found, bool all, struct err *err)
{
	DIR *directory = opendir("/proc");
	uid_t uid = geteuid();
	struct dirent *entry;

	if (!directory)
		return err_set(err, ERR_FAILED, "cannot look for VMs: /proc: %s", strerror(errno));
	while ((entry = readdir(directory))) {
		struct qemu qemu;
		uint64_t pid;

		if (!parse_u64(entry->d_name, 10, &pid) || pid > INT_MAX ||
		    !look_at((pid_t)pid, all ? NULL : &uid, &qemu))
			continue;
		found->list = xgrow(found->list, found->count, sizeof(*found->list));
		found->list[found->count++] = qemu;
	}
	closedir(directory);
	if (found->count)
		qsort(found->list, found->count, sizeof(*found->list), by_pid);
	return 0;
}

/* "'web' (pid 4711), pid 4712" */
static char *list_of(const struct qemu_list *found, const char *name)
{
	struct buf text = { 0 };
	unsigned i;

	for (i = 0; i < found->count; i++) {
		const struct qemu *q = &found->list[i];

		if (q->uid != geteuid() || !q->line.monitors_count ||
		    (name && (!q->line.name || strcmp(q->line.name, name) != 0)))
			continue;
		buf_addf(&text, "%s", text.len ? ", " : "");
		if (q->line.name)
			buf_addf(&text, "'%s' (pid %d)", q->line.name, (int)q->pid);
		else
			buf_addf(&text, "pid %d", (int)q->pid);
	}
	return text.data;
}

static void no_monitor(const struct qemu_list *found, struct err *err)
{
	static const char how[] = "-qmp unix:PATH,server=on,wait=off";

	err_set(err, ERR_QEMU_UNREACHABLE, "no running QEMU of yours has a QMP socket");
	if (found->count)
		err_hint(err, "the one with pid %d has none: start it with %s",
			 (int)found->list[0].pid, how);
	else
		err_hint(err, "start QEMU with %s, or name a monitor with --qmp%s", how,
			 geteuid() ? "" : "; memhp vms --all shows those of other users");
}

static const struct qemu *choose_only(const struct qemu_list *found, struct err *err)
{
	_cleanup_free_ char *text = NULL;
	const struct qemu *only = NULL;
	unsigned i, count = 0;

	for (i = 0; i < found->count; i++) {
		if (!found->list[i].line.monitors_count)
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

static void not_found(const struct qemu_list *found, const char *name, const char *like,
		      struct err *err)
{
	struct nearest nearest = { .word = name };
	unsigned i;

	nearest_offer(&nearest, like);
	for (i = 0; i < found->count; i++)
		if (found->list[i].uid == geteuid())
			nearest_offer(&nearest, found->list[i].line.name);
	err_set(err, ERR_QEMU_UNREACHABLE, "no running VM '%s'", name);
	nearest_hint(&nearest, "see memhp vms", err);
}

static bool has_name(const struct qemu *q, const char *name)
{
	return q->line.name && name ? !strcmp(q->line.name, name) : q->line.name == name;
}

/* The only one of this user's with that name, NULL when there is none; -1 when there are several.
 */
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

/* Another user's VM is known by its pid alone: its name might be chosen to be mistaken for ours. */
static const struct qemu *choose_named(const struct qemu_list *found, const char *name,
				       const char *like, struct err *err)
{
	const struct qemu *by_name, *by_number = NULL;
	uint64_t pid = 0;
	bool is_number = parse_u64(name, 10, &pid);
	unsigned i;

	if (find_name(found, name, &by_name, err))
		return NULL;
	for (i = 0; is_number && i < found->count; i++)
		if ((uint64_t)found->list[i].pid == pid)
			by_number = &found->list[i];
	if (!by_name && !by_number)
		not_found(found, name, like, err);
	return by_name ? by_name : by_number;
}

const struct qemu *discover_choose(const struct qemu_list *found, const char *name,
				   const char *like, struct err *err)
{
	const struct qemu *qemu;

	if (!name)
		return choose_only(found, err);
	qemu = choose_named(found, name, like, err);
	if (!qemu || qemu->line.monitors_count)
		return qemu;
	err_set(err, ERR_QEMU_UNREACHABLE, "the VM '%s' (pid %d) has no QMP socket", name,
		(int)qemu->pid);
	err_hint(err, "start it with -qmp unix:PATH,server=on,wait=off");
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

static int check_owner(const struct qemu *qemu, const char *path, struct err *err)
{
	struct stat st;

	/* connect(2) will say what is wrong with the path */
	if (stat(path, &st) || st.st_uid == qemu->uid || !st.st_uid)
		return 0;
	return err_set(err, ERR_QEMU_UNREACHABLE,
		       "the socket '%s' of VM %d belongs to another user (uid %u)", path,
		       (int)qemu->pid, (unsigned)st.st_uid);
}

/* A port number means another socket in another network namespace. */
static int check_network(const struct qemu *qemu, const char *address, struct err *err)
{
	int self = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int other = open_process(qemu->pid);
	_cleanup_free_ char *ours = read_link(self, "ns/net");
	_cleanup_free_ char *theirs = read_link(other, "ns/net");

	if (self >= 0)
		close(self);
	if (other >= 0)
		close(other);
	if (ours && theirs && !strcmp(ours, theirs))
		return 0;
	return err_set(err, ERR_QEMU_UNREACHABLE,
		       "the monitor '%s' of VM %d is in another network namespace", address,
		       (int)qemu->pid);
}

/* The path may lead elsewhere by now; a QEMU that gave up root (-runas) listened as root. */
static int check_peer(const struct qemu *qemu, const struct qmp *q, const char *path,
		      struct err *err)
{
	uid_t uid = qmp_peer_uid(q);

	if (qmp_peer_pid(q) == qemu->pid && (uid == qemu->uid || !uid))
		return 0;
	return err_set(err, ERR_QEMU_UNREACHABLE,
		       "the socket '%s' is not that of VM %d: process %d listens there", path,
		       (int)qemu->pid, (int)qmp_peer_pid(q));
}

int discover_connect(struct qmp **out, const struct qemu *qemu, const char *address,
		     const struct trace *trace, struct deadline *deadline, struct err *err)
{
	bool is_unix = address[0] == '/';

	if (is_unix ? check_owner(qemu, address, err) : check_network(qemu, address, err))
		return -1;
	if (qmp_connect(out, address, trace, deadline, err))
		return -1;
	if (!is_unix || !check_peer(qemu, *out, address, err))
		return 0;
	qmp_close(*out);
	*out = NULL;
	return -1;
}
