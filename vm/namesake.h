/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * namesake: names shared by two VMs, of which the user means one. Must never: connect.
 */
#ifndef VM_NAMESAKE_H
#define VM_NAMESAKE_H

#include <sys/types.h>

#include "lib/deadline.h"
#include "lib/err.h"

/*
 * namesake_check() - refuse a profile if another VM than the one behind its monitor runs under its
 * name: it is unclear which of the two is meant. A profile may have any name that no running VM
 * has.
 * @profile:	its name
 * @pid:	of the QEMU behind its monitor; 0 when unknown
 * Return: 0; -1 with ERR_USAGE
 */
int namesake_check(const char *profile, pid_t pid, struct deadline *d, struct err *err)
	__attribute__((warn_unused_result));

/*
 * namesake_check_again() - refuse a VM with another name at a monitor that was used before
 * @before, @name:	the earlier process and its name; NULL for none
 * @pid:	of the QEMU there now; 0 if unknown
 * Return: 0; -1 with ERR_QEMU_UNREACHABLE
 */
int namesake_check_again(const char *address, pid_t before, const char *name, pid_t pid,
			 struct err *err) __attribute__((warn_unused_result));

#endif
