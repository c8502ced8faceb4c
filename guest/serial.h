/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * serial: a root shell on a console (UNIX socket, pty, tty): gets past prompt, echo and line
 * editing to a quiet child shell that reads guest.sh, then leaves the console as it was.
 */
#ifndef GUEST_SERIAL_H
#define GUEST_SERIAL_H

#include <stdbool.h>
#include <termios.h>

#include "guest/login.h"
#include "lib/deadline.h"
#include "lib/err.h"
#include "lib/stream.h"

/* The near end of a console; zero-initialise it. */
struct serial {
	bool has_modes;	      /* it is a terminal on this machine */
	struct termios modes; /* as found */
};

/*
 * serial_open() - start a quiet child shell on the console. A last frame says that it has ended and
 * the terminal's modes are restored.
 * @w:		receives the open stream; serial_close() releases it
 * @path:	a UNIX socket or a tty
 * @opener:	opens it
 * @id:		the session's id; the child has it in $MEMHP
 * @login:	the user to log in as if the console asks for it; the caller calls login_leave()
 * Return: 0; -1 with ERR_GUEST_UNREACHABLE (cannot open, no answer, a login prompt), or the errors
 * of login_enter()
 */
int serial_open(struct serial *serial, struct stream *w, const char *path,
		struct stream_opener opener, const char *id, struct login *login,
		struct deadline *d, struct err *err) __attribute__((warn_unused_result));

/*
 * serial_write() - send a line that the child answers, so that it does not linger in the console's
 * receiver
 * @line:	with its line end
 */
int serial_write(struct stream *w, const char *line, struct deadline *d, struct err *err)
	__attribute__((warn_unused_result));

/* serial_close() - restore a terminal's modes, release the stream; harmless when not open */
void serial_close(struct serial *serial, struct stream *w);

#endif
