/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The lines typed at earlier prompts. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/history.h"
#include "lib/util.h"

#define FILE_MAX_BYTES (1 << 20) /* more is not read */

char *history_path(void)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");

	if (state && state[0] == '/')
		return xasprintf("%s/memhp/history", state);
	return home && home[0] == '/' ? xasprintf("%s/.local/state/memhp/history", home) : NULL;
}

static bool is_trusted(const struct stat *st)
{
	return st->st_uid == geteuid() || !st->st_uid;
}

/* Can others write to it? A user's own group, which has the user's number, is fine. */
static bool is_open(const struct stat *st)
{
	bool is_own_group = st->st_gid == getegid() && getegid() == geteuid();

	return st->st_mode & (S_IWOTH | (is_own_group ? 0 : S_IWGRP));
}

/* Is it a directory in which no other user can replace anything? In a sticky one, such as /tmp,
 * only the owner of a file or link can. */
static bool is_ours(const char *path)
{
	struct stat link, st;

	return !lstat(path, &link) && is_trusted(&link) && !stat(path, &st) && is_trusted(&st) &&
	       S_ISDIR(st.st_mode) && (!is_open(&st) || (st.st_mode & S_ISVTX));
}

/* Check the directory and its parents; each is created if missing. */
static bool is_safe(const char *directory)
{
	_cleanup_free_ char *path = xstrdup(directory);
	char *at = path;

	do {
		at = at[1] ? strchr(at + 1, '/') : NULL;
		if (at)
			*at = '\0';
		if ((mkdir(path, 0700) && errno != EEXIST) || !is_ours(path))
			return false;
		if (at)
			*at = '/';
	} while (at);
	return true;
}

/* Open the directory of the file, not through a link; -1 if others could change its contents. */
static int open_directory(const char *path)
{
	_cleanup_free_ char *directory = xstrndup(path, (size_t)(strrchr(path, '/') - path));
	struct stat st;
	int fd;

	if (!is_safe(directory))
		return -1;
	fd = open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0 && (fstat(fd, &st) || st.st_uid != geteuid())) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Is the opened file a regular one that only we can change? */
static bool is_private(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
	       st.st_nlink == 1 && !is_open(&st);
}

static void read_lines(int fd, void (*take)(const char *line))
{
	_cleanup_buf_ struct buf text = { 0 };
	char bytes[4096], *rest, *line;
	ssize_t n;

	while (text.len < FILE_MAX_BYTES && (n = read(fd, bytes, sizeof(bytes))) > 0)
		buf_add(&text, bytes, (size_t)n);
	for (rest = text.data; rest && (line = strsep(&rest, "\n"));)
		if (*line)
			take(line);
}

void history_load(const char *path, void (*take)(const char *line))
{
	int directory = open_directory(path), fd;

	if (directory < 0)
		return;
	fd = openat(directory, strrchr(path, '/') + 1,
		    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd >= 0 && is_private(fd))
		read_lines(fd, take);
	if (fd >= 0)
		close(fd);
	close(directory);
}

/* Write the lines to a new file. */
static bool write_lines(int fd, const char *(*next)(void))
{
	FILE *file = fdopen(fd, "w");
	const char *line;

	if (!file) {
		close(fd);
		return false;
	}
	fchmod(fd, S_IRUSR | S_IWUSR); /* despite the umask */
	while ((line = next()))
		fprintf(file, "%s\n", line);
	return !fclose(file);
}

void history_save(const char *path, const char *(*next)(void))
{
	const char *name = strrchr(path, '/') + 1;
	_cleanup_free_ char *fresh = xasprintf(".%s-%d", name, (int)getpid());
	int directory = open_directory(path), fd;

	if (directory < 0)
		return;
	unlinkat(directory, fresh, 0); /* left by a killed memhp with this pid */
	fd = openat(directory, fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd >= 0 && (!write_lines(fd, next) || renameat(directory, fresh, directory, name)))
		unlinkat(directory, fresh, 0);
	close(directory);
}
