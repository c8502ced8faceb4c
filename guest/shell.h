/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * shell: a request as text for guest.sh. Nothing in it comes from a user or a guest.
 */
#ifndef GUEST_SHELL_H
#define GUEST_SHELL_H

#include "guest/request.h"
#include "lib/util.h"

/* shell_encode() - "appear 1 32-35&&swift movable 32-35;memory;near 1 32-35"; free(3) it */
char *shell_encode(const struct request *r);

/* Runs a request once all its parts are there. */
#define SHELL_RUN_PARTS "eval \"$long\""

/*
 * shell_part() - the command that sends the next part of a request that is longer than a console's
 * input queue; a variable of the session joins the parts
 * @text:	from shell_encode()
 * @done:	bytes of it that earlier parts hold; advanced
 * Return: at most 1000 bytes, which the caller frees; NULL after the last part
 */
char *shell_part(const char *text, size_t *done);

#endif
