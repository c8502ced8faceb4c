/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The guest's console or agent, opened if it belongs to this VM. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "lib/owner.h"
#include "lib/peer.h"
#include "lib/proc.h"
#include "lib/tcp.h"
#include "lib/util.h"
#include "vm/channel.h"
#include "vm/dial.h"
#include "vm/discover.h"
#include "vm/named.h"

/* How long QEMU may take to notice a connection, and how often it is polled: there is no event. */
#define PROOF_MS       2000
#define PROOF_AGAIN_MS 10

#define NOT_THERE (-2)

#define DEVPTS_MAGIC 0x1cd1 /* DEVPTS_SUPER_MAGIC of linux/magic.h */
#define PTY_MAJOR    136    /* Documentation/admin-guide/devices.txt; a minor has 20 bits */

static const char *what(const struct dial *dial)
{
	return dial->is_agent ? "guest agent's socket" : "console";
}

/* Most have QEMU's program name, which is cheap to read. */
static bool is_qemu_by_name(pid_t pid)
{
	_cleanup_free_ char *program = NULL;
	struct proc p;

	if (!proc_open(&p, pid))
		return false;
	program = proc_program(&p);
	proc_close(&p);
	return program && !strncmp(program, "qemu-system-", 12);
}

static bool is_qemu(pid_t pid)
{
	struct qemu qemu;
	bool is_one;

	if (!pid || is_qemu_by_name(pid))
		return pid;
	is_one = discover_process(pid, &qemu);
	if (is_one)
		emulator_free(&qemu);
	return is_one;
}

/* Search all visible QEMUs except @pid for one that holds @fd according to @is_held; 0 for none. */
static pid_t find_holder(pid_t pid, int fd, bool (*is_held)(pid_t pid, int fd), struct deadline *d)
{
	struct qemu_list found = { 0 };
	struct err ignored;
	pid_t holder = 0;
	unsigned i;

	if (!discover(&found, !geteuid(), d, &ignored))
		for (i = 0; i < found.count && !holder; i++)
			if (found.list[i].pid != pid && is_held(found.list[i].pid, fd))
				holder = found.list[i].pid;
	qemu_list_free(&found);
	return holder;
}

/* Does it belong to another user that is not root? */
static bool is_foreign(pid_t pid)
{
	struct proc p;

	if (!pid || !proc_open(&p, pid))
		return false;
	proc_close(&p);
	return p.uid && p.uid != geteuid();
}

static bool listens(pid_t pid, int path_fd)
{
	return owner_listens(pid, path_fd) == OWNER_YES;
}

/* @other: 0 if unknown */
static int belongs_to(const struct dial *dial, const char *path, pid_t other, struct err *err)
{
	_cleanup_free_ char *process = other ? owner_describe(other) : NULL;

	err_set(err, ERR_GUEST_UNREACHABLE,
		"the %s '%s' belongs to another process%s%s%s, not to this VM", what(dial), path,
		other ? " (" : "", other ? process : "", other ? ")" : "");
	if (dial->label)
		return err_hint(err, "give each VM a path of its own; this one can be reached by "
				     "another channel: --guest");
	return err_hint(err,
			"name a channel of this VM with --guest, or leave it out: then QEMU is "
			"asked for one");
}

/* If processes cannot be compared: only at its own device does QEMU see a client connect. */
static int prove(const struct dial *dial, const char *path, struct err *err)
{
	int64_t until_ms = deadline_within(dial->deadline, PROOF_MS);
	bool has_client = false;

	while (!channel_has_client(dial->qmp, dial->label, &has_client, err) && !has_client &&
	       monotonic_ms() < until_ms)
		if (deadline_poll(dial->deadline, NULL, 0, monotonic_ms() + PROOF_AGAIN_MS, err) <
		    0)
			return -1;
	if (has_client)
		return 0;
	if (monotonic_ms() < until_ms)
		return -1;
	err_set(err, ERR_GUEST_UNREACHABLE,
		"the %s '%s' is not this VM's: its QEMU sees no connection there", what(dial),
		path);
	return err_hint(err, "name a channel of this VM with --guest");
}

