/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * cmdline: what the command line of a QEMU process says about how it can be reached. It is only
 * read, never believed: whoever uses an address checks who is behind it.
 * May call: err, util. Must never: open anything.
 */
#ifndef CMDLINE_H
#define CMDLINE_H

#include <stddef.h>

#define CMDLINE_MONITORS_MAX 8 /* more are passed over */

struct cmdline {
	char *name;   /* -name, printable; NULL for none */
	char *memory; /* -m as it was written, printable; NULL for none */
	char *serial; /* "serial:PATH" of the first -serial that is a UNIX socket; NULL for none */
	char *ssh;    /* "ssh:root@HOST:PORT" forwarded to the guest's port 22; NULL for none */
	char *monitors[CMDLINE_MONITORS_MAX]; /* "/PATH" or "tcp:HOST:PORT", in their order */
	unsigned monitors_count;
};

/*
 * cmdline_parse() - read words that each end in a NUL byte, as in /proc/PID/cmdline
 * @bytes:	@len bytes; the last word may lack its NUL
 * @cwd:	where relative paths begin; NULL: sockets with such paths are left out
 * @line:	filled in; the caller releases it
 */
void cmdline_parse(struct cmdline *line, const char *bytes, size_t len, const char *cwd);

void cmdline_release(struct cmdline *line);

#endif
