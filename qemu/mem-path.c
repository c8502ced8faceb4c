/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is behind --mem-path. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "lib/peer.h"
#include "lib/procfs.h"
#include "lib/size.h"
#include "lib/util.h"
#include "qemu/mem-path.h"

/* QEMU closes the file of a backend that failed a moment after it has said so. */
#define CLOSE_MS 2000
#define ASK_MS	 10

/* The directory that a path's last name is in; the caller frees it. */
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

bool mem_path_read(struct mem_path *out, pid_t pid, const char *path)
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
	out->is_directory = out->is_there && S_ISDIR(file.st_mode);
	if (out->is_there && S_ISREG(file.st_mode)) {
		out->file_bytes = (uint64_t)file.st_size;
		out->held_bytes = (uint64_t)file.st_blocks * 512;
	}
	return !out->is_there || S_ISREG(file.st_mode) || out->is_directory;
}

static int refuse_read_only(const char *path, struct err *err)
{
	err_set(err, ERR_FAILED, "the file system of '%s' is read-only", path);
	return err_hint(err, "name another one with --mem-path");
}

/* There is no file: can one be made? */
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
	return is_read_only ? refuse_read_only(path, err) : 0;
}

/* A file is as large as it is, unless it is empty: then QEMU makes it as large as the memory. */
static int check_size(const char *path, uint64_t file_bytes, uint64_t size_bytes, struct err *err)
{
	char has[SIZE_TEXT_MAX];

	if (!file_bytes || file_bytes >= size_bytes)
		return 0;
	err_set(err, ERR_FAILED, "the file '%s' has only %s", path, size_exact(has, file_bytes));
	return err_hint(err, "name another one with --mem-path");
}

int mem_path_check(pid_t pid, const char *path, uint64_t size_bytes, struct err *err)
{
	int fd = peer_open_path(pid, path, O_PATH);
	struct stat file;
	struct statfs fs;
	bool is_known;

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? check_new(pid, path, err) : 0;
	is_known = !fstatfs(fd, &fs) && !fstat(fd, &file) &&
		   (S_ISDIR(file.st_mode) || S_ISREG(file.st_mode));
	close(fd);
	if (!is_known)
		return 0;
	if (fs.f_flags & ST_RDONLY)
		return refuse_read_only(path, err);
	return S_ISREG(file.st_mode) ? check_size(path, (uint64_t)file.st_size, size_bytes, err)
				     : 0;
}

/* The user that a process makes files as: the fourth of "Uid:" (proc_pid_status(5)). */
static bool read_file_user(pid_t pid, unsigned *uid)
{
	_cleanup_free_ char *ids = procfs_text(pid, "Uid");

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

/* Has the process that very file open? */
static bool has_open(pid_t pid, const struct stat *file)
{
	_cleanup_free_ char *path = xasprintf("/proc/%d/fd", (int)pid);
	DIR *directory = opendir(path);
	struct dirent *entry;
	bool found = false;

	while (directory && !found && (entry = readdir(directory))) {
		struct stat open;

		found = !fstatat(dirfd(directory), entry->d_name, &open, 0) &&
			open.st_dev == file->st_dev && open.st_ino == file->st_ino;
	}
	if (directory)
		closedir(directory);
	return found;
}

/* Wait until QEMU has closed the file of a backend that failed; false: another one has it. */
static bool is_closed(const struct mem_file *f, const struct stat *file, struct deadline *deadline)
{
	int64_t until_ms = deadline_within(deadline, CLOSE_MS);
	struct err ignored;

	while (has_open(f->pid, file))
		if (monotonic_ms() >= until_ms ||
		    deadline_poll(deadline, NULL, 0, deadline_within(deadline, ASK_MS), &ignored))
			return false;
	return true;
}

void mem_file_identify(struct mem_file *f, bool is_in_use, struct deadline *deadline)
{
	struct stat file;

	if (!f->is_expected || f->is_made ||
	    fstatat(f->directory, f->name, &file, AT_SYMLINK_NOFOLLOW) || !S_ISREG(file.st_mode) ||
	    (uint64_t)file.st_size != f->size_bytes || file.st_nlink != 1 || file.st_uid != f->uid)
		return;
	f->is_made = is_in_use ? has_open(f->pid, &file) : is_closed(f, &file, deadline);
	f->device = file.st_dev;
	f->inode = file.st_ino;
}

int mem_file_remove(struct mem_file *f, struct err *err)
{
	struct stat file;

	if (!f->is_made)
		return 0;
	f->is_made = false;
	if (fstatat(f->directory, f->name, &file, AT_SYMLINK_NOFOLLOW) ||
	    file.st_dev != f->device || file.st_ino != f->inode ||
	    !unlinkat(f->directory, f->name, 0))
		return 0;
	return err_set(err, ERR_PARTIAL, "the file '%s', which QEMU made, is left: %s", f->name,
		       strerror(errno));
}

void mem_file_leave(struct mem_file *f, struct deadline *deadline)
{
	struct err ignored;

	mem_file_identify(f, false, deadline);
	(void)!mem_file_remove(f, &ignored);
}

void mem_file_free(struct mem_file *f)
{
	if (f->is_expected)
		close(f->directory);
	free(f->name);
	*f = (struct mem_file){ 0 };
}
