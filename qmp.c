/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One QMP session. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/json.h"
#include "lib/owner.h"
#include "lib/peer.h"
#include "lib/queue.h"
#include "lib/util.h"
#include "qmp.h"

/* How often to try again while other clients are queued. */
#define QUEUE_MS	  20
#define OUT_MAX_BYTES	  (16 << 10) /* of unsent requests */
#define EVENTS_MAX	  4096
#define EVENTS_MAX_BYTES  (24 << 20)  /* of memory; one of QEMU's events takes 5 KiB */
#define EVENT_MAX_BYTES	  (1 << 20)   /* memhp waits for no larger one */
#define REPLIES_MAX_BYTES (128 << 20) /* one may have 80 MiB */

struct qmp {
	struct stream stream;
	struct buf out; /* requests that are sent together, before the next wait */
	struct deadline *deadline;
	const struct trace *trace;
	struct json_reader reader;
	struct queue replies, events; /* that have not been asked for */
	unsigned lost_count;	      /* of events that could not be kept */
	uint64_t *awaited;	      /* ids of requests whose reply has not come; owned */
	size_t awaited_count;
	uint64_t last_id;
	qmp_observe_fn *observe; /* NULL: none */
	void *observe_context;
	struct json_object *greeting;
	char *version;
	char *address;	/* as written by the user */
	pid_t peer_pid; /* 0 if unknown */
};

static int protocol_error(struct qmp *q, const char *why, struct err *err)
{
	if (!q->greeting) {
		err_set(err, ERR_QEMU_UNREACHABLE, "'%s' is not a QMP monitor: %s", q->address,
			why);
		return err_hint(err, "QEMU makes one with -qmp unix:PATH,server=on,wait=off");
	}
	return err_set(err, ERR_QEMU_UNREACHABLE, "the monitor '%s' does not speak QMP: %s",
		       q->address, why);
}

static bool is_named(const struct queued *event, const char *name)
{
	const char *other = "";

	json_get_string(event->object, "event", &other);
	return !strcmp(name, other);
}

/* Drop the oldest event of that name, so that a flood of one kind displaces no other; else the
 * oldest of all. There is at least one. */
static void drop_event(struct qmp *q, const char *name)
{
	struct queued **at = &q->events.first;

	while ((*at)->next && !is_named(*at, name))
		at = &(*at)->next;
	json_object_put(queue_take(&q->events, is_named(*at, name) ? at : &q->events.first));
	q->lost_count++;
}

static void keep_event(struct qmp *q, struct json_object *object, size_t bytes)
{
	struct json_object *data = NULL;
	const char *name = "";

	if (bytes > EVENT_MAX_BYTES) {
		json_object_put(object);
		q->lost_count++;
		return;
	}
	json_get_string(object, "event", &name);
	json_get_object(object, "data", &data);
	if (q->observe)
		q->observe(q->observe_context, name, data);
	while (q->events.first &&
	       (q->events.count == EVENTS_MAX || q->events.bytes + bytes > EVENTS_MAX_BYTES))
		drop_event(q, name);
	queue_add(&q->events, object, bytes);
}

/* The place of the reply to @id in the list, or the end of the list. */
static struct queued **find_reply(struct qmp *q, uint64_t id)
{
	struct queued **at = &q->replies.first;
	uint64_t other;

	while (*at && !(json_get_u64((*at)->object, "id", &other) && other == id))
		at = &(*at)->next;
	return at;
}

static void await(struct qmp *q, uint64_t id)
{
	q->awaited = xgrow(q->awaited, q->awaited_count, sizeof(*q->awaited));
	q->awaited[q->awaited_count++] = id;
}

/* Is the reply to that request outstanding? Strikes it off the list then. */
static bool take_awaited(struct qmp *q, uint64_t id)
{
	size_t i = 0;

	while (i < q->awaited_count && q->awaited[i] != id)
		i++;
	if (i == q->awaited_count)
		return false;
	q->awaited[i] = q->awaited[--q->awaited_count];
	return true;
}

/* Keep a reply only if its request exists, and one for each request: neither stray replies nor
 * those that are no longer wanted pile up. */
static void keep_reply(struct qmp *q, struct json_object *object, size_t bytes)
{
	uint64_t id;

	if (!json_get_u64(object, "id", &id) || !take_awaited(q, id)) {
		json_object_put(object);
		return;
	}
	while (q->replies.first && q->replies.bytes + bytes > REPLIES_MAX_BYTES)
		json_object_put(queue_take(&q->replies, &q->replies.first));
	queue_add(&q->replies, object, bytes);
}

