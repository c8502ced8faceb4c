/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * reach: a connection to the monitor of a QEMU that was found. Must never: believe a path.
 */
#ifndef VM_REACH_H
#define VM_REACH_H

#include "lib/deadline.h"
#include "lib/err.h"
#include "qmp.h"
#include "vm/emulator.h"

/*
 * reach_monitor() - connect to a monitor of @qemu, where that sees it, without waiting for its
 * greeting
 * @address:	one of qemu->line.monitors
 * @err:	ERR_QEMU_UNREACHABLE when nobody, or another process, is behind it
 */
int reach_monitor(struct qmp **out, const struct qemu *qemu, const struct address *address,
		  const struct trace *trace, struct deadline *deadline, struct err *err)
	__attribute__((warn_unused_result));

#endif
