/* SPDX-License-Identifier: GPL-3.0-or-later */
/* kfile: text files in /proc and /sys. Must never: know what is in one. */
#ifndef LIB_KFILE_H
#define LIB_KFILE_H

/* kfile_read() - a whole file, 1 MiB at most; the caller frees it; NULL if it cannot be read */
char *kfile_read(const char *path);

/* kfile_line() - the value in a line "NAME: VALUE" of @text, borrowed up to the end of the line;
 * NULL for none */
const char *kfile_line(const char *text, const char *name);

#endif
