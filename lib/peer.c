/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files and sockets as another process sees them. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/aside.h"
#include "lib/pass.h"
#include "lib/peer.h"
#include "lib/proc.h"
#include "lib/stream.h"
#include "lib/util.h"

char *peer_cwd(pid_t pid)
{
	struct proc p;
	char *cwd;

	if (!proc_open(&p, pid))
		return NULL;
	cwd = proc_cwd(&p);
	proc_close(&p);
	return cwd;
}

int peer_open_path(pid_t pid, const char *path, int flags)
{
	struct proc p;
	int fd, saved;

	if (!pid)
		return open(path, flags | O_CLOEXEC);
	if (!proc_open(&p, pid))
		return -1;
	fd = proc_open_path(&p, path, flags);
	saved = errno;
	proc_close(&p);
	errno = saved;
	return fd;
}

bool peer_stat(int fd, struct stat *st)
{
	struct statx sx;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_BASIC_STATS, &sx))
		return false;
	*st = (struct stat){ .st_dev = makedev(sx.stx_dev_major, sx.stx_dev_minor),
			     .st_ino = sx.stx_ino,
			     .st_mode = sx.stx_mode,
			     .st_uid = sx.stx_uid,
			     .st_gid = sx.stx_gid,
			     .st_rdev = makedev(sx.stx_rdev_major, sx.stx_rdev_minor) };
	return true;
}

const char *peer_why(int error)
{
	return error == ETIMEDOUT ? "its file system does not answer" : strerror(error);
}

bool peer_shares_network(pid_t pid)
{
	_cleanup_free_ char *path = xasprintf("/proc/%d/ns/net", (int)pid);
	struct stat ours, theirs;

	return !pid || (!stat("/proc/self/ns/net", &ours) && !stat(path, &theirs) &&
			ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino);
}

/* Enter the network namespace of a process, through its user namespace if that gives the right. */
static int enter_network(pid_t pid)
{
	int net, user;
	struct proc p;

	if (!proc_open(&p, pid))
		return -1;
	net = openat(p.directory, "ns/net", O_RDONLY | O_CLOEXEC);
	user = openat(p.directory, "ns/user", O_RDONLY | O_CLOEXEC);
	if (net < 0)
		return -1;
	if (!setns(net, CLONE_NEWNET))
		return 0;
	return user < 0 || setns(user, CLONE_NEWUSER) || setns(net, CLONE_NEWNET) ? -1 : 0;
}

/* A socket stays in the namespace it was created in, wherever it is used: a child creates it. */
static int socket_elsewhere(pid_t pid, int family, int type, int protocol)
{
	int pair[2], fd = -1, status = 0;
	pid_t child;
	char byte;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -1;
	child = fork();
	if (!child) {
		if (!enter_network(pid))
			fd = socket(family, type, protocol);
		_exit(fd < 0 || pass_send(pair[1], fd, "", 1) ? errno : 0);
	}
	close(pair[1]);
	if (child > 0)
		(void)pass_receive(pair[0], &fd, &byte, 1);
	close(pair[0]);
	if (child > 0)
		waitpid(child, &status, 0);
	errno = WIFEXITED(status) && WEXITSTATUS(status) ? WEXITSTATUS(status) : EPERM;
	return fd;
}

int peer_socket(pid_t pid, int family, int type, int protocol)
{
	if (peer_shares_network(pid))
		return socket(family, type | SOCK_CLOEXEC, protocol);
	return socket_elsewhere(pid, family, type | SOCK_CLOEXEC, protocol);
}

static int stream_socket(const void *context, int family)
{
	return peer_socket(*(const pid_t *)context, family, SOCK_STREAM | SOCK_NONBLOCK, 0);
}

int peer_connect_abstract(pid_t pid, const char *name, int *fd, enum err_code code, struct err *err)
{
	struct stream_maker maker = { stream_socket, &pid };

	return stream_connect_abstract(name, maker, fd, code, err);
}

static int connect_at(int path_fd, const char *name, int *fd, enum err_code code, struct err *err)
{
	_cleanup_free_ char *path = xasprintf("/proc/self/fd/%d", path_fd);

	return stream_connect_unix(path, name, fd, code, err);
}

/* The result of connecting in the child, apart from the descriptor. */
struct outcome {
	int status;
	struct err err;
};

struct request {
	enum err_code code;
	char name[PATH_MAX];
};

static int connect_aside(int path_fd, const char *question, struct buf *answer)
{
	const struct request *request = (const void *)question;
	struct outcome outcome = { 0 };
	int fd = -1;

	outcome.status = connect_at(path_fd, request->name, &fd, request->code, &outcome.err);
	buf_add(answer, &outcome, sizeof(outcome));
	return fd;
}

static int no_answer(const char *name, enum err_code code, struct err *err)
{
	return err_set(err, code, "cannot connect to '%s': %s", name, peer_why(ETIMEDOUT));
}

/* Connect in a child: the socket's file system may take long to answer. */
static int connect_slowly(int path_fd, const char *name, int *fd, enum err_code code,
			  struct err *err)
{
	_cleanup_buf_ struct buf answer = { 0 };
	struct request request = { .code = code };
	struct outcome outcome;

	memcpy(request.name, name, strnlen(name, sizeof(request.name) - 1));
	*fd = aside_ask(connect_aside, path_fd, &request, sizeof(request), &answer);
	if (answer.len != sizeof(outcome))
		return no_answer(name, code, err);
	memcpy(&outcome, answer.data, sizeof(outcome));
	if (outcome.status)
		*err = outcome.err;
	return outcome.status;
}

int peer_connect_at(pid_t pid, int path_fd, const char *name, int *fd, enum err_code code,
		    struct err *err)
{
	bool is_foreign = false;
	struct proc p;

	if (pid && proc_open(&p, pid)) {
		is_foreign = p.uid != geteuid();
		proc_close(&p);
	}
	return is_foreign ? connect_slowly(path_fd, name, fd, code, err)
			  : connect_at(path_fd, name, fd, code, err);
}

static int connect_path(pid_t pid, const char *path, int *fd, enum err_code code, struct err *err)
{
	int status, path_fd;

	if (!pid)
		return stream_connect_unix(path, path, fd, code, err);
	path_fd = peer_open_path(pid, path, O_PATH);
	if (path_fd < 0)
		return err_set(err, code, "cannot connect to '%s': %s", path, peer_why(errno));
	status = peer_connect_at(pid, path_fd, path, fd, code, err);
	close(path_fd);
	return status;
}

int peer_connect(pid_t pid, const struct address *address, int *fd, enum err_code code,
		 struct deadline *d, struct err *err)
{
	struct stream_maker maker = { stream_socket, &pid };

	if (address->kind == ADDRESS_TCP)
		return stream_connect_tcp(address, maker, fd, code, d, err);
	if (address->is_abstract)
		return peer_connect_abstract(pid, address->path + 1, fd, code, err);
	return connect_path(pid, address->path, fd, code, err);
}
