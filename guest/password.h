/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * password: reads and wipes a password, which comes from the environment, a file that only its
 * owner can read, or the terminal. Must never: put one into a message, or leave one in memory that
 * it frees.
 */
#ifndef GUEST_PASSWORD_H
#define GUEST_PASSWORD_H

#include "lib/deadline.h"
#include "lib/err.h"

#define PASSWORD_SIZE 512 /* bytes with the NUL: PAM's maximum */

/*
 * password_take() - take a password out of the environment: programs started later do not inherit
 * it, and /proc does not show it Return: the text, which the caller gives to password_drop(); NULL
 * for none
 */
char *password_take(const char *variable);

/* password_drop() - wipe and free; NULL is allowed */
void password_drop(char *text);

/*
 * password_read() - read the first line of a file that belongs to this user and that no other user
 * can read
 * @text:	receives it
 * Return: 0; -1 with ERR_USAGE
 */
int password_read(char text[static PASSWORD_SIZE], const char *path, struct err *err)
	__attribute__((warn_unused_result));

/*
 * password_ask() - ask on the terminal, without echo
 * @question:	for a person to read; printable
 * Return: 0; -1 with ERR_GUEST_UNREACHABLE (no terminal, or nothing typed), ERR_TIMEOUT
 * or ERR_INTERRUPTED
 */
int password_ask(char text[static PASSWORD_SIZE], const char *question, struct deadline *d,
		 struct err *err) __attribute__((warn_unused_result));

/* password_check() - does a console pass it on unchanged? Return: 0; -1 with ERR_USAGE that names
 * @origin */
int password_check(const char *text, const char *origin, struct err *err)
	__attribute__((warn_unused_result));

#endif
