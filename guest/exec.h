/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * exec: a shell in the guest through qemu-guest-agent's guest-exec. The agent has no streams: it
 * starts a process with all of its input, and returns all of its output after it has ended. So one
 * process keeps a shell between two FIFOs in a private directory in the guest, and each exchange
 * is a process that writes lines into one FIFO and reads part of the answer from the other. Must
 * never: know what the lines mean.
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
	bool is_started;     /* the shell is running or starting */
	int64_t end_ms;	     /* when the shell ends by itself */
	char *directory;     /* of the shell, in the guest */
	struct buf lines;    /* for the shell, not sent yet */
	uint64_t pid;	     /* in the guest, of the process whose output is awaited; 0 for none */
	int64_t ask_ms, pause_ms; /* when to ask about it next; the interval after that */
};

/*
 * exec_open() - make @w a stream to a shell that starts with the first stream_fill(); until then
 * stream_write() only collects. The shell ends some seconds after the deadline of that call,
 * whatever happens to memhp.
 * @a:	open; borrowed, and used by nothing else, until exec_close()
 * @id:	of the session: FRAME_ID_LEN hexadecimal digits
 */
void exec_open(struct exec *e, struct agent *a, struct stream *w, const char *id);

/* exec_due_ms() - when to call stream_fill() next if the agent stays silent */
int64_t exec_due_ms(const struct exec *e);

/* exec_ends_before() - does the shell end before a command with this deadline has to? */
bool exec_ends_before(const struct exec *e, const struct deadline *d);

/* exec_close() - end the shell and wait until it has restored everything; harmless when not open */
void exec_close(struct exec *e, struct stream *w, struct deadline *d);

#endif
