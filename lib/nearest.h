/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * nearest: the name that somebody who mistyped one may have meant. Must never: allocate, guess
 * without saying so.
 */
#ifndef LIB_NEAREST_H
#define LIB_NEAREST_H

#include "lib/err.h"

/* A search: set word, offer each candidate, ask for the hint. */
struct nearest {
	const char *word; /* as it was typed; borrowed */
	const char *best; /* the closest candidate so far, NULL for none; borrowed */
	unsigned distance;
};

/* nearest_offer() - one more name that might be meant; NULL is passed over */
void nearest_offer(struct nearest *n, const char *candidate);

/*
 * nearest_hint() - "did you mean '...'?" when a candidate is close enough
 * @otherwise:	the hint when none is; NULL leaves the hint as it is
 * Return: -1
 */
int nearest_hint(const struct nearest *n, const char *otherwise, struct err *err);

#endif
