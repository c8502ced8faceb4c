/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * inquiry: queries one monitor from a child process, so that a busy, slow or hostile monitor costs
 * only its own answer. Must never: wait longer than a moment.
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
	int fd;			       /* to read its answer from; -1 for none */
	bool is_known;		       /* it has answered: */
	uint64_t plugged_bytes;
	char *channel;	       /* to the guest, according to QEMU; NULL for none */
	char *channel_problem; /* why it may not be that VM's; NULL for none */
	char *problem;	       /* else: why not */
};

/* Zero-initialise it. */
struct inquiries {
	struct inquiry *list;
	unsigned count;
};

/*
 * inquiry_start() - start to query a monitor
 * @about:	the caller's number for it
 * @qemu:	the process that it must belong to; NULL: any; borrowed until inquiries_free()
 * @address:	borrowed until then, too
 */
void inquiry_start(struct inquiries *all, unsigned about, const struct qemu *qemu,
		   const struct address *address);

/* inquiries_finish() - wait a moment at most for all answers; -1 when interrupted */
int inquiries_finish(struct inquiries *all, struct deadline *deadline, struct err *err)
	__attribute__((warn_unused_result));

void inquiries_free(struct inquiries *all);

#endif
