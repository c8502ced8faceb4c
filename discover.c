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
#include "owner.h"
#include "peer.h"
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

/* @path_fd: opened with O_PATH */
static int check_user(const struct qemu *qemu, const char *path, int path_fd, struct err *err)
{
	struct stat st;

	if (fstat(path_fd, &st) || st.st_uid == qemu->uid || !st.st_uid)
		return 0;
	return err_set(err, ERR_QEMU_UNREACHABLE,
		       "the socket '%s' of VM %d belongs to another user (uid %u)", path,
		       (int)qemu->pid, (unsigned)st.st_uid);
}

static int belongs_to(const struct qemu *qemu, const char *address, pid_t other, struct err *err)
{
	_cleanup_free_ char *process = other ? owner_describe(other) : NULL;

	return err_set(err, ERR_QEMU_UNREACHABLE,
		       "the monitor '%s' belongs to another process%s%s%s, not to VM %d", address,
		       process ? " (" : "", process ? process : "", process ? ")" : "",
		       (int)qemu->pid);
}

/* A QEMU that gave up root (-runas) listened as root; another process may have listened for it. */
static int check_listener(const struct qemu *qemu, const char *address, int path_fd, int fd,
			  struct err *err)
{
	const char *name = strchr(address, '@');
	uid_t uid = 0;
	pid_t other = owner_of(fd, &uid);

	if (other == qemu->pid && (uid == qemu->uid || !uid))
		return 0;
	if ((path_fd >= 0 ? owner_listens(qemu->pid, path_fd)
			  : owner_listens_abstract(qemu->pid, name + 1)) == 1)
		return 0;
	return belongs_to(qemu, address, other, err);
}

/* Connect where @view sees the path; 0 for this process. */
static int connect_path(const struct qemu *qemu, pid_t view, const char *path, int *fd,
			struct err *err)
{
	int path_fd = peer_open_path(view, path, O_PATH), status;

	*fd = -1;
	if (path_fd < 0)
		return err_set(err, ERR_QEMU_UNREACHABLE, "cannot connect to '%s': %s", path,
			       strerror(errno));
	status = check_user(qemu, path, path_fd, err);
	if (!status)
		status = peer_connect_at(path_fd, path, fd, ERR_QEMU_UNREACHABLE, err);
	if (!status && check_listener(qemu, path, path_fd, *fd, err)) {
		close(*fd);
		status = -1;
	}
	close(path_fd);
	return status;
}

/* The path of a QEMU that has gone into another root since (-chroot) is one of this process. */
static int connect_unix(const struct qemu *qemu, const char *path, int *fd, struct err *err)
{
	struct err here;

	if (!connect_path(qemu, qemu->pid, path, fd, err) ||
	    !connect_path(qemu, 0, path, fd, &here))
		return 0;
	return -1;
}

/* A name or a port number means another socket in another network namespace. */
static int connect_in_network(const struct qemu *qemu, const char *address, int *fd,
			      struct deadline *d, struct err *err)
{
	bool is_tcp = !strncmp(address, "tcp:", 4);

	if (peer_connect(qemu->pid, address, fd, ERR_QEMU_UNREACHABLE, d, err)) {
		if (!peer_shares_network(qemu->pid)) {
			err_append(err, "VM %d is in another network namespace", (int)qemu->pid);
			if (geteuid())
				err_hint(err, "root can enter it: run memhp as root");
		}
		return -1;
	}
	if (is_tcp ? owner_listens_tcp(qemu->pid, *fd) == 1
		   : !check_listener(qemu, address, -1, *fd, err))
		return 0;
	close(*fd);
	return is_tcp ? belongs_to(qemu, address, 0, err) : -1;
}

int discover_connect(struct qmp **out, const struct qemu *qemu, const char *address,
		     const struct trace *trace, struct deadline *deadline, struct err *err)
{
	const char *path = strncmp(address, "unix:", 5) ? address : address + 5;
	bool is_path = path[0] != '@' && strncmp(path, "tcp:", 4) != 0;
	int fd;

	if (is_path ? connect_unix(qemu, path, &fd, err)
		    : connect_in_network(qemu, address, &fd, deadline, err))
		return -1;
	*out = qmp_attach(fd, address, trace, deadline);
	return 0;
}
