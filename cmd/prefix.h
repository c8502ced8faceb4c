/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * prefix: which numbers of a list begin with the typed digits, without going through all of them.
 * Must never: talk to QEMU or the guest.
 */
#ifndef CMD_PREFIX_H
#define CMD_PREFIX_H

#include "sysfs.h"

/* Gets one block, and the run that it is in. */
typedef void prefix_fn(void *context, uint64_t block, const struct blocks *run);

/*
 * prefix_each() - report the blocks whose number begins with @digits
 * @list:	ascending
 * @digits:	"" for all
 * @most:	report at most so many. If there are more, those reported show which digits can
 *		follow: their common prefix is that of all matches.
 */
void prefix_each(const struct block_list *list, const char *digits, unsigned most, prefix_fn *tell,
		 void *context);

#endif
