/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * screen: what the last line on a console waits for, despite colours and kernel messages in it.
 * Must never: read beyond what it is given.
 */
#ifndef GUEST_SCREEN_H
#define GUEST_SCREEN_H

#include <stddef.h>

enum console_wait {
	CONSOLE_NOTHING, /* no line has begun, or a kernel message is incomplete */
	CONSOLE_TEXT,	 /* a line has begun and is none of those below */
	CONSOLE_SHELL,	 /* it ends as shell prompts do: # $ % > */
	CONSOLE_NAME,	 /* "login:" */
	CONSOLE_PASSWORD,
	CONSOLE_CHANGE, /* a new password, after the old one expired */
};

/*
 * console_wait() - what the end of @text waits for
 * @text:	what the console has shown; any bytes
 */
enum console_wait console_wait(const char *text, size_t len);

#endif
