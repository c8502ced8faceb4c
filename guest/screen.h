/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * screen: what the last line on a console waits for, whatever colours and kernel messages there
 * are in it. Must never: read beyond what it is given.
 */
#ifndef GUEST_SCREEN_H
#define GUEST_SCREEN_H

#include <stddef.h>

enum console_wait {
	CONSOLE_NOTHING, /* no line has begun, or a kernel message has not ended */
	CONSOLE_TEXT,	 /* a line that has begun, and is none of those below */
	CONSOLE_SHELL,	 /* it ends as the prompts of shells do: # $ % > */
	CONSOLE_NAME,	 /* "login:" */
	CONSOLE_PASSWORD,
	CONSOLE_CHANGE, /* a new password, as for one that has expired */
};

/*
 * console_wait() - what the end of @text waits for
 * @text:	what the console has shown; any bytes
 */
enum console_wait console_wait(const char *text, size_t len);

#endif
