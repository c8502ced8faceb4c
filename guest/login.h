/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * login: logging in on a console that asks for it, and out again. What is logged in is a
 * shell of root's whose environment says that it is memhp's: whoever finds it, this memhp or one
 * after it was killed, logs it out.
 */
#ifndef GUEST_LOGIN_H
#define GUEST_LOGIN_H

#include <stdbool.h>

#include "lib/deadline.h"
#include "lib/err.h"
#include "lib/stream.h"

/* The variable of such a shell, and its value, which has as many letters as "go". */
#define LOGIN_MARK "MEMHP_IN"
#define LOGIN_OURS "in"

/*
 * Ends whatever the shell has been given so far: its line editor's question where the cursor is
 * (busybox waits 20 ms for the answer to it), half a line, and then, with a syntax error outside
 * of quotes and inside of each kind, a command of several lines that waits for its end. It must
 * not be executed, and what follows must not become a part of it. A session that an earlier memhp
 * has left behind, or an earlier attempt of this one, ends of that error.
 */
#define CONSOLE_RESET "\033[1;1R\025 ;;;';;;\";;;`;;;"

/* Who may log in, and whether a memhp has. Zero-initialise it. */
struct login {
	const char *user;	   /* NULL: nobody; borrowed */
	const char *password_file; /* NULL: none; borrowed */
	char *password;		   /* from the environment, or NULL; owned */
	bool is_barred;		   /* do not log in, only see whether somebody is */
	bool is_kept;		   /* another command will follow: stay logged in */
	bool is_in;		   /* the shell on the console is one that a memhp logged in */
};

/*
 * login_enter() - where the console asks for a user, log in, up to the prompt of a shell of root's.
 * A console with a shell is left as it is. The password is sent once at most, to a prompt for one
 * that came after the user's name.
 * @w:		the console
 * @path:	its name, for messages
 * @id:		the session's id
 * Return: 0: a shell is there; 1: nobody answers, as far as the deadline lets wait; -1, logged out
 * again as far as possible, with ERR_GUEST_UNREACHABLE (refused, no way to get the password, no
 * shell, no root), ERR_USAGE (bad user or password file), ERR_TIMEOUT or ERR_INTERRUPTED
 */
int login_enter(struct login *login, struct stream *w, const char *path, const char *id,
		struct deadline *d, struct err *err) __attribute__((warn_unused_result));

/* login_leave() - log out, when login->is_in; not longer than a few seconds, whatever @d says */
void login_leave(struct login *login, struct stream *w, const char *id, const struct deadline *d);

/* login_wanted() - the error that the console asks for a login, and nobody may log in; returns -1
 */
int login_wanted(const char *path, struct err *err);

void login_free(struct login *login);

#endif
