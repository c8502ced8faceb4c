/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * forward: a port of this machine that QEMU forwards to its guest's ssh. Must never: connect.
 */
#ifndef VM_FORWARD_H
#define VM_FORWARD_H

#include <sys/types.h>

#include "lib/address.h"
#include "lib/deadline.h"
#include "lib/err.h"

/*
 * forward_check() - refuse a port of this machine that another QEMU listens on
 * @ssh:	ADDRESS_SSH; another host's, or one without a port, cannot be checked
 * @pid:	of the VM's QEMU; 0 if unknown: then any port is accepted
 * Return: 0; -1 with ERR_GUEST_UNREACHABLE
 */
int forward_check(const struct address *ssh, pid_t pid, struct deadline *d, struct err *err)
	__attribute__((warn_unused_result));

#endif
