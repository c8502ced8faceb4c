/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What --mem-path refers to. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "lib/aside.h"
#include "lib/peer.h"
#include "lib/proc.h"
#include "lib/size.h"
#include "lib/util.h"
#include "qemu/mem-path.h"

/* QEMU closes a backend's file a moment after it has reported the backend deleted or failed. */
#define CLOSE_MS 2000
#define ASK_MS	 10

/* The directory of a path's last component; the caller frees it. */
static char *directory_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return xstrdup(".");
	return slash == path ? xstrdup("/") : xstrndup(path, (size_t)(slash - path));
}

static const char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void read_medium(struct mem_path *out, const struct statfs *fs)
{
	uint64_t unit = fs->f_frsize ? (uint64_t)fs->f_frsize : (uint64_t)fs->f_bsize;

	out->free_bytes = fs->f_blocks ? fs->f_bavail * unit : UINT64_MAX;
	switch ((unsigned long)fs->f_type) {
	case HUGETLBFS_MAGIC:
		out->medium = MEDIUM_HUGE;
		out->page_bytes = (uint64_t)fs->f_bsize;
		break;
	case TMPFS_MAGIC:
	case RAMFS_MAGIC:
		out->medium = MEDIUM_MEMORY;
		break;
	default:
		out->medium = MEDIUM_DISK;
		break;
	}
}

/* Queries about a path's file system, which may never answer. */
struct question {
	pid_t pid;
	uint64_t size_bytes;
	char path[PATH_MAX];
};

static bool ask(aside_fn *fn, pid_t pid, const char *path, uint64_t size_bytes, struct buf *answer)
{
	struct question q = { .pid = pid, .size_bytes = size_bytes };

	if (strlen(path) >= sizeof(q.path))
		return false;
	memcpy(q.path, path, strlen(path));
	(void)aside_ask(fn, -1, &q, sizeof(q), answer);
	return answer->len;
}

static bool read_path(struct mem_path *out, pid_t pid, const char *path)
{
	_cleanup_free_ char *directory = directory_of(path);
	struct statfs fs;
	struct stat file;
	int fd = peer_open_path(pid, path, O_PATH);
	bool is_known;

	*out = (struct mem_path){ .is_there = fd >= 0 };
	if (fd < 0 && errno == ENOENT)
		fd = peer_open_path(pid, directory, O_PATH | O_DIRECTORY);
	if (fd < 0)
		return false;
	is_known = !fstatfs(fd, &fs) && !fstat(fd, &file);
	close(fd);
	if (!is_known)
		return false;
	read_medium(out, &fs);
	out->device = file.st_dev;
	out->is_directory = out->is_there && S_ISDIR(file.st_mode);
	if (out->is_there && S_ISREG(file.st_mode)) {
		out->file_bytes = (uint64_t)file.st_size;
		out->allocated_bytes = (uint64_t)file.st_blocks * 512;
	}
	return !out->is_there || S_ISREG(file.st_mode) || out->is_directory;
}

static int read_aside(int fd, const char *question, struct buf *answer)
{
	const struct question *q = (const void *)question;
	struct mem_path path;

	(void)fd;
	path.is_known = read_path(&path, q->pid, q->path);
	buf_add(answer, &path, sizeof(path));
	return -1;
}

bool mem_path_read(struct mem_path *out, pid_t pid, const char *path)
{
	_cleanup_buf_ struct buf answer = { 0 };

	*out = (struct mem_path){ 0 };
	if (!ask(read_aside, pid, path, 0, &answer))
		return false;
	memcpy(out, answer.data, sizeof(*out));
	return out->is_known;
}

static int refuse_read_only(const char *path, struct err *err)
{
	err_set(err, ERR_FAILED, "the file system of '%s' is read-only", path);
	return err_hint(err, "name another one with --mem-path");
}

/* Is the path in /dev? A file of memory there is a mistake: the name of a device that this machine
 * lacks. */
static bool is_in_dev(pid_t pid, const char *path)
{
	_cleanup_free_ char *directory = directory_of(path);
	int fd = peer_open_path(pid, directory, O_PATH | O_DIRECTORY);
	int dev = peer_open_path(pid, "/dev", O_PATH | O_DIRECTORY);
	struct stat ours, theirs;
	bool is_same = fd >= 0 && dev >= 0 && !fstat(fd, &ours) && !fstat(dev, &theirs) &&
		       ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino;

	if (fd >= 0)
		close(fd);
	if (dev >= 0)
		close(dev);
	return is_same;
}

static int check_place(pid_t pid, const char *path, struct err *err)
{
	if (!is_in_dev(pid, path))
		return 0;
	err_set(err, ERR_FAILED, "'%s' does not exist: QEMU would make a file among the devices",
		path);
	return err_hint(err, "name a directory or a file with --mem-path, such as /dev/shm");
}

