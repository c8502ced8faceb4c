/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * password: a password on its way through memhp: from the environment, a file that only its owner
 * can read, or the terminal. Must never: put one into a message, or leave one in memory that it
 * gives up.
 */
#ifndef GUEST_PASSWORD_H
#define GUEST_PASSWORD_H

#include "lib/deadline.h"
#include "lib/err.h"

#define PASSWORD_SIZE 512 /* bytes, with the NUL: PAM takes no longer ones */

/*
 * password_take() - take a password out of the environment: no program that is started later has
 * it, and /proc does not show it
 * Return: the text, which the caller gives to password_drop(); NULL for none
 */
char *password_take(const char *variable);

/* password_drop() - wipe and free; NULL is fine */
void password_drop(char *text);

/*
 * password_read() - the first line of a file that belongs to this user and that nobody else can
 * read
 * @text:	receives it
 * Return: 0; -1 with ERR_USAGE
 */
int password_read(char text[static PASSWORD_SIZE], const char *path, struct err *err)
	__attribute__((warn_unused_result));

/*
 * password_ask() - ask on the terminal, without echo
 * @question:	for a person to read; printable
 * Return: 0; -1 with ERR_GUEST_UNREACHABLE (there is no terminal, nothing was typed), ERR_TIMEOUT
 * or ERR_INTERRUPTED
 */
int password_ask(char text[static PASSWORD_SIZE], const char *question, struct deadline *d,
		 struct err *err) __attribute__((warn_unused_result));

/* password_check() - is it one that a console takes as it is? Return: 0; -1 with ERR_USAGE that
 * names @origin */
int password_check(const char *text, const char *origin, struct err *err)
	__attribute__((warn_unused_result));

#endif