/* Sort one message from QEMU, consuming it. */
static int take_message(struct qmp *q, struct json_object *object, size_t bytes, struct err *err)
{
	struct json_object *ignored;

	if (trace_is_on(q->trace)) {
		const char *text = json_text(object);

		trace_say(q->trace, "qmp", '<', text);
		bytes += strlen(text); /* json-c keeps the text, too */
	}
	if (json_get_object(object, "QMP", &ignored) && !q->greeting) {
		q->greeting = object;
	} else if (json_object_object_get_ex(object, "event", NULL)) {
		/* before the greeting: what QEMU could not deliver to the previous client */
		if (q->greeting)
			keep_event(q, object, bytes);
		else
			json_object_put(object);
	} else if (json_object_object_get_ex(object, "return", NULL) ||
		   json_object_object_get_ex(object, "error", NULL)) {
		keep_reply(q, object, bytes);
	} else {
		json_object_put(object);
		return protocol_error(q, "neither greeting, reply nor event", err);
	}
	return 0;
}

/* Sort the stream's buffered input. */
static int parse_input(struct qmp *q, struct err *err)
{
	struct json_object *object;
	const char *why;
	size_t bytes;
	int status;

	while ((status = json_reader_next(&q->reader, &q->stream.in, &object, &bytes, &why)) > 0)
		if (take_message(q, object, bytes, err))
			return -1;
	return status ? protocol_error(q, why, err) : 0;
}

static int flush(struct qmp *q, struct err *err)
{
	int status = q->out.len ? stream_write(&q->stream, buf_text(&q->out), q->out.len,
					       q->deadline, err)
				: 0;

	buf_drop(&q->out, q->out.len);
	return status;
}

/* Send pending requests, wait for input and sort it; 1 if there was some, 0 at @until_ms, -1. */
static int pump(struct qmp *q, int64_t until_ms, struct err *err)
{
	int ready = flush(q, err) ? -1 : stream_fill(&q->stream, until_ms, q->deadline, err);

	if (ready > 0 && parse_input(q, err))
		return -1;
	return ready;
}

static int wait_greeting(struct qmp *q, int64_t until_ms, struct err *err)
{
	while (!q->greeting) {
		int ready = pump(q, until_ms, err);

		if (ready < 0 && err->code != ERR_TIMEOUT)
			return -1;
		if (ready <= 0) {
			err_set(err, ERR_QEMU_UNREACHABLE,
				"the monitor '%s' does not greet: another client is using it, "
				"QEMU is stopped, or it is no QMP socket",
				q->address);
			return err_hint(err,
					"a monitor serves one client at a time: close the other "
					"one, or give QEMU a second -qmp socket");
		}
	}
	return 0;
}

/* Read "7.2.19" from the greeting's QMP.version.qemu. */
static void read_version(struct qmp *q)
{
	struct json_object *hello, *version, *qemu;
	uint64_t major, minor, micro;

	if (json_get_object(q->greeting, "QMP", &hello) &&
	    json_get_object(hello, "version", &version) &&
	    json_get_object(version, "qemu", &qemu) && json_get_u64(qemu, "major", &major) &&
	    json_get_u64(qemu, "minor", &minor) && json_get_u64(qemu, "micro", &micro))
		q->version = xasprintf("%llu.%llu.%llu", (unsigned long long)major,
				       (unsigned long long)minor, (unsigned long long)micro);
}

struct qmp *qmp_attach(int fd, const char *address, const struct trace *trace,
		       struct deadline *deadline)
{
	struct qmp *q = xcalloc(1, sizeof(*q));
	uid_t uid;

	q->deadline = deadline;
	q->trace = trace;
	q->address = xstrdup(address);
	q->peer_pid = owner_of(fd, &uid);
	json_reader_init(&q->reader);
	queue_init(&q->replies);
	queue_init(&q->events);
	stream_init(&q->stream, fd, fd, xasprintf("monitor '%s'", address), ERR_QEMU_UNREACHABLE);
	return q;
}

int qmp_connect(struct qmp **out, const struct address *address, const struct trace *trace,
		struct deadline *deadline, struct err *err)
{
	int fd, status = peer_connect(0, address, &fd, ERR_QEMU_UNREACHABLE, deadline, err);

	if (!status)
		*out = qmp_attach(fd, address->text, trace, deadline);
	return status;
}

void qmp_close(struct qmp *q)
{
	if (!q)
		return;
	stream_free(&q->stream);
	buf_free(&q->out);
	queue_free(&q->replies);
	queue_free(&q->events);
	free(q->awaited);
	json_object_put(q->greeting);
	json_reader_free(&q->reader);
	free(q->version);
	free(q->address);
	free(q);
}

const char *qmp_version(const struct qmp *q)
{
	return q->version;
}

pid_t qmp_peer_pid(const struct qmp *q)
{
	return q->peer_pid;
}

void qmp_set_peer(struct qmp *q, pid_t pid)
{
	q->peer_pid = pid;
}

int qmp_fd(const struct qmp *q)
{
	return q->stream.in_fd;
}

struct json_object *qmp_request(const char *command, struct json_object *arguments)
{
	struct json_object *request = json_object_new_object();

	json_add_string(request, "execute", command);
	if (arguments)
		json_object_object_add(request, "arguments", arguments);
	return request;
}

