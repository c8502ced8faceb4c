/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * inquiry: one monitor asked by a child process, so that a busy, slow or hostile monitor costs only
 * its own answer. Must never: wait longer than a moment.
 */
#ifndef VM_INQUIRY_H
#define VM_INQUIRY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/deadline.h"
#include "lib/err.h"
#include "vm/discover.h"

struct inquiry {
	unsigned about;		       /* the caller's number */
	const struct address *address; /* borrowed */
	pid_t child;		       /* 0 for none */
	int fd;			       /* where its answer comes out; -1 for none */
	bool is_known;		       /* it has answered: */
	uint64_t plugged_bytes;
	char *channel;	       /* to the guest, as QEMU tells; NULL for none */
	char *channel_problem; /* why it is not known to be that VM's; NULL for nothing */
	char *problem;	       /* else why not */
};

/* Zero-initialise it. */
struct inquiries {
	struct inquiry *list;
	unsigned count;
};

/*
 * inquiry_start() - begin to ask a monitor
 * @about:	a number that the caller knows it by
 * @qemu:	whose monitor it must be; NULL: any process's; borrowed until inquiries_free()
 * @address:	borrowed, as long
 */
void inquiry_start(struct inquiries *all, unsigned about, const struct qemu *qemu,
		   const struct address *address);

/* inquiries_finish() - wait for all answers, no longer than a moment; -1 when the user interrupts
 */
int inquiries_finish(struct inquiries *all, struct deadline *deadline, struct err *err)
	__attribute__((warn_unused_result));

void inquiries_free(struct inquiries *all);

#endif
