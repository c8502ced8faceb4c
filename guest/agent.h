/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * agent: a session with qemu-guest-agent: one request and its answer at a time. Must never: know
 * what a command is for. The protocol is in QEMU's docs/interop/qemu-ga-ref; a session starts with
 * guest-sync-delimited.
 */
#ifndef GUEST_AGENT_H
#define GUEST_AGENT_H

#include "lib/deadline.h"
#include "lib/err.h"
#include "lib/json.h"
#include "lib/stream.h"

/* Zero-initialise it. */
struct agent {
	struct stream stream; /* the agent's socket */
	struct json_reader reader;
	bool is_lost;	     /* it went away or broke the protocol: send nothing more */
	const char *command; /* the last one sent; borrowed */
	int awaited;	     /* what the outstanding answer is for, as the sender said; 0: none */
};

/*
 * agent_open() - connect to the agent and synchronise with it, so that the next answer is ours
 * @path:	of the agent's socket
 * @opener:	connects to it
 * Return: 0; -1 with ERR_GUEST_UNREACHABLE, ERR_INTERRUPTED, ERR_USAGE or ERR_FAILED
 */
int agent_open(struct agent *a, const char *path, struct stream_opener opener, struct deadline *d,
	       struct err *err) __attribute__((warn_unused_result));

/*
 * agent_send() - send a request, once the one before has been answered
 * @command:	a literal
 * @arguments:	consumed; NULL for none
 * @awaited:	what the answer is for: a->awaited until it is received; not 0
 */
int agent_send(struct agent *a, const char *command, struct json_object *arguments, int awaited,
	       struct deadline *d, struct err *err) __attribute__((warn_unused_result));

/*
 * agent_receive() - wait for the answer to the request under way, also after an earlier wait for it
 * gave up
 * @message:	receives it; the caller owns it; its member "return" is the answer
 * @until_ms:	a limit before the deadline, or DEADLINE_NEVER
 * Return: 0; without a message AGENT_REFUSED or AGENT_FORBIDDEN when the agent answers with an
 * error, which @err holds; AGENT_SILENT at @until_ms; -1
 */
enum { AGENT_REFUSED = 1, AGENT_FORBIDDEN, AGENT_SILENT };
int agent_receive(struct agent *a, struct json_object **message, int64_t until_ms,
		  struct deadline *d, struct err *err) __attribute__((warn_unused_result));

/* agent_run() - send and receive in one */
int agent_run(struct agent *a, const char *command, struct json_object *arguments,
	      struct json_object **message, struct deadline *d, struct err *err)
	__attribute__((warn_unused_result));

/* agent_broken() - set the error that the agent's answer makes no sense; returns -1 */
int agent_broken(struct agent *a, const char *why, struct err *err);

/* agent_close() - disconnect; harmless when not open */
void agent_close(struct agent *a);

#endif
