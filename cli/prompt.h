/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * prompt: lines that a person types, edited by readline, while another descriptor is watched. Must
 * never: know what a line means.
 */
#ifndef CLI_PROMPT_H
#define CLI_PROMPT_H

#include <stdbool.h>

#include "lib/deadline.h"
#include "lib/err.h"

/* What a prompt needs from its caller; all borrowed. */
struct prompt_user {
	int fd;	       /* watched beside the keyboard; -1: nothing */
	bool has_news; /* call ready() even if fd is not readable */
	/* prints news above the prompt, whose text may change */
	void (*ready)(void *context);
	/* the prompt's text, printable; prompt_line() frees it */
	char *(*text)(void *context);
	/*
	 * offers, with prompt_offer(), the possible words at the cursor
	 * @before:	the line up to @word, the word at the cursor
	 * Return: true if a file name is possible there as well
	 */
	bool (*complete)(void *context, const char *before, const char *word);
	void *context;
};

/* prompt_start() - read the history at @path (may be NULL); @name is the program's name in
 * ~/.inputrc
 */
void prompt_start(const char *name, const char *path);

/* prompt_finish() - write the history, unless another user could touch it */
void prompt_finish(const char *path);

/*
 * prompt_line() - let a person type a line
 * @line:	receives it, which the caller frees; NULL at the end of input
 * Return: 0; -1 with ERR_INTERRUPTED if the process is told to end (Ctrl-C only clears the line)
 */
int prompt_line(const struct prompt_user *user, struct deadline *d, char **line, struct err *err)
	__attribute__((warn_unused_result));

/* prompt_offer() - during complete(): offer @word, which is copied, if it is printable */
void prompt_offer(const char *word);

#endif
