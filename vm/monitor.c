/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A connection to a QEMU monitor. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/owner.h"
#include "lib/peer.h"
#include "lib/tcp.h"
#include "lib/util.h"
#include "vm/monitor.h"

/* @path_fd: opened with O_PATH */
static int check_user(const struct qemu *qemu, const char *path, int path_fd, struct err *err)
{
	struct stat st;

	if (!peer_stat(path_fd, &st) || st.st_uid == qemu->uid || !st.st_uid)
		return 0;
	return err_set(err, ERR_QEMU_UNREACHABLE,
		       "the socket '%s' of VM %d belongs to another user (uid %u)", path,
		       (int)qemu->pid, (unsigned)st.st_uid);
}

static int belongs_to(const struct qemu *qemu, const char *address, pid_t other, struct err *err)
{
	_cleanup_free_ char *process = other ? owner_describe(other) : NULL;

	err_set(err, ERR_QEMU_UNREACHABLE,
		"the monitor '%s' belongs to another process%s%s%s, not to VM %d", address,
		process ? " (" : "", process ? process : "", process ? ")" : "", (int)qemu->pid);
	return err_hint(err,
			"VM %d cannot be reached there any more: give each VM a path of its own",
			(int)qemu->pid);
}

/* A QEMU that gave up root (-runas) listened as root; or another process listened for it. */
static int check_listener(const struct qemu *qemu, const struct address *address, int path_fd,
			  int fd, struct err *err)
{
	uid_t uid = 0;
	pid_t other = owner_of(fd, &uid);

	if (other == qemu->pid && (uid == qemu->uid || !uid))
		return 0;
	if ((path_fd >= 0 ? owner_listens(qemu->pid, path_fd)
			  : owner_listens_abstract(qemu->pid, address->path + 1)) == OWNER_YES)
		return 0;
	return belongs_to(qemu, address->text, other, err);
}

/* Set the error for a missing path: the kernel has it as QEMU gave it, relative or in its root at
 * the time. */
static int not_there(const struct qemu *qemu, const struct address *address, const char *why,
		     struct err *err)
{
	err_set(err, ERR_QEMU_UNREACHABLE, "cannot connect to '%s': %s", address->path, why);
	if (!sockets_at(&qemu->sockets, address))
		return err_hint(err, "VM %d does not listen there any more", (int)qemu->pid);
	return err_hint(err,
			"VM %d listens there, but its path has gone, or begins in a directory "
			"that QEMU has left (-daemonize): name its monitor with --qmp",
			(int)qemu->pid);
}

/* Connect to the path as @view, QEMU or this process, sees it. */
static int connect_path(const struct qemu *qemu, pid_t view, const struct address *address, int *fd,
			struct err *err)
{
	const char *path = address->path;
	int path_fd = peer_open_path(view, path, O_PATH), status;

	*fd = -1;
	if (path_fd < 0)
		return not_there(qemu, address, peer_why(errno), err);
	status = check_user(qemu, path, path_fd, err);
	if (!status)
		status = peer_connect_at(qemu->pid, path_fd, path, fd, ERR_QEMU_UNREACHABLE, err);
	if (!status && check_listener(qemu, address, path_fd, *fd, err)) {
		close(*fd);
		status = -1;
	}
	close(path_fd);
	return status;
}

/* If QEMU has changed its root since (-chroot), its path is one of this process. */
static int connect_unix(const struct qemu *qemu, const struct address *address, int *fd,
			struct err *err)
{
	struct err here;

	if (!connect_path(qemu, qemu->pid, address, fd, err) ||
	    !connect_path(qemu, getpid(), address, fd, &here))
		return 0;
	return -1;
}

/* In another network namespace the same name or port is another socket. */
static int connect_in_network(const struct qemu *qemu, const struct address *address, int *fd,
			      struct deadline *d, struct err *err)
{
	bool is_tcp = address->kind == ADDRESS_TCP;

	if (peer_connect(qemu->pid, address, fd, ERR_QEMU_UNREACHABLE, d, err)) {
		if (!peer_shares_network(qemu->pid)) {
			err_append(err, "VM %d is in another network namespace", (int)qemu->pid);
			if (geteuid())
				err_hint(err, "root can enter it: run memhp as root");
		}
		return -1;
	}
	if (is_tcp ? tcp_listens(qemu->pid, *fd) == OWNER_YES
		   : !check_listener(qemu, address, -1, *fd, err))
		return 0;
	close(*fd);
	return is_tcp ? belongs_to(qemu, address->text, 0, err) : -1;
}

int monitor_connect(struct qmp **out, const struct qemu *qemu, const struct address *address,
		    const struct trace *trace, struct deadline *deadline, struct err *err)
{
	bool is_path = address->kind == ADDRESS_UNIX && !address->is_abstract;
	int fd;

	if (is_path ? connect_unix(qemu, address, &fd, err)
		    : connect_in_network(qemu, address, &fd, deadline, err))
		return -1;
	*out = qmp_attach(fd, address->text, trace, deadline);
	qmp_set_peer(*out, qemu->pid);
	return 0;
}