int qmp_send(struct qmp *q, struct json_object *request, uint64_t *id, struct err *err)
{
	_cleanup_json_ struct json_object *consumed = request;
	const char *text;

	*id = ++q->last_id;
	await(q, *id);
	json_add_u64(request, "id", true, *id);
	text = json_text(request);
	trace_say(q->trace, "qmp", '>', text);
	buf_add(&q->out, text, strlen(text));
	buf_add(&q->out, "\n", 1);
	return q->out.len < OUT_MAX_BYTES ? 0 : flush(q, err);
}

/* Turn a reply into its "return" value, or into an error in QEMU's words. */
static int open_reply(struct json_object *message, struct json_object **reply, struct err *err)
{
	_cleanup_json_ struct json_object *owned = message;
	struct json_object *value;
	const char *text = "no description";

	if (json_object_object_get_ex(message, "return", &value)) {
		if (reply)
			*reply = json_object_get(value);
		return 0;
	}
	if (json_get_object(message, "error", &value))
		json_get_string(value, "desc", &text);
	return err_set(err, ERR_QEMU_REFUSED, "%s", text);
}

static int await_reply(struct qmp *q, uint64_t id, int64_t until_ms, struct json_object **reply,
		       struct err *err)
{
	for (;;) {
		struct queued **at = find_reply(q, id);
		int ready;

		if (*at)
			return open_reply(queue_take(&q->replies, at), reply, err);
		ready = pump(q, until_ms, err);
		if (ready <= 0)
			return ready ? -1 : deadline_passed(q->deadline, err);
	}
}

int qmp_receive(struct qmp *q, uint64_t id, struct json_object **reply, struct err *err)
{
	return await_reply(q, id, DEADLINE_NEVER, reply, err);
}

int qmp_execute(struct qmp *q, const char *command, struct json_object *arguments,
		struct json_object **reply, struct err *err)
{
	uint64_t id;

	if (qmp_send(q, qmp_request(command, arguments), &id, err))
		return -1;
	return qmp_receive(q, id, reply, err);
}

int qmp_start(struct qmp *q, int64_t greeting_ms, int64_t reply_ms, struct err *err)
{
	uint64_t id;

	if (wait_greeting(q, greeting_ms, err) ||
	    qmp_send(q, qmp_request("qmp_capabilities", NULL), &id, err) ||
	    await_reply(q, id, reply_ms, NULL, err))
		return -1;
	read_version(q);
	return 0;
}

/* As qmp_connect(), but wait behind other clients: a full queue has no event when it moves. */
int qmp_connect_in_turn(struct qmp **out, const struct address *address, const struct trace *trace,
			struct deadline *d, struct err *err)
{
	int64_t until_ms = deadline_within(d, QMP_GREETING_MS);
	struct err end;
	int status;

	while ((status = qmp_connect(out, address, trace, d, err)) == STREAM_QUEUED &&
	       monotonic_ms() < until_ms) {
		if (deadline_poll(d, NULL, 0, monotonic_ms() + QUEUE_MS, &end) >= 0)
			continue;
		if (end.code == ERR_INTERRUPTED)
			*err = end;
		return -1;
	}
	return status;
}

int qmp_open(struct qmp **out, const struct address *address, const struct trace *trace,
	     struct deadline *deadline, struct err *err)
{
	if (qmp_connect_in_turn(out, address, trace, deadline, err))
		return -1;
	if (!qmp_start(*out, deadline_within(deadline, QMP_GREETING_MS), DEADLINE_NEVER, err))
		return 0;
	qmp_close(*out);
	*out = NULL;
	return -1;
}

/* Take the first kept event that @handle accepts, or NULL. */
static struct json_object *take_event(struct qmp *q, qmp_handler_fn *handle, void *context)
{
	struct queued **at;

	for (at = &q->events.first; *at; at = &(*at)->next) {
		struct json_object *data = NULL;
		const char *name = "";

		json_get_string((*at)->object, "event", &name);
		json_get_object((*at)->object, "data", &data);
		if (handle(name, data, context))
			return queue_take(&q->events, at);
	}
	return NULL;
}

int qmp_wait_event(struct qmp *q, qmp_handler_fn *handle, void *context, int64_t until_ms,
		   struct json_object **event, struct err *err)
{
	for (;;) {
		int ready;

		*event = take_event(q, handle, context);
		if (*event)
			return 1;
		ready = pump(q, until_ms, err);
		if (ready <= 0)
			return ready;
	}
}

void qmp_observe(struct qmp *q, qmp_observe_fn *observe, void *context)
{
	q->observe = observe;
	q->observe_context = context;
}

bool qmp_has_events(const struct qmp *q)
{
	return q->events.first;
}

unsigned qmp_count_lost(struct qmp *q)
{
	unsigned count = q->lost_count;

	q->lost_count = 0;
	return count;
}

void qmp_forget_replies(struct qmp *q)
{
	queue_free(&q->replies);
	q->awaited_count = 0;
}
