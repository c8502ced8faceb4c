/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * dial: opens the guest's console or agent, and verifies before the first byte that it belongs to
 * the VM whose monitor is open. Must never: write to what it opens.
 */
#ifndef VM_DIAL_H
#define VM_DIAL_H

#include <stdbool.h>
#include <sys/types.h>

#include "lib/deadline.h"
#include "lib/stream.h"
#include "qmp.h"
#include "vm/channel.h"

struct dial {
	struct qmp *qmp; /* of the VM; NULL: nothing to compare with; borrowed */
	pid_t pid;	 /* of its QEMU; 0 when unknown, as on another machine */
	bool is_agent;	 /* for messages */
	bool is_pty;	 /* QEMU calls it a pty */
	/* the label of the character device that QEMU has named; NULL: the user has named the path,
	 * which is believed unless it is known to be another VM's; borrowed */
	const char *label;
	struct deadline *deadline; /* borrowed */
};

/*
 * dial_opener() - what opens a path as @dial says
 * @dial:	borrowed
 * Its errors are ERR_GUEST_UNREACHABLE: also for what belongs to another process than the VM's
 */
struct stream_opener dial_opener(struct dial *dial);

/*
 * dial_check() - without connecting: is the channel that QEMU has named its own?
 * @pid:	of QEMU; 0 when unknown
 * @channel:	with an address
 * Return: 0; -1 with @err: it is another process's, or cannot be compared
 */
int dial_check(struct qmp *qmp, pid_t pid, const struct channel *channel, struct deadline *d,
	       struct err *err) __attribute__((warn_unused_result));

/*
 * dial_find_qemu() - the QEMU behind a monitor that the user has named, also where another process
 * has made its socket, or where it is a TCP port of this machine
 * @qmp:	open
 * Return: its pid, that of another process that passes on what QEMU says, or 0 when unknown
 */
pid_t dial_find_qemu(const struct qmp *qmp, const struct address *address, struct deadline *d);

#endif
