/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * host-limits: every limit of this machine that stands between a QEMU and the memory that it is to
 * have. Must never: change anything.
 */
#ifndef QEMU_HOST_LIMITS_H
#define QEMU_HOST_LIMITS_H

#include "lib/err.h"
#include "qemu/demand.h"

/* host_limits_check() - the limits that QEMU meets as soon as the memory is added; -1 with
 * ERR_FAILED and how to raise the limit */
int host_limits_check(const struct demand *d, struct err *err) __attribute__((warn_unused_result));

/* host_limits_check_taken() - likewise, those that it meets when it takes all of that memory */
int host_limits_check_taken(const struct demand *d, struct err *err)
	__attribute__((warn_unused_result));

/*
 * host_limits_foresee() - those that it will meet when the guest uses all that it then has
 * @warn:	called for each, with what is to be said
 */
void host_limits_foresee(const struct demand *d, void (*warn)(void *context, const char *text),
			 void *context);

#endif
