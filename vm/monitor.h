/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * monitor: connects to QEMU's monitor, and verifies which process answers there. Must never: trust
 * a socket of another user.
 */
#ifndef VM_MONITOR_H
#define VM_MONITOR_H

#include "qmp.h"
#include "vm/emulator.h"

/*
 * monitor_connect() - connect to a monitor of @qemu, in the namespaces of that process, without
 * waiting for its greeting
 * @address:	one of qemu->line.monitors
 * @err:	ERR_QEMU_UNREACHABLE if no process, or another one, is behind it
 */
int monitor_connect(struct qmp **out, const struct qemu *qemu, const struct address *address,
		    const struct trace *trace, struct deadline *deadline, struct err *err)
	__attribute__((warn_unused_result));

#endif
