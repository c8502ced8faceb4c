/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * by-hand: a request as the commands that a person would type at a root shell in the guest.
 */
#ifndef GUEST_BY_HAND_H
#define GUEST_BY_HAND_H

#include "guest/request.h"

/*
 * by_hand() - a command as one line of sh that does the same when pasted
 * Return: the line, which the caller frees; NULL: there is nothing to type
 */
char *by_hand(const struct command *c);

/* by_hand_for_each() - the same for blocks whose numbers are not known yet; the caller frees it */
char *by_hand_for_each(enum zone zone);

#endif
