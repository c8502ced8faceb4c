/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * guest-agent: a shell in the guest by way of qemu-guest-agent's guest-exec. The agent knows no
 * streams: it starts a process with all of its input, and has all of its output when that has
 * ended. So one process keeps a shell between two FIFOs in a directory of its own in the guest, and
 * each exchange is a process that puts lines into one and takes a part of the answer from the
 * other. May call: wire, message, frame, base64, json, deadline, err, util. Must never: know what
 * is said.
 *
 * The protocol is that of QEMU's docs/interop/qemu-ga-ref: guest-sync-delimited, guest-exec,
 * guest-exec-status.
 */
#ifndef GUEST_AGENT_H
#define GUEST_AGENT_H

#include "deadline.h"
#include "err.h"
#include "frame.h"
#include "message.h"
#include "wire.h"

/* Zero-initialise it. */
struct agent {
	struct wire wire; /* the agent's socket */
	struct message_reader reader;
	bool is_open;
	bool is_started;  /* the shell is there, or will be */
	int64_t end_ms;	  /* then the shell ends by itself */
	char *directory;  /* of the shell, in the guest */
	struct buf lines; /* for the shell, and not on their way yet */
	int awaited;	  /* what the reply that has not come yet is for; 0 for none */
	uint64_t pid;	  /* in the guest, of the process whose output is waited for; 0 for none */
	int64_t pause_ms; /* until it is asked about again */
};

/*
 * agent_open() - connect to the agent, and put @w in front of a shell that begins with the first
 * wire_fill(): until then wire_write() only gathers
 * @path:	of the agent's socket
 * @id:		of the session: FRAME_ID_LEN hexadecimal digits
 * @d:		the shell ends some seconds after it, whatever becomes of memhp
 * Return: 0; -1 with ERR_GUEST_UNREACHABLE, ERR_INTERRUPTED, ERR_USAGE or ERR_FAILED
 */
int agent_open(struct agent *a, struct wire *w, const char *path, const char *id,
	       struct deadline *d, struct err *err) __attribute__((warn_unused_result));

/* agent_ends_before() - will the shell end before a command with this deadline may? */
bool agent_ends_before(const struct agent *a, const struct deadline *d);

/* agent_close() - end the shell, see that it has put things back, and hang up; fine when not open
 */
void agent_close(struct agent *a, struct wire *w, struct deadline *d);

#endif
