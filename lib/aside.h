/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * aside: questions to the kernel whose answer another process can delay as long as it likes: about
 * its memory (mmap_lock) or its file system (FUSE, NFS). A child process asks them, so that none
 * outlasts the deadline. Must never: change anything.
 */
#ifndef LIB_ASIDE_H
#define LIB_ASIDE_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/deadline.h"
#include "lib/util.h"

/* aside_limit() - set the deadline for all of them, with Ctrl-C; borrowed. Returns the previous
 * one, NULL for none */
struct deadline *aside_limit(struct deadline *d);

/*
 * Runs in the child, which has only this process's state at the time of the first question.
 * @fd:		a descriptor that came with the question; -1 for none
 * @answer:	to be filled in
 * Return: a descriptor to send with the answer; -1 for none: errno is sent instead
 */
typedef int aside_fn(int fd, const char *question, struct buf *answer);

/*
 * aside_ask() - have the child run @ask; all of its answer comes, or none
 * @fd:		stays the caller's; -1: none
 * @question:	@len bytes, including the NUL of a text
 * @answer:	is appended to
 * Return: what @ask returned, which the caller closes; -1 with errno: ETIMEDOUT without an answer
 */
int aside_ask(aside_fn *ask, int fd, const void *question, size_t len, struct buf *answer);

#endif
