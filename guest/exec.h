/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * exec: a shell in the guest by way of qemu-guest-agent's guest-exec. The agent knows no
 * streams: it starts a process with all of its input, and has all of its output when that has
 * ended. So one process keeps a shell between two FIFOs in a directory of its own in the guest,
 * and each exchange is a process that puts lines into one and takes a part of the answer from the
 * other. Must never: know what is said.
 */
#ifndef GUEST_EXEC_H
#define GUEST_EXEC_H

#include "guest/agent.h"
#include "lib/deadline.h"
#include "lib/err.h"
#include "lib/stream.h"

/* Zero-initialise it. */
struct exec {
	struct agent *agent; /* borrowed; NULL when not open */
	bool is_forbidden;   /* the agent does not allow guest-exec */
	bool is_started;     /* the shell is there, or will be */
	int64_t end_ms;	     /* then the shell ends by itself */
	char *directory;     /* of the shell, in the guest */
	struct buf lines;    /* for the shell, and not on their way yet */
	uint64_t pid; /* in the guest, of the process whose output is waited for; 0 for none */
	int64_t ask_ms, pause_ms; /* when to ask about it again; how long after that */
};

/*
 * exec_open() - put @w in front of a shell that begins with the first stream_fill(): until then
 * stream_write() only gathers. It ends some seconds after the deadline of that, whatever becomes of
 * memhp.
 * @a:	open; borrowed until exec_close(), and used by nobody else before
 * @id:	of the session: FRAME_ID_LEN hexadecimal digits
 */
void exec_open(struct exec *e, struct agent *a, struct stream *w, const char *id);

/* exec_due_ms() - when to call stream_fill() again, should the agent say nothing by then */
int64_t exec_due_ms(const struct exec *e);

/* exec_ends_before() - will the shell end before a command with this deadline may? */
bool exec_ends_before(const struct exec *e, const struct deadline *d);

/* exec_close() - end the shell, and see that it has put things back; fine when not open */
void exec_close(struct exec *e, struct stream *w, struct deadline *d);

#endif