/* Does the connected socket belong to this VM? @path_fd: -1 for an abstract socket */
static int check_socket(const struct dial *dial, const char *path, int path_fd, int fd,
			struct err *err)
{
	uid_t uid;
	pid_t other = owner_of(fd, &uid);

	if (!dial->qmp || (dial->pid && other == dial->pid))
		return 0;
	if (dial->pid && (path_fd >= 0 ? listens(dial->pid, path_fd)
				       : owner_listens_abstract(dial->pid, path + 1) == OWNER_YES))
		return 0;
	if (dial->label)
		return is_qemu(dial->pid) || is_foreign(dial->pid)
			       ? belongs_to(dial, path, other, err)
			       : prove(dial, path, err);
	if (!is_qemu(dial->pid))
		return 0;
	if (named_is_claimed(&(struct named){ dial->pid, path, path_fd }, dial->qmp))
		return belongs_to(dial, path, other, err);
	if (!is_qemu(other))
		other = path_fd >= 0 ? find_holder(dial->pid, path_fd, listens, dial->deadline) : 0;
	return other ? belongs_to(dial, path, other, err) : 0;
}

/* Another user's QEMU may name a socket that only this user can connect to: do not even connect if
 * the kernel says in advance that it is another process's. */
static int check_before(const struct dial *dial, const char *path, int path_fd, struct err *err)
{
	if (!dial->label || !is_foreign(dial->pid) || owner_listens(dial->pid, path_fd) != OWNER_NO)
		return 0;
	return belongs_to(dial, path, 0, err);
}

/* Without a monitor the VM is the process that holds the socket. */
static int check_purpose(const struct dial *dial, const char *path, int path_fd, int fd,
			 struct err *err)
{
	uid_t uid;
	pid_t pid = dial->pid ? dial->pid : owner_of(fd, &uid);

	return named_check_purpose(&(struct named){ pid, path, path_fd }, dial->is_agent, err);
}

/* Keep *fd, a connected socket, if it belongs to this VM. */
static int keep_socket(const struct dial *dial, const char *path, int path_fd, int *fd,
		       struct err *err)
{
	if (!check_socket(dial, path, path_fd, *fd, err) &&
	    (dial->label || !check_purpose(dial, path, path_fd, *fd, err)))
		return 0;
	close(*fd);
	*fd = -1;
	return -1;
}

static int cannot_open(const struct dial *dial, const char *path, const char *why, struct err *err)
{
	return err_set(err, ERR_GUEST_UNREACHABLE, "cannot open the %s '%s': %s", what(dial), path,
		       why);
}

/* Does @pid hold the master of the pty whose terminal is @path_fd? */
static bool holds_pty(pid_t pid, int path_fd)
{
	struct stat ours, theirs;
	int fd = -1;
	bool is_held;

	if (!peer_stat(path_fd, &ours) || major(ours.st_rdev) != PTY_MAJOR)
		return false;
	fd = owner_open_pty(pid, minor(ours.st_rdev));
	is_held = fd >= 0 && !fstat(fd, &theirs) && ours.st_dev == theirs.st_dev &&
		  ours.st_ino == theirs.st_ino;
	if (fd >= 0)
		close(fd);
	return is_held;
}

