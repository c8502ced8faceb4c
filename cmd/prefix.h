/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * prefix: which numbers of a list begin with the digits that somebody has typed, without going
 * through all of them. Must never: talk to anybody.
 */
#ifndef CMD_PREFIX_H
#define CMD_PREFIX_H

#include "sysfs.h"

/* Hears of one block, and of the run that it is in. */
typedef void prefix_fn(void *context, uint64_t block, const struct blocks *run);

/*
 * prefix_each() - tell of the blocks whose number begins with @digits
 * @list:	ascending
 * @digits:	"" for all
 * @most:	so many are told of. Of more, those that show which digits can follow: what all that are
 *		told of have in common, all have.
 */
void prefix_each(const struct block_list *list, const char *digits, unsigned most, prefix_fn *tell,
		 void *context);

#endif
