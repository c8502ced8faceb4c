/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which process is behind a socket or a pseudo-terminal. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
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
 * Call @match for each descriptor of a process, with the target of its link, until it returns
 * anything but -1, which is returned; -1 at the end.
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

static bool holds_socket(pid_t pid, unsigned long long inode)
{
	char target[64];

	snprintf(target, sizeof(target), "socket:[%llu]", inode);
	return find_fd(pid, is_target, target) == 1;
}

/* ---- UNIX sockets */

/* A socket's file: its inode, and the device that stat(2) has for it or that of its file system. */
struct file {
	uint32_t inode;
	uint32_t devices[2]; /* in the kernel's own way (include/linux/kdev_t.h) */
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

/* The socket that is looked for: by its file, or by its abstract name (unix(7)) where that is none.
 */
struct wanted {
	const struct file *file;
	const char *name;
};

static bool is_file(const struct file *file, const struct unix_diag_vfs *vfs)
{
	return vfs->udiag_vfs_ino == file->inode &&
	       (vfs->udiag_vfs_dev == file->devices[0] || vfs->udiag_vfs_dev == file->devices[1]);
}

/* Zeros may fill an abstract name up. */
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

/* The inode of the socket that a message tells of, when it is that one; else 0. */
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

/* Read the answers to a dump; returns that inode, 0 when there is none. */
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

/* The inode of the socket that listens, among those of the network namespace of @pid. The tables
 * of /proc would not do: a name with a line end in it writes lines of its own there. */
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

int owner_listens(pid_t pid, int path_fd)
{
	struct file file;
	struct wanted wanted = { .file = &file };
	unsigned inode;

	if (!identify(&file, path_fd, pid))
		return -1;
	inode = listening_inode(0, &wanted);
	if (!inode && !peer_shares_network(pid))
		inode = listening_inode(pid, &wanted);
	return inode ? holds_socket(pid, inode) : -1;
}

int owner_listens_abstract(pid_t pid, const char *name)
{
	const struct wanted wanted = { .name = name };
	unsigned inode = peer_shares_network(pid) ? 0 : listening_inode(pid, &wanted);

	if (!inode)
		inode = listening_inode(0, &wanted);
	return inode ? holds_socket(pid, inode) : -1;
}

/* ---- TCP */

/* A table of /proc/PID/net. */
static FILE *open_table(pid_t pid, const char *name)
{
	_cleanup_free_ char *path = pid ? xasprintf("/proc/%d/net/%s", (int)pid, name)
					: xasprintf("/proc/self/net/%s", name);

	return fopen(path, "re");
}

/* One end of a connection; an address of IPv4 is one of IPv6 too (RFC 4291, 2.5.5.2). */
struct end {
	unsigned char address[16];
	unsigned port;
};

static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

static struct end end_of(const struct sockaddr_storage *name)
{
	struct end end = { .port = 0 };

	if (name->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)name;

		memcpy(end.address, &in6->sin6_addr, 16);
		end.port = ntohs(in6->sin6_port);
	} else if (name->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)name;

		memcpy(end.address, mapped, 12);
		memcpy(end.address + 12, &in->sin_addr, 4);
		end.port = ntohs(in->sin_port);
	}
	return end;
}

/* "0100007F:1F90": each four bytes of the address are a number in this machine's order. */
static struct end read_end(const char *address, unsigned port)
{
	struct end end = { .port = port };
	size_t i, count = strlen(address) / 8;

	memcpy(end.address, mapped, sizeof(mapped));
	for (i = 0; i < count && i < 4; i++) {
		char word[9] = "";
		uint32_t bytes;

		memcpy(word, address + 8 * i, 8);
		bytes = (uint32_t)strtoul(word, NULL, 16);
		memcpy(end.address + (count == 1 ? 12 : 4 * i), &bytes, 4);
	}
	return end;
}

static bool is_same(const struct end *a, const struct end *b)
{
	return a->port == b->port && !memcmp(a->address, b->address, sizeof(a->address));
}

static bool is_any(const struct end *end)
{
	static const unsigned char zeros[16];

	return !memcmp(end->address, zeros, 16) ||
	       (!memcmp(end->address, mapped, 12) && !memcmp(end->address + 12, zeros, 4));
}

struct row {
	struct end local, remote;
	unsigned state;
	unsigned long long inode; /* 0 while nobody has accepted it */
};

static bool read_row(FILE *table, struct row *row)
{
	char line[256], local[33], remote[33];
	unsigned local_port, remote_port;

	while (fgets(line, sizeof(line), table)) {
		if (sscanf(line,
			   " %*d: %32[0-9A-F]:%x %32[0-9A-F]:%x %x %*x:%*x %*x:%*x %*x %*u %*d "
			   "%llu",
			   local, &local_port, remote, &remote_port, &row->state, &row->inode) != 6)
			continue;
		row->local = read_end(local, local_port);
		row->remote = read_end(remote, remote_port);
		return true;
	}
	return false;
}

/* Call @match for the rows of both tables until it returns anything but -1, which is returned. */
typedef int row_match_fn(pid_t pid, const struct row *row, const struct end *ends);
static int find_row(pid_t table_pid, pid_t pid, row_match_fn *match, const struct end *ends)
{
	static const char *const names[] = { "tcp", "tcp6" };
	int found = -1;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names) && found < 0; i++) {
		FILE *table = open_table(table_pid, names[i]);
		struct row row;

		while (table && found < 0 && read_row(table, &row))
			found = match(pid, &row, ends);
		if (table)
			fclose(table);
	}
	return found;
}

static int listens_there(pid_t pid, const struct row *row, const struct end *ends)
{
	if (row->state != TCP_LISTEN || !is_same(&row->local, &ends[0]))
		return -1;
	return holds_socket(pid, row->inode);
}

static int listens_anywhere(pid_t pid, const struct row *row, const struct end *ends)
{
	if (row->state != TCP_LISTEN || row->local.port != ends[0].port || !is_any(&row->local) ||
	    !holds_socket(pid, row->inode))
		return -1;
	return 1;
}

static int is_other_end(pid_t pid, const struct row *row, const struct end *ends)
{
	if (row->state != TCP_ESTABLISHED || !row->inode || !is_same(&row->local, &ends[0]) ||
	    !is_same(&row->remote, &ends[1]))
		return -1;
	return holds_socket(pid, row->inode);
}

/* The far end of a connection, and the near one. */
static bool ends_of(int fd, struct end *ends)
{
	struct sockaddr_storage name = { 0 };
	socklen_t len = sizeof(name);

	if (getpeername(fd, (struct sockaddr *)&name, &len))
		return false;
	ends[0] = end_of(&name);
	len = sizeof(name);
	if (getsockname(fd, (struct sockaddr *)&name, &len))
		return false;
	ends[1] = end_of(&name);
	return ends[0].port && ends[1].port;
}

int owner_listens_tcp(pid_t pid, int fd)
{
	struct end ends[2];
	int found;

	if (!ends_of(fd, ends))
		return -1;
	/* who listens at the very address comes before who listens at all of them */
	found = find_row(pid, pid, listens_there, ends);
	return found >= 0 ? found : find_row(pid, pid, listens_anywhere, ends);
}

bool owner_has_accepted(pid_t pid, int fd)
{
	struct end ends[2];

	return ends_of(fd, ends) && find_row(0, pid, is_other_end, ends) == 1;
}

/* ---- pseudo-terminals */

/* Is it the end of a pty that a terminal emulator has, and of that number? (proc(5): tty-index) */
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

/* The number of that descriptor in its process. */
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

/* A descriptor of another process, in case it still is the end of a pty (device 5:2) by now. */
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
