/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * parts: commands that are longer than a console's input queue, put together in a variable of the
 * session. Must never: send anything.
 */
#ifndef GUEST_PARTS_H
#define GUEST_PARTS_H

#include <stddef.h>

/* What runs the commands when all parts are there. */
#define PARTS_RUN "eval \"$long\""

/*
 * parts_next() - the command that adds the next part of @commands
 * @commands: words of memhp's own: no quotes
 * @done:     bytes of them that earlier parts have; moved on
 *
 * Return: at most 1000 bytes, which the caller frees; NULL behind the last part.
 */
char *parts_next(const char *commands, size_t *done);

#endif
