/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * named: a socket that the user named, and what QEMU says about it in its monitor and on its
 * command line. Must never: connect.
 */
#ifndef VM_NAMED_H
#define VM_NAMED_H

#include <stdbool.h>
#include <sys/types.h>

#include "lib/err.h"
#include "qmp.h"

struct named {
	pid_t pid; /* of QEMU; 0 when unknown */
	const char *path;
	int path_fd; /* opened with O_PATH; -1 for an abstract socket */
};

/* named_is_claimed() - does QEMU say that one of its character devices listens there? */
bool named_is_claimed(const struct named *named, struct qmp *qmp);

/*
 * named_check_purpose() - refuse a socket that QEMU's command line uses for another purpose: a
 * monitor would execute the input for the guest's shell, and a console is not an agent
 * Return: 0; -1 with ERR_GUEST_UNREACHABLE
 */
int named_check_purpose(const struct named *named, bool is_agent, struct err *err)
	__attribute__((warn_unused_result));

/*
 * named_check_monitor() - refuse a silent socket that, by QEMU's command line, is not QMP
 * Return: 0; -1 with ERR_QEMU_UNREACHABLE
 */
int named_check_monitor(const struct named *named, struct err *err)
	__attribute__((warn_unused_result));

/* named_hint() - what to do if the path does not exist: it may be a TCP port */
void named_hint(const char *path, struct err *err);

#endif
