/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * named: the socket that a user has named, and what a QEMU says of it: by its monitor, and by its
 * words. Must never: connect.
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
	int path_fd; /* opened with O_PATH; -1 for an abstract one */
};

/* named_is_claimed() - does QEMU tell that one of its character devices listens there? */
bool named_is_claimed(const struct named *named, struct qmp *qmp);

/*
 * named_check_purpose() - refuse what that QEMU has for something else, as its words tell: a
 * monitor would take what is meant for the guest's shell for commands, and a console is no agent
 * Return: 0; -1 with ERR_GUEST_UNREACHABLE
 */
int named_check_purpose(const struct named *named, bool is_agent, struct err *err)
	__attribute__((warn_unused_result));

/*
 * named_check_monitor() - refuse a silent socket that is none of QMP, as that QEMU's words tell
 * Return: 0; -1 with ERR_QEMU_UNREACHABLE
 */
int named_check_monitor(const struct named *named, struct err *err)
	__attribute__((warn_unused_result));

/* named_hint() - what to do where nothing has that path: it may be a port of TCP */
void named_hint(const char *path, struct err *err);

#endif