/* Open the file of an O_PATH descriptor: its path can no longer be swapped. */
static int reopen(int path_fd)
{
	_cleanup_free_ char *path = xasprintf("/proc/self/fd/%d", path_fd);

	return open(path, O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
}

/* Open a terminal that the user named. */
static int open_terminal(const struct dial *dial, const char *path, int path_fd, int *fd,
			 struct err *err)
{
	pid_t other = 0;

	if (dial->qmp && is_qemu(dial->pid) && !holds_pty(dial->pid, path_fd))
		other = find_holder(dial->pid, path_fd, holds_pty, dial->deadline);
	if (other)
		return belongs_to(dial, path, other, err);
	*fd = reopen(path_fd);
	return *fd < 0 ? cannot_open(dial, path, strerror(errno), err) : 0;
}

/* Open a socket or a terminal as the process @view sees it; 0: this process, which waits for the
 * file system however long it takes. Return: 0; -1; NOT_THERE */
static int open_at(const struct dial *dial, pid_t view, const char *path, int *fd, struct err *err)
{
	int path_fd = peer_open_path(view, path, O_PATH), status;
	struct stat st;

	if (path_fd < 0 || !peer_stat(path_fd, &st)) {
		cannot_open(dial, path, peer_why(errno), err);
		if (!dial->label)
			named_hint(path, err);
		status = NOT_THERE;
	} else if (S_ISSOCK(st.st_mode)) {
		status = check_before(dial, path, path_fd, err) ||
					 peer_connect_at(dial->label ? dial->pid : 0, path_fd, path,
							 fd, ERR_GUEST_UNREACHABLE, err) ||
					 keep_socket(dial, path, path_fd, fd, err)
				 ? -1
				 : 0;
	} else if (S_ISCHR(st.st_mode) && !dial->label && !dial->is_agent) {
		status = open_terminal(dial, path, path_fd, fd, err);
	} else {
		status = cannot_open(dial, path,
				     dial->label || dial->is_agent
					     ? "not a socket"
					     : "neither a socket nor a terminal",
				     err);
	}
	if (path_fd >= 0)
		close(path_fd);
	return status;
}

static int open_abstract(const struct dial *dial, const char *path, int *fd, struct err *err)
{
	pid_t view = dial->label ? dial->pid : 0;

	if (peer_connect_abstract(view, path + 1, fd, ERR_GUEST_UNREACHABLE, err))
		return -1;
	return keep_socket(dial, path, -1, fd, err);
}

/* For the same user's QEMU, if the kernel does not let us see its descriptors: only the pty's
 * number can be compared. */
static int open_own_pty(const struct dial *dial, const char *path)
{
	int path_fd = peer_open_path(dial->pid, path, O_PATH), fd = -1;
	struct stat process;
	struct statfs system;
	_cleanup_free_ char *directory = xasprintf("/proc/%d", (int)dial->pid);

	if (path_fd < 0)
		return -1;
	if (!stat(directory, &process) && process.st_uid == geteuid() &&
	    !fstatfs(path_fd, &system) && system.f_type == DEVPTS_MAGIC)
		fd = reopen(path_fd);
	close(path_fd);
	return fd;
}

/* The number of the pty that QEMU named, if it is of the kind that QEMU creates. */
static int read_number(const struct dial *dial, const char *path, unsigned *number, struct err *err)
{
	static const char directory[] = "/dev/pts/";
	uint64_t value;

	if (strncmp(path, directory, sizeof(directory) - 1) != 0 ||
	    !parse_u64(path + sizeof(directory) - 1, 10, &value) || value >> 20)
		return cannot_open(dial, path, "QEMU calls it a pty, but it is none", err);
	*number = (unsigned)value;
	return 0;
}

static int not_its_pty(const struct dial *dial, const char *path, struct err *err)
{
	err_set(err, ERR_GUEST_UNREACHABLE, "the console '%s' is not known to be this VM's: %s",
		path,
		dial->pid ? "its process does not hold that pty"
			  : "the process behind the monitor is not known");
	return err_hint(err, "if it is, name it: --guest serial:%s", path);
}

static int check_pty(const struct dial *dial, const char *path, struct err *err)
{
	unsigned number = 0;

	if (read_number(dial, path, &number, err))
		return -1;
	return owner_holds_pty(dial->pid, number) ? 0 : not_its_pty(dial, path, err);
}

/* Open the pty that QEMU named, and holds. */
static int open_pty(const struct dial *dial, const char *path, int *fd, struct err *err)
{
	unsigned number = 0;

	if (read_number(dial, path, &number, err))
		return -1;
	*fd = dial->pid ? owner_open_pty(dial->pid, number) : -1;
	if (*fd < 0 && dial->pid && errno == EPERM && owner_holds_pty(dial->pid, number))
		*fd = open_own_pty(dial, path);
	return *fd < 0 ? not_its_pty(dial, path, err) : 0;
}

/* Open QEMU's path as QEMU sees it, then as we see it: QEMU may have changed its root since. */
static int open_named_by_qemu(const struct dial *dial, const char *path, int *fd, struct err *err)
{
	int status = open_at(dial, dial->pid, path, fd, err);
	struct err here;

	if (status >= 0 || !dial->pid || err->code == ERR_INTERRUPTED)
		return status;
	if (!open_at(dial, getpid(), path, fd, &here))
		return 0;
	if (status == NOT_THERE)
		*err = here;
	return status;
}

static int open_path(void *context, const char *path, int *fd, struct err *err)
{
	const struct dial *dial = context;

	*fd = -1;
	if (path[0] == '@')
		return open_abstract(dial, path, fd, err);
	if (!dial->label)
		return open_at(dial, 0, path, fd, err);
	return dial->is_pty ? open_pty(dial, path, fd, err)
			    : open_named_by_qemu(dial, path, fd, err);
}

struct stream_opener dial_opener(struct dial *dial)
{
	return (struct stream_opener){ open_path, dial };
}

/* Without connecting: does the VM's process listen at the path, as @view sees it? */
static int check_path(const struct dial *dial, pid_t view, const char *path, struct err *err)
{
	int path_fd = peer_open_path(view, path, O_PATH);
	enum owner_answer is_its;
	pid_t other = 0;

	if (path_fd < 0)
		return cannot_open(dial, path, peer_why(errno), err);
	is_its = owner_listens(dial->pid, path_fd);
	if (is_its == OWNER_NO)
		other = find_holder(dial->pid, path_fd, listens, dial->deadline);
	close(path_fd);
	if (is_its == OWNER_YES)
		return 0;
	return is_its == OWNER_UNKNOWN
		       ? cannot_open(dial, path, "no known process listens there", err)
		       : belongs_to(dial, path, other, err);
}

int dial_check(struct qmp *qmp, pid_t pid, const struct channel *channel, struct deadline *d,
	       struct err *err)
{
	struct dial dial = { .qmp = qmp,
			     .pid = pid,
			     .is_agent = channel->address.kind == ADDRESS_AGENT,
			     .label = channel->label,
			     .deadline = d };
	const char *path = channel->address.path;
	struct err here;

	if (!is_qemu(pid))
		return err_set(err, ERR_GUEST_UNREACHABLE,
			       "the %s '%s' cannot be compared with the VM, whose process is not "
			       "known",
			       what(&dial), path);
	if (channel->is_pty)
		return check_pty(&dial, path, err);
	if (channel->address.is_abstract)
		return owner_listens_abstract(pid, path + 1) == OWNER_YES
			       ? 0
			       : belongs_to(&dial, path, 0, err);
	return check_path(&dial, pid, path, err) && check_path(&dial, getpid(), path, &here) ? -1
											     : 0;
}

static bool has_accepted(pid_t pid, int fd)
{
	return tcp_has_accepted(pid, fd);
}

/* The QEMU that holds a socket which another process made listen and passed on. */
static pid_t find_heir(const struct address *address, struct deadline *d)
{
	int path_fd = address->is_abstract ? -1 : peer_open_path(0, address->path, O_PATH);
	pid_t pid = path_fd >= 0 ? find_holder(0, path_fd, listens, d) : 0;

	if (path_fd >= 0)
		close(path_fd);
	return pid;
}

pid_t dial_find_qemu(const struct qmp *qmp, const struct address *address, struct deadline *d)
{
	pid_t pid = qmp_peer_pid(qmp), heir;

	if (address->kind == ADDRESS_TCP)
		return find_holder(0, qmp_fd(qmp), has_accepted, d);
	if (!pid || is_qemu(pid))
		return pid;
	heir = find_heir(address, d);
	return heir ? heir : pid;
}
