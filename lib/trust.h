/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * trust: can another user change a file, or put one in its place? Must never: open what it is
 * asked about.
 */
#ifndef LIB_TRUST_H
#define LIB_TRUST_H

#include <sys/stat.h>

#include "lib/err.h"

/*
 * trust_check_file() - the file at @path belongs to this user or to root, and neither it nor a
 * directory on the way to it, links included, can be changed by another user or a group. A sticky
 * directory counts as safe: others cannot exchange what it holds.
 * @what:	for messages: "config"
 * @path:	absolute
 * @st:		of the file that was opened there
 * Return: 0; -1 with ERR_USAGE and what to do
 */
int trust_check_file(const char *what, const char *path, const struct stat *st, struct err *err)
	__attribute__((warn_unused_result));

#endif
