/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which process is behind a UNIX socket or a pseudo-terminal. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "lib/mount.h"
#include "lib/owner.h"
#include "lib/peer.h"
#include "lib/proc.h"
#include "lib/text.h"
#include "lib/util.h"

#define COMM_BYTES   64
#define FDINFO_BYTES 4096
#define DUMP_BYTES   (1 << 15) /* of one message of sock_diag(7), at most 32 KiB */

pid_t owner_of(int fd, uid_t *uid)
{
	struct ucred credentials;
	socklen_t len = sizeof(credentials);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &len))
		return 0;
	*uid = credentials.uid;
	return credentials.pid;
}

char *owner_describe(pid_t pid)
{
	_cleanup_buf_ struct buf text = { 0 };
	struct proc p;
	char *name;

	if (!pid)
		return xstrdup("of another pid namespace");
	if (proc_open(&p, pid)) {
		proc_read(&p, "comm", COMM_BYTES, &text);
		proc_close(&p);
	}
	buf_add(&text, "", 1);
	name = text.data;
	name[strcspn(name, "\n")] = '\0';
	printable(name);
	return *name ? xasprintf("pid %d, '%s'", (int)pid, name) : xasprintf("pid %d", (int)pid);
}

/*
 * Call @match for each descriptor of a process, with its link's target, until it returns something
 * other than -1, and return that; -1 at the end.
 */
typedef int fd_match_fn(const struct proc *p, const char *name, const char *target,
			const void *context);
static int find_below(const struct proc *p, fd_match_fn *match, const void *context)
{
	int list = openat(p->directory, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC), found = -1;
	DIR *directory = list >= 0 ? fdopendir(list) : NULL;
	struct dirent *entry;

	while (directory && found < 0 && (entry = readdir(directory))) {
		char target[64];
		ssize_t len = readlinkat(list, entry->d_name, target, sizeof(target) - 1);

		if (len <= 0)
			continue;
		target[len] = '\0';
		found = match(p, entry->d_name, target, context);
	}
	if (directory)
		closedir(directory);
	else if (list >= 0)
		close(list);
	return found;
}

static int find_fd(pid_t pid, fd_match_fn *match, const void *context)
{
	struct proc p;
	int found;

	if (!proc_open(&p, pid))
		return -1;
	found = find_below(&p, match, context);
	proc_close(&p);
	return found;
}

static int is_target(const struct proc *p, const char *name, const char *target,
		     const void *context)
{
	(void)p, (void)name;
	return strcmp(target, context) ? -1 : 1;
}

bool owner_holds_socket(pid_t pid, unsigned long long inode)
{
	char target[64];

	snprintf(target, sizeof(target), "socket:[%llu]", inode);
	return find_fd(pid, is_target, target) == 1;
}

/* ---- UNIX sockets */

/* A socket's file: its inode, and its device according to stat(2) or that of its file system. */
struct file {
	uint32_t inode;
	uint32_t devices[2]; /* in the kernel's encoding (include/linux/kdev_t.h) */
};

static uint32_t kernel_device(dev_t device)
{
	return (uint32_t)(major(device) << 20 | minor(device));
}

static bool identify(struct file *file, int path_fd, pid_t pid)
{
	struct stat st;
	dev_t device;

	if (!peer_stat(path_fd, &st))
		return false;
	if (!mount_device(path_fd, pid, &device))
		device = st.st_dev;
	*file = (struct file){ (uint32_t)st.st_ino,
			       { kernel_device(st.st_dev), kernel_device(device) } };
	return true;
}

/* The socket to find: by its file, or without one by its abstract name (unix(7)). */
struct wanted {
	const struct file *file;
	const char *name;
};

static bool is_file(const struct file *file, const struct unix_diag_vfs *vfs)
{
	return vfs->udiag_vfs_ino == file->inode &&
	       (vfs->udiag_vfs_dev == file->devices[0] || vfs->udiag_vfs_dev == file->devices[1]);
}

/* Zeros may pad an abstract name. */
static bool is_name(const char *name, const char *bytes, size_t len)
{
	size_t name_len = strlen(name), i;

	if (len < name_len + 1 || bytes[0] || memcmp(bytes + 1, name, name_len) != 0)
		return false;
	for (i = name_len + 1; i < len; i++)
		if (bytes[i])
			return false;
	return true;
}

static bool is_wanted(const struct wanted *wanted, const struct nlattr *attribute)
{
	const void *value = attribute + 1;
	size_t len = attribute->nla_len - sizeof(*attribute);

	return wanted->file
		       ? attribute->nla_type == UNIX_DIAG_VFS &&
				 len >= sizeof(struct unix_diag_vfs) && is_file(wanted->file, value)
		       : attribute->nla_type == UNIX_DIAG_NAME && is_name(wanted->name, value, len);
}

/* The inode of the socket in a message if it is the wanted one; else 0. */
static unsigned inode_in(const struct nlmsghdr *header, const struct wanted *wanted)
{
	const struct unix_diag_msg *message = NLMSG_DATA(header);
	const struct nlattr *attribute = (const void *)(message + 1);
	long left = (long)header->nlmsg_len - NLMSG_LENGTH(sizeof(*message));

	while (left >= (long)sizeof(*attribute) && attribute->nla_len >= sizeof(*attribute) &&
	       attribute->nla_len <= left) {
		if (is_wanted(wanted, attribute))
			return message->udiag_ino;
		left -= NLA_ALIGN(attribute->nla_len);
		attribute = (const void *)((const char *)attribute + NLA_ALIGN(attribute->nla_len));
	}
	return 0;
}

