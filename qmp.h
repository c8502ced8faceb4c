/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * qmp: one QMP session (docs/interop/qmp-spec of QEMU): greeting, capabilities, commands matched
 * to replies by id, events kept until they are asked for. Requests are consumed, replies are
 * returned owned. Must never: know what a command means.
 */
#ifndef QMP_H
#define QMP_H

#include <sys/types.h>

#include "lib/address.h"
#include "lib/deadline.h"
#include "lib/err.h"
#include "lib/json.h"
#include "lib/stream.h"

struct qmp;

/* QEMU accepts a second client but does not greet it: long enough for a quick command to finish. */
#define QMP_GREETING_MS 5000

/*
 * qmp_open() - connect and negotiate, waiting QMP_GREETING_MS for the greeting
 * @address:	ADDRESS_UNIX or ADDRESS_TCP
 * @trace:	hears every message; borrowed; may be NULL
 * @deadline:	bounds every wait of the session; borrowed
 * Return: 0 with a session for qmp_close(); -1 with ERR_QEMU_UNREACHABLE (no listener, no QMP, or
 * in use: a monitor serves one client and greets the next when that one leaves) or ERR_USAGE
 */
int qmp_open(struct qmp **out, const struct address *address, const struct trace *trace,
	     struct deadline *deadline, struct err *err) __attribute__((warn_unused_result));

/*
 * qmp_connect(), qmp_start() - the halves of qmp_open(), for several monitors at once: all greet
 * during the wait for the first
 * @greeting_ms, @reply_ms: when to stop waiting for the greeting, and for the reply to the request
 * after it (CLOCK_MONOTONIC), or DEADLINE_NEVER; input that has come is still read
 * Return: as qmp_open(); of qmp_connect() also STREAM_QUEUED
 */
int qmp_connect(struct qmp **out, const struct address *address, const struct trace *trace,
		struct deadline *deadline, struct err *err) __attribute__((warn_unused_result));
int qmp_start(struct qmp *q, int64_t greeting_ms, int64_t reply_ms, struct err *err)
	__attribute__((warn_unused_result));

/* qmp_connect_in_turn() - as qmp_connect(), but waits behind other clients; 0 or -1 */
int qmp_connect_in_turn(struct qmp **out, const struct address *address, const struct trace *trace,
			struct deadline *deadline, struct err *err)
	__attribute__((warn_unused_result));

/*
 * qmp_attach() - as qmp_connect(), for a monitor that is connected already
 * @fd:		taken over
 * @address:	for messages
 */
struct qmp *qmp_attach(int fd, const char *address, const struct trace *trace,
		       struct deadline *deadline);

/* qmp_close() - end the session; NULL is allowed */
void qmp_close(struct qmp *q);

/* qmp_version() - "7.2.19", owned by the session; NULL if the greeting had none */
const char *qmp_version(const struct qmp *q);

/* qmp_peer_pid() - the process behind the monitor: the listener on a UNIX socket (SO_PEERCRED), or
 * the one from qmp_set_peer(); 0 if unknown */
pid_t qmp_peer_pid(const struct qmp *q);

/* qmp_set_peer() - set that process, if the caller knows better; 0: unknown */
void qmp_set_peer(struct qmp *q, pid_t pid);

/* qmp_fd() - the descriptor to poll(2) for input; owned by the session */
int qmp_fd(const struct qmp *q);

/* qmp_request() - {"execute": @command, "arguments": @arguments}; @arguments is consumed, may be
 * NULL */
struct json_object *qmp_request(const char *command, struct json_object *arguments);

/*
 * qmp_send() - send a request without waiting: several may be under way, and QEMU answers in order.
 * Requests are sent together, with the next wait for a reply or an event.
 * @request:	from qmp_request(); consumed
 * @id:		receives the number that qmp_receive() takes
 */
int qmp_send(struct qmp *q, struct json_object *request, uint64_t *id, struct err *err)
	__attribute__((warn_unused_result));

/*
 * qmp_receive() - wait for the reply to @id
 * @reply:	receives the "return" value, owned by the caller; may be NULL
 * Return: 0; -1 with ERR_QEMU_REFUSED and QEMU's message, or the connection's error
 */
int qmp_receive(struct qmp *q, uint64_t id, struct json_object **reply, struct err *err)
	__attribute__((warn_unused_result));

/* qmp_execute() - send and receive in one */
int qmp_execute(struct qmp *q, const char *command, struct json_object *arguments,
		struct json_object **reply, struct err *err) __attribute__((warn_unused_result));

/*
 * qmp_wait_event() - wait for an event that @handle accepts; others are kept
 * @handle:	called with the event's name and its "data" (NULL for none); may note what it
 *		reads there. True: this is the one
 * @until_ms:	a limit before the deadline, or DEADLINE_NEVER; 0 only checks what has come
 * @event:	receives {"event": ..., "data": ...}, owned by the caller
 * Return: 1 with the event, 0 at @until_ms, -1 with @err
 */
typedef bool qmp_handler_fn(const char *name, struct json_object *data, void *context);
int qmp_wait_event(struct qmp *q, qmp_handler_fn *handle, void *context, int64_t until_ms,
		   struct json_object **event, struct err *err) __attribute__((warn_unused_result));

/*
 * qmp_observe() - call @observe for every event as it comes, before it is kept; NULL: no calls. It
 * must not use the session.
 */
typedef void qmp_observe_fn(void *context, const char *name, struct json_object *data);
void qmp_observe(struct qmp *q, qmp_observe_fn *observe, void *context);

/* qmp_has_events() - are events kept that have not been asked for? */
bool qmp_has_events(const struct qmp *q);

/* qmp_count_lost() - how many events could not be kept since the last call, as they came faster
 * than they were taken, or were too large */
unsigned qmp_count_lost(struct qmp *q);

/* qmp_forget_replies() - the caller will receive no reply to the requests sent so far: replies that
 * have come are dropped, and those to come are not kept */
void qmp_forget_replies(struct qmp *q);

#endif
