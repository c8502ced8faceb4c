/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * namesake: names that two VMs go by, of which one is meant. Must never: connect.
 */
#ifndef VM_NAMESAKE_H
#define VM_NAMESAKE_H

#include <sys/types.h>

#include "lib/deadline.h"
#include "lib/err.h"
#include "vm/discover.h"

/*
 * namesake_check() - refuse a profile whose monitor is another VM's than the one that runs under
 * its name: one of the two is not meant. A profile may have any name that no running VM has.
 * @profile:	its name
 * @pid:	of the QEMU behind its monitor; 0 when unknown
 * Return: 0; -1 with ERR_USAGE
 */
int namesake_check(const char *profile, pid_t pid, struct deadline *d, struct err *err)
	__attribute__((warn_unused_result));

/*
 * namesake_check_number() - refuse a VM whose name is the number of another one's process: a pid
 * taken from a list may have meant either Return: 0; -1 with ERR_USAGE
 */
int namesake_check_number(const struct qemu_list *found, const struct qemu *by_name,
			  struct err *err) __attribute__((warn_unused_result));

/*
 * namesake_check_again() - refuse a VM of another name at the monitor where there was one before
 * @before, @name:	its process then, and its name; NULL for none
 * @pid:	of the QEMU that is there now; 0 when unknown
 * Return: 0; -1 with ERR_QEMU_UNREACHABLE
 */
int namesake_check_again(const char *address, pid_t before, const char *name, pid_t pid,
			 struct err *err) __attribute__((warn_unused_result));

#endif
