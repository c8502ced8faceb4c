/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One process, as /proc tells. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "proc.h"

#define PROGRAM_MAX (256 << 20) /* bytes of a program that are searched */

bool proc_open(struct proc *p, pid_t pid)
{
	_cleanup_free_ char *path = xasprintf("/proc/%d", (int)pid);
	struct stat st;

	*p = (struct proc){ .pid = pid, .directory = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC) };
	/* the owner of /proc/PID is the effective user of the process, dumpable or not */
	if (p->directory >= 0 && !fstat(p->directory, &st)) {
		p->uid = st.st_uid;
		return true;
	}
	proc_close(p);
	return false;
}

void proc_close(struct proc *p)
{
	if (p->directory >= 0)
		close(p->directory);
	p->directory = -1;
}

char *proc_link(const struct proc *p, const char *name)
{
	char target[PATH_MAX];
	ssize_t len = readlinkat(p->directory, name, target, sizeof(target));

	return len > 0 && (size_t)len < sizeof(target) ? xstrndup(target, (size_t)len) : NULL;
}

/* Append what there is to read; false on an error, and beyond @max_bytes. */
static bool read_all(int fd, size_t max_bytes, struct buf *bytes)
{
	size_t start = bytes->len;
	char chunk[16384];
	ssize_t n;

	while ((n = read(fd, chunk, sizeof(chunk))) > 0) {
		size_t room = max_bytes - (bytes->len - start);

		buf_add(bytes, chunk, (size_t)n < room ? (size_t)n : room);
		if ((size_t)n > room)
			return false;
	}
	return n == 0;
}

bool proc_read(const struct proc *p, const char *name, size_t max_bytes, struct buf *bytes)
{
	int fd = openat(p->directory, name, O_RDONLY | O_CLOEXEC);
	bool is_whole = fd >= 0 && read_all(fd, max_bytes, bytes);

	if (fd >= 0)
		close(fd);
	return is_whole;
}

pid_t proc_parent(const struct proc *p)
{
	_cleanup_buf_ struct buf text = { 0 };
	const char *after;
	int parent;

	if (!proc_read(p, "stat", 4096, &text))
		return 0;
	/* "PID (NAME) STATE PARENT ...", and the name may have anything in it (proc(5)) */
	after = strrchr(buf_text(&text), ')');
	if (!after || strlen(after) < 5)
		return 0;
	parent = atoi(after + 4);
	return parent > 0 ? parent : 0;
}

char *proc_program(const struct proc *p)
{
	static const char deleted[] = " (deleted)";
	_cleanup_free_ char *path = proc_link(p, "exe");
	const char *slash = path ? strrchr(path, '/') : NULL;
	size_t len = slash ? strlen(slash + 1) : 0, end = sizeof(deleted) - 1;

	if (!len)
		return NULL;
	if (len > end && !strcmp(slash + 1 + len - end, deleted))
		len -= end;
	return xstrndup(slash + 1, len);
}

/* Open a path below the process's own root, with links led there too; -1 when there is none. */
static int open_below(const struct proc *p, const char *start, const char *path)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT };
	int root = openat(p->directory, start, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd = root >= 0 ? (int)syscall(SYS_openat2, root, path, &how, sizeof(how)) : -1;

	if (root >= 0)
		close(root);
	return fd;
}

bool proc_read_file(const struct proc *p, const char *path, size_t max_bytes, struct buf *bytes)
{
	_cleanup_free_ char *cwd = path[0] == '/' ? NULL : proc_link(p, "cwd");
	_cleanup_free_ char *whole = cwd ? xasprintf("%s/%s", cwd, path) : xstrdup(path);
	_cleanup_free_ char *self = NULL;
	struct stat st;
	bool is_read = false;
	int found = whole[0] == '/' ? open_below(p, "root", whole) : -1, fd;

	if (found < 0)
		return false;
	/* opened for reading only once it is known to be no device and no pipe */
	self = xasprintf("/proc/self/fd/%d", found);
	if (!fstat(found, &st) && S_ISREG(st.st_mode) &&
	    (fd = open(self, O_RDONLY | O_CLOEXEC)) >= 0) {
		is_read = read_all(fd, max_bytes, bytes);
		close(fd);
	}
	close(found);
	return is_read;
}

bool proc_program_has(const struct proc *p, const char *text)
{
	int fd = openat(p->directory, "exe", O_RDONLY | O_CLOEXEC);
	size_t keep = strlen(text) - 1, have = 0, total = 0;
	static char chunk[1 << 16];
	bool is_there = false;
	ssize_t n;

	while (fd >= 0 && !is_there && total < PROGRAM_MAX &&
	       (n = read(fd, chunk + have, sizeof(chunk) - have)) > 0) {
		have += (size_t)n;
		total += (size_t)n;
		is_there = memmem(chunk, have, text, strlen(text));
		if (have > keep) {
			memmove(chunk, chunk + have - keep, keep);
			have = keep;
		}
	}
	if (fd >= 0)
		close(fd);
	return is_there;
}
