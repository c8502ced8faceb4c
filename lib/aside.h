/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * aside: questions to the kernel whose answer another process can keep back for as long as it
 * likes: its memory (mmap_lock), its file system (FUSE, NFS). A child process asks them, so that
 * none outlasts the deadline. Must never: change anything.
 */
#ifndef LIB_ASIDE_H
#define LIB_ASIDE_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/deadline.h"
#include "lib/util.h"

/* aside_limit() - the clock that all of them keep to, and Ctrl-C; borrowed. Returns the one before,
 * NULL for none */
struct deadline *aside_limit(struct deadline *d);

/*
 * What the child does. It shares nothing with this process but what it had at the first question.
 * @fd:		a descriptor that came with the question; -1 for none
 * @answer:	to be filled
 * Return: a descriptor that goes with the answer; -1 for none, errno goes instead
 */
typedef int aside_fn(int fd, const char *question, struct buf *answer);

/*
 * aside_ask() - have @ask answered by the child, in the end or not at all
 * @fd:		stays the caller's; -1: none
 * @question:	@len bytes, with the zero that ends a text
 * @answer:	is appended to
 * Return: what @ask returned, which the caller closes; -1 with errno: ETIMEDOUT when there is no
 * answer
 */
int aside_ask(aside_fn *ask, int fd, const void *question, size_t len, struct buf *answer);

#endif