/* There is no file: can one be created? */
static int check_new(pid_t pid, const char *path, struct err *err)
{
	_cleanup_free_ char *directory = directory_of(path);
	int fd = peer_open_path(pid, directory, O_PATH | O_DIRECTORY);
	struct stat link;
	struct statfs fs;
	bool is_link, is_read_only;

	if (fd < 0 && errno != ENOENT && errno != ENOTDIR)
		return 0;
	if (fd < 0) {
		err_set(err, ERR_FAILED, "QEMU sees no directory '%s'", directory);
		return err_hint(err, "make it, or name another one with --mem-path");
	}
	is_link = !fstatat(fd, name_of(path), &link, AT_SYMLINK_NOFOLLOW) && S_ISLNK(link.st_mode);
	is_read_only = !fstatfs(fd, &fs) && (fs.f_flags & ST_RDONLY);
	close(fd);
	if (is_link) {
		err_set(err, ERR_FAILED, "'%s' is a link to what is not there", path);
		return err_hint(err, "name the file itself with --mem-path: QEMU makes it");
	}
	return is_read_only ? refuse_read_only(path, err) : check_place(pid, path, err);
}

/* A file must have the right size, unless it is empty: then QEMU extends it to that size. */
static int check_size(const char *path, uint64_t file_bytes, uint64_t size_bytes, struct err *err)
{
	char has[SIZE_TEXT_MAX];

	if (!file_bytes || file_bytes >= size_bytes)
		return 0;
	err_set(err, ERR_FAILED, "the file '%s' has only %s", path, size_exact(has, file_bytes));
	return err_hint(err, "name another one with --mem-path");
}

/* The only devices that are memory are device DAX; their size is not that of a file (QEMU
 * util/mmap-alloc.c; Linux Documentation/driver-api/cxl, drivers/dax/device.c). */
static bool is_dax(const struct stat *file)
{
	_cleanup_free_ char *link = xasprintf("/sys/dev/char/%u:%u/subsystem", major(file->st_rdev),
					      minor(file->st_rdev));
	char target[PATH_MAX];
	ssize_t len = readlink(link, target, sizeof(target) - 1);

	target[len > 0 ? len : 0] = '\0';
	return S_ISCHR(file->st_mode) && !strcmp(name_of(target), "dax");
}

static const char *kind_of(mode_t mode)
{
	return S_ISCHR(mode)	? "a character device"
	       : S_ISBLK(mode)	? "a block device"
	       : S_ISSOCK(mode) ? "a socket"
				: "a pipe";
}

/* Check what is neither a file nor a directory. */
static int check_special(const char *path, const struct stat *file, struct err *err)
{
	if (is_dax(file))
		return 0;
	err_set(err, ERR_FAILED, "'%s' is %s, not a file of memory", path, kind_of(file->st_mode));
	return err_hint(err, "name a directory or a file with --mem-path, such as /dev/shm, or a "
			     "device DAX (/dev/daxX.Y)");
}

static int check_path(pid_t pid, const char *path, uint64_t size_bytes, struct err *err)
{
	int fd = peer_open_path(pid, path, O_PATH);
	struct stat file;
	struct statfs fs;
	bool is_known;

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? check_new(pid, path, err) : 0;
	is_known = !fstatfs(fd, &fs) && !fstat(fd, &file);
	close(fd);
	if (!is_known)
		return 0;
	if (!S_ISDIR(file.st_mode) && !S_ISREG(file.st_mode))
		return check_special(path, &file, err);
	if (fs.f_flags & ST_RDONLY)
		return refuse_read_only(path, err);
	if (S_ISDIR(file.st_mode))
		return 0;
	return check_place(pid, path, err) ||
			       check_size(path, (uint64_t)file.st_size, size_bytes, err)
		       ? -1
		       : 0;
}

/* The result of checking a path. */
struct checked {
	int status;
	struct err err;
};

static int check_aside(int fd, const char *question, struct buf *answer)
{
	const struct question *q = (const void *)question;
	struct checked checked = { 0 };

	(void)fd;
	checked.status = check_path(q->pid, q->path, q->size_bytes, &checked.err);
	buf_add(answer, &checked, sizeof(checked));
	return -1;
}

int mem_path_check(pid_t pid, const char *path, uint64_t size_bytes, struct err *err)
{
	_cleanup_buf_ struct buf answer = { 0 };
	struct checked checked;

	if (!ask(check_aside, pid, path, size_bytes, &answer)) {
		err_set(err, ERR_FAILED, "the file system of '%s' does not answer", path);
		return err_hint(err, "name another one with --mem-path");
	}
	memcpy(&checked, answer.data, sizeof(checked));
	if (checked.status)
		*err = checked.err;
	return checked.status;
}

/* The user as which a process creates files: the fourth of "Uid:" (proc_pid_status(5)). */
static bool read_file_user(pid_t pid, unsigned *uid)
{
	_cleanup_free_ char *ids = proc_status_text(pid, "Uid");

	return ids && sscanf(ids, "%*u %*u %*u %u", uid) == 1;
}

