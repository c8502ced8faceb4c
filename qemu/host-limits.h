/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * host-limits: every limit of this machine that may keep a QEMU from getting its new memory.
 * Changes nothing.
 */
#ifndef QEMU_HOST_LIMITS_H
#define QEMU_HOST_LIMITS_H

#include "lib/err.h"
#include "qemu/demand.h"

/* host_limits_check() - check the limits that QEMU hits when the memory is added; -1 with
 * ERR_FAILED and how to raise the limit */
int host_limits_check(const struct demand *d, struct err *err) __attribute__((warn_unused_result));

/* host_limits_check_taken() - likewise, those that it hits when it takes all of that memory */
int host_limits_check_taken(const struct demand *d, struct err *err)
	__attribute__((warn_unused_result));

/*
 * host_limits_warn() - warn of the limits that QEMU will hit once the guest uses all of its
 * memory
 * @warn:	called with a message for each
 */
void host_limits_warn(const struct demand *d, void (*warn)(void *context, const char *text),
		      void *context);

#endif
