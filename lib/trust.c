/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Can another user change a file? */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/trust.h"
#include "lib/util.h"
#include "lib/text.h"

/* The owner of / can do anything; in a user namespace that is not uid 0. */
static bool is_trusted(uid_t uid)
{
	struct stat root;

	return uid == geteuid() || !uid || (!lstat("/", &root) && uid == root.st_uid);
}

static bool can_others_write(const struct stat *st)
{
	if (S_ISLNK(st->st_mode) || (S_ISDIR(st->st_mode) && (st->st_mode & S_ISVTX)))
		return false;
	return st->st_mode & (S_IWGRP | S_IWOTH);
}

/* @part: @path itself, or a directory on the way to it */
static int check_part(const char *what, const char *path, const char *part, const struct stat *st,
		      struct err *err)
{
	_cleanup_free_ char *quoted = NULL;
	_cleanup_free_ char *way =
		strcmp(path, part) ? xasprintf("%s, on the way to it,", part) : xstrdup("it");

	if (!is_trusted(st->st_uid))
		return err_set(err, ERR_USAGE, "%s '%s': %s belongs to another user (uid %u)", what,
			       path, way, (unsigned)st->st_uid);
	if (!can_others_write(st))
		return 0;
	err_set(err, ERR_USAGE, "%s '%s': %s can be changed by others (mode %04o)", what, path, way,
		(unsigned)st->st_mode & 07777);
	quoted = text_quoted(part);
	return quoted ? err_hint(err, "restrict it: chmod go-w %s", quoted) : -1;
}

/* Check each directory and link on @way. */
static int check_way(const char *what, const char *path, const char *way, struct err *err)
{
	const char *slash;

	for (slash = way; slash; slash = strchr(slash + 1, '/')) {
		_cleanup_free_ char *part = xstrndup(way, slash == way ? 1 : (size_t)(slash - way));
		struct stat st;

		if (lstat(part, &st))
			return err_set(err, ERR_USAGE, "cannot read '%s': %s: %s", path, part,
				       strerror(errno));
		if (check_part(what, path, part, &st, err))
			return -1;
	}
	return 0;
}

int trust_check_file(const char *what, const char *path, const struct stat *st, struct err *err)
{
	_cleanup_free_ char *real = realpath(path, NULL);
	struct stat there, link;

	if (check_part(what, path, path, st, err) || check_way(what, path, path, err))
		return -1;
	/* a link can be trusted if its owner and its target's way can */
	if (lstat(path, &link) || check_part(what, path, path, &link, err))
		return -1;
	if (!real || lstat(real, &there) || there.st_dev != st->st_dev ||
	    there.st_ino != st->st_ino)
		return err_set(err, ERR_USAGE, "%s '%s' was replaced while memhp read it", what,
			       path);
	return check_way(what, path, real, err);
}