void mem_file_expect(struct mem_file *f, pid_t pid, const char *path, uint64_t size_bytes)
{
	_cleanup_free_ char *directory = directory_of(path);
	const char *name = name_of(path);
	struct stat there;
	unsigned uid;
	int fd;

	mem_file_free(f);
	if (!pid || !*name || !read_file_user(pid, &uid))
		return;
	fd = peer_open_path(pid, directory, O_PATH | O_DIRECTORY);
	if (fd < 0)
		return;
	if (!fstatat(fd, name, &there, AT_SYMLINK_NOFOLLOW) || errno != ENOENT) {
		close(fd);
		return;
	}
	*f = (struct mem_file){ .is_expected = true,
				.pid = pid,
				.uid = uid,
				.directory = fd,
				.name = xstrdup(name),
				.size_bytes = size_bytes };
}

/* Does the process have this file open? */
static bool has_open(pid_t pid, const struct stat *file)
{
	_cleanup_free_ char *path = xasprintf("/proc/%d/fd", (int)pid);
	DIR *directory = opendir(path);
	struct dirent *entry;
	bool found = false;

	while (directory && !found && (entry = readdir(directory))) {
		struct statx open;

		/* does not query the file system */
		found = !statx(dirfd(directory), entry->d_name, AT_STATX_DONT_SYNC, STATX_INO,
			       &open) &&
			makedev(open.stx_dev_major, open.stx_dev_minor) == file->st_dev &&
			open.stx_ino == file->st_ino;
	}
	if (directory)
		closedir(directory);
	return found;
}

/*
 * Does any other process have the file open? A write lease is granted only if none does (fcntl(2)).
 * If a process opens the file during the lease, the kernel sends SIGIO.
 */
static bool is_open_elsewhere(const struct mem_file *f, const struct stat *file)
{
	int fd = openat(f->directory, f->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct sigaction before, ignore = { .sa_handler = SIG_IGN };
	bool is_refused, is_known;

	sigaction(SIGIO, &ignore, &before);
	is_refused = fd < 0 || fcntl(fd, F_SETLEASE, F_WRLCK);
	is_known = fd >= 0 && (!is_refused || errno == EAGAIN);
	if (fd >= 0)
		close(fd);
	sigaction(SIGIO, &before, NULL);
	return is_known ? is_refused : has_open(f->pid, file);
}

/* Wait until @is_open returns false, as QEMU closes a file late; false if it stays open. */
static bool is_closed(const struct mem_file *f, const struct stat *file,
		      bool (*is_open)(const struct mem_file *f, const struct stat *file),
		      struct deadline *deadline)
{
	int64_t until_ms = deadline_within(deadline, CLOSE_MS);
	struct err ignored;

	while (is_open(f, file))
		if (monotonic_ms() >= until_ms ||
		    deadline_poll(deadline, NULL, 0, deadline_within(deadline, ASK_MS), &ignored))
			return false;
	return true;
}

static bool is_open_in_qemu(const struct mem_file *f, const struct stat *file)
{
	return has_open(f->pid, file);
}

void mem_file_identify(struct mem_file *f, bool is_in_use, struct deadline *deadline)
{
	struct stat file;

	if (!f->is_expected || f->is_made ||
	    fstatat(f->directory, f->name, &file, AT_SYMLINK_NOFOLLOW) || !S_ISREG(file.st_mode) ||
	    (uint64_t)file.st_size != f->size_bytes || file.st_nlink != 1 || file.st_uid != f->uid)
		return;
	f->is_made = is_in_use ? has_open(f->pid, &file)
			       : is_closed(f, &file, is_open_in_qemu, deadline);
	f->device = file.st_dev;
	f->inode = file.st_ino;
}

int mem_file_remove(struct mem_file *f, struct deadline *deadline, struct err *err)
{
	struct stat file;

	if (!f->is_made)
		return 0;
	f->is_made = false;
	if (fstatat(f->directory, f->name, &file, AT_SYMLINK_NOFOLLOW) ||
	    file.st_dev != f->device || file.st_ino != f->inode ||
	    !is_closed(f, &file, is_open_elsewhere, deadline) ||
	    !unlinkat(f->directory, f->name, 0))
		return 0;
	return err_set(err, ERR_PARTIAL, "the file '%s', which QEMU made, is left: %s", f->name,
		       strerror(errno));
}

void mem_file_clean_up(struct mem_file *f, struct deadline *deadline)
{
	struct err ignored;

	mem_file_identify(f, false, deadline);
	(void)!mem_file_remove(f, deadline, &ignored);
}

void mem_file_free(struct mem_file *f)
{
	if (f->is_expected)
		close(f->directory);
	free(f->name);
	*f = (struct mem_file){ 0 };
}
