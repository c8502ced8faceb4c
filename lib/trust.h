/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * trust: can another user change or replace a file? Must never: open the file.
 */
#ifndef LIB_TRUST_H
#define LIB_TRUST_H

#include <sys/stat.h>

#include "lib/err.h"

/*
 * trust_check_file() - check that the file at @path belongs to this user or to root, and that no
 * other user or group can change it or a directory or link on the way to it. A sticky directory
 * counts as safe: others cannot replace what it holds.
 * @what:	for messages: "config"
 * @path:	absolute
 * @st:		of the opened file
 * Return: 0; -1 with ERR_USAGE and what to do
 */
int trust_check_file(const char *what, const char *path, const struct stat *st, struct err *err)
	__attribute__((warn_unused_result));

#endif
