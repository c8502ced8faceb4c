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
	struct qmp *qmp; /* of the VM; NULL: none to compare with; borrowed */
	pid_t pid;	 /* of its QEMU; 0 if unknown, as on another machine */
	bool is_agent;	 /* for messages */
	bool is_pty;	 /* QEMU calls it a pty */
	/* the label of the character device that QEMU named; NULL: the user named the path, which
	 * is accepted unless it is known to be another VM's; borrowed */
	const char *label;
	struct deadline *deadline; /* borrowed */
};

/*
 * dial_opener() - the opener for a path, with the checks of @dial
 * @dial:	borrowed
 * Its errors are ERR_GUEST_UNREACHABLE, also if the path belongs to a process other than the VM's
 */
struct stream_opener dial_opener(struct dial *dial);

/*
 * dial_check() - without connecting: does the channel that QEMU named belong to it?
 * @pid:	of QEMU; 0 when unknown
 * @channel:	with an address
 * Return: 0; -1 with @err: it is another process's, or cannot be verified
 */
int dial_check(struct qmp *qmp, pid_t pid, const struct channel *channel, struct deadline *d,
	       struct err *err) __attribute__((warn_unused_result));

/*
 * dial_find_qemu() - the QEMU behind a monitor that the user named, also if another process created
 * its socket, or if it is a TCP port of this machine
 * @qmp:	open
 * Return: its pid, or that of another process that relays QEMU's answers; 0 if unknown
 */
pid_t dial_find_qemu(const struct qmp *qmp, const struct address *address, struct deadline *d);

#endif
