/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * login: logging in on a console that asks for it, and out again. The login shell is root's, and a
 * variable in its environment marks it as memhp's: this memhp, or the next one after this one was
 * killed, logs it out.
 */
#ifndef GUEST_LOGIN_H
#define GUEST_LOGIN_H

#include <stdbool.h>

#include "lib/deadline.h"
#include "lib/err.h"
#include "lib/stream.h"

/* The variable that marks such a shell, and its value, which is as long as "go". */
#define LOGIN_MARK "MEMHP_IN"
#define LOGIN_OURS "in"

/*
 * Ends all unfinished input of the shell: its line editor's query for the cursor position (busybox
 * waits 20 ms for the answer), half a line, and then, with a syntax error outside quotes and inside
 * each kind of quotes, a command of several lines that waits for its end. That command must not be
 * executed, nor what follows become part of it. The error also ends a session that an earlier
 * memhp, or an earlier attempt, has left behind.
 */
#define CONSOLE_RESET "\033[1;1R\025 ;;;';;;\";;;`;;;"

/* The user to log in as, and whether memhp has logged in. Zero-initialise it. */
struct login {
	const char *user;	   /* NULL: do not log in; borrowed */
	const char *password_file; /* NULL: none; borrowed */
	char *password;		   /* from the environment, or NULL; owned */
	bool is_barred;		   /* do not log in, only see whether a shell is there */
	bool is_kept;		   /* another command will follow: stay logged in */
	bool is_in;		   /* the shell on the console was logged in by memhp */
};

/*
 * login_enter() - if the console asks for a user, log in, up to the prompt of a root shell. A
 * console with a shell is left as it is. The password is sent at most once, to a password prompt
 * that came after the user's name.
 * @w:		the console
 * @path:	its name, for messages
 * @id:		the session's id
 * Return: 0: a shell is there; 1: no answer within the deadline; -1, logged out again as far as
 * possible, with ERR_GUEST_UNREACHABLE (refused, no way to get the password, no
 * shell, no root), ERR_USAGE (bad user or password file), ERR_TIMEOUT or ERR_INTERRUPTED
 */
int login_enter(struct login *login, struct stream *w, const char *path, const char *id,
		struct deadline *d, struct err *err) __attribute__((warn_unused_result));

/* login_leave() - log out if login->is_in; takes a few seconds at most, whatever @d says */
void login_leave(struct login *login, struct stream *w, const char *id, const struct deadline *d);

/* login_wanted() - set the error that the console needs a login without a user given; returns -1 */
int login_wanted(const char *path, struct err *err);

void login_free(struct login *login);

#endif