/* Read the answers to a dump; returns the wanted socket's inode, 0 for none. */
static unsigned read_dump(int fd, const struct wanted *wanted)
{
	char *bytes = xcalloc(DUMP_BYTES, 1);
	unsigned inode = 0;
	bool is_over = false;
	ssize_t n;

	while (!inode && !is_over && (n = recv(fd, bytes, DUMP_BYTES, 0)) > 0) {
		const struct nlmsghdr *header = (const void *)bytes;
		unsigned left = (unsigned)n;

		for (; !inode && NLMSG_OK(header, left); header = NLMSG_NEXT(header, left)) {
			is_over = header->nlmsg_type != SOCK_DIAG_BY_FAMILY;
			if (is_over)
				break;
			inode = inode_in(header, wanted);
		}
	}
	free(bytes);
	return inode;
}

/* The inode of the wanted listening socket in the network namespace of @pid. Not from the tables in
 * /proc, where a socket name with a line end can forge lines. */
static unsigned listening_inode(pid_t pid, const struct wanted *wanted)
{
	struct {
		struct nlmsghdr header;
		struct unix_diag_req request;
	} dump = { .header = { .nlmsg_len = sizeof(dump),
			       .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			       .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		   .request = { .sdiag_family = AF_UNIX,
				.udiag_states = 1 << TCP_LISTEN,
				.udiag_show = UDIAG_SHOW_VFS | UDIAG_SHOW_NAME } };
	int fd = peer_socket(pid, AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG);
	unsigned inode = 0;

	if (fd < 0)
		return 0;
	if (send(fd, &dump, sizeof(dump), 0) == (ssize_t)sizeof(dump))
		inode = read_dump(fd, wanted);
	close(fd);
	return inode;
}

static enum owner_answer answer(pid_t pid, unsigned inode)
{
	if (!inode)
		return OWNER_UNKNOWN;
	return owner_holds_socket(pid, inode) ? OWNER_YES : OWNER_NO;
}

enum owner_answer owner_listens(pid_t pid, int path_fd)
{
	struct file file;
	struct wanted wanted = { .file = &file };
	unsigned inode;

	if (!identify(&file, path_fd, pid))
		return OWNER_UNKNOWN;
	inode = listening_inode(0, &wanted);
	if (!inode && !peer_shares_network(pid))
		inode = listening_inode(pid, &wanted);
	return answer(pid, inode);
}

enum owner_answer owner_listens_abstract(pid_t pid, const char *name)
{
	const struct wanted wanted = { .name = name };
	unsigned inode = peer_shares_network(pid) ? 0 : listening_inode(pid, &wanted);

	if (!inode)
		inode = listening_inode(0, &wanted);
	return answer(pid, inode);
}

/* ---- pseudo-terminals */

/* Is it a pty's master, with that number? (proc(5): tty-index) */
static bool is_master(const struct proc *p, const char *name, const char *target, unsigned number)
{
	const char *slash = strrchr(target, '/'), *line;
	_cleanup_free_ char *path = xasprintf("fdinfo/%s", name);
	_cleanup_buf_ struct buf text = { 0 };
	unsigned index;

	if (!slash || strcmp(slash, "/ptmx") != 0 || !proc_read(p, path, FDINFO_BYTES, &text))
		return false;
	line = strstr(buf_text(&text), "tty-index:");
	return line && sscanf(line, "tty-index: %u", &index) == 1 && index == number;
}

/* The descriptor number of the pty's master in its process. */
static int find_master(const struct proc *p, const char *name, const char *target,
		       const void *context)
{
	const unsigned *number = context;
	uint64_t fd;

	return is_master(p, name, target, *number) && parse_u64(name, 10, &fd) ? (int)fd : -1;
}

bool owner_holds_pty(pid_t pid, unsigned number)
{
	return find_fd(pid, find_master, &number) >= 0;
}

/* Copy a descriptor from another process if it still is a pty's master (device 5:2). */
static int borrow_master(int process, int theirs)
{
	int fd = (int)syscall(SYS_pidfd_getfd, process, theirs, 0);
	struct stat st;

	if (fd < 0 || (!fstat(fd, &st) && S_ISCHR(st.st_mode) && st.st_rdev == makedev(5, 2)))
		return fd;
	close(fd);
	errno = ENOENT;
	return -1;
}

int owner_open_pty(pid_t pid, unsigned number)
{
	int process = (int)syscall(SYS_pidfd_open, pid, 0), fd = -1, saved;
	int theirs = find_fd(pid, find_master, &number);
	int master = theirs >= 0 && process >= 0 ? borrow_master(process, theirs) : -1;

	if (master >= 0)
		fd = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	saved = theirs < 0 ? ENOENT : errno;
	if (process >= 0)
		close(process);
	if (master >= 0)
		close(master);
	errno = saved;
	return fd;
}
