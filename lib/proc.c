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

#include "lib/proc.h"

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
	_cleanup_free_ char *digits = NULL;
	const char *after;
	uint64_t parent;

	if (!proc_read(p, "stat", 4096, &text))
		return 0;
	/* "PID (NAME) STATE PARENT ...", and the name may have anything in it (proc(5)) */
	after = strrchr(buf_text(&text), ')');
	if (!after || strlen(after) < 5)
		return 0;
	digits = xstrndup(after + 4, strcspn(after + 4, " "));
	return parse_u64(digits, 10, &parent) && parent <= INT_MAX ? (pid_t)parent : 0;
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

/* Both links are told from the same root, whatever that is. */
char *proc_cwd(const struct proc *p)
{
	_cleanup_free_ char *root = proc_link(p, "root");
	char *cwd = proc_link(p, "cwd");
	size_t len = root ? strlen(root) : 0;
	const char *rest;

	if (!cwd || len < 2 || strncmp(cwd, root, len) != 0 || (cwd[len] && cwd[len] != '/'))
		return cwd;
	rest = cwd[len] ? cwd + len : "/";
	memmove(cwd, rest, strlen(rest) + 1);
	return cwd;
}

/* openat2(2), new in Linux 5.6, keeps to a directory as if it were the root (RESOLVE_IN_ROOT), or
 * does not leave it (RESOLVE_BENEATH). Where there is none, a link may lead elsewhere. */
static int open_within(int directory, const char *path, int flags, uint64_t resolve)
{
	struct open_how how = { .flags = (uint64_t)(flags | O_CLOEXEC), .resolve = resolve };
	long fd = syscall(SYS_openat2, directory, path, &how, sizeof(how));

	if (fd >= 0 || errno != ENOSYS)
		return (int)fd;
	path += strspn(path, "/");
	return openat(directory, *path ? path : ".", flags | O_CLOEXEC);
}

static int open_below(const struct proc *p, const char *start, const char *path, int flags,
		      uint64_t resolve)
{
	int directory = openat(p->directory, start, O_PATH | O_DIRECTORY | O_CLOEXEC), saved;
	int fd = directory >= 0 ? open_within(directory, path, flags, resolve) : -1;

	saved = errno;
	if (directory >= 0)
		close(directory);
	errno = saved;
	return fd;
}

/* A path that leaves the working directory, by ".." or by a link, starts anew at the root. */
static int open_relative(const struct proc *p, const char *path, int flags)
{
	_cleanup_free_ char *cwd = NULL;
	_cleanup_free_ char *whole = NULL;
	int fd = open_below(p, "cwd", path, flags, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS);

	if (fd >= 0 || errno != EXDEV)
		return fd;
	cwd = proc_cwd(p);
	whole = xasprintf("%s/%s", cwd ? cwd : "", path);
	return open_below(p, "root", whole, flags, RESOLVE_IN_ROOT);
}

int proc_open_path(const struct proc *p, const char *path, int flags)
{
	return path[0] == '/' ? open_below(p, "root", path, flags, RESOLVE_IN_ROOT)
			      : open_relative(p, path, flags);
}

bool proc_read_file(const struct proc *p, const char *path, size_t max_bytes, struct buf *bytes)
{
	int found = proc_open_path(p, path, O_PATH), fd;
	_cleanup_free_ char *self = NULL;
	struct stat st;
	bool is_read = false;

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
