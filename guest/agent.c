/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A session with qemu-guest-agent. */
#include <string.h>
#include <sys/random.h>

#include "guest/agent.h"

#define SYNC_MAX_MS 10000 /* a running agent has answered by then */
#define NOISE_MAX   65536 /* bytes without a line end that are kept */
#define SENTINEL    "\xff"

int agent_broken(struct agent *a, const char *why, struct err *err)
{
	a->is_lost = true;
	return err_set(err, ERR_GUEST_UNREACHABLE, "the %s broke the protocol: %s", a->stream.peer,
		       why);
}

/* Wait for a message from the agent; the caller owns it. */
static int receive(struct agent *a, struct json_object **message, int64_t until_ms,
		   struct deadline *d, struct err *err)
{
	const char *why;
	size_t bytes;
	int status;

	while (!(status = json_reader_next(&a->reader, &a->stream.in, message, &bytes, &why))) {
		int ready = stream_fill(&a->stream, until_ms, d, err);

		if (!ready)
			return AGENT_SILENT;
		if (ready < 0) {
			a->is_lost = err->code == ERR_GUEST_UNREACHABLE;
			return -1;
		}
	}
	return status > 0 ? 0 : agent_broken(a, why, err);
}

int agent_send(struct agent *a, const char *command, struct json_object *arguments, int awaited,
	       struct deadline *d, struct err *err)
{
	_cleanup_json_ struct json_object *request = json_object_new_object();
	_cleanup_free_ char *line = NULL;

	json_add_string(request, "execute", command);
	if (arguments)
		json_object_object_add(request, "arguments", arguments);
	line = xasprintf("%s\n", json_text(request));
	a->command = command;
	a->awaited = awaited;
	return stream_write(&a->stream, line, strlen(line), d, err);
}

/* An error for an answer. */
static int refused(struct agent *a, struct json_object *message, struct err *err)
{
	const char *class = "", *text = "no description";
	struct json_object *error;

	if (!json_get_object(message, "error", &error))
		return agent_broken(a, "neither return nor error", err);
	json_get_string(error, "class", &class);
	json_get_string(error, "desc", &text);
	if (strcmp(class, "CommandNotFound") != 0) {
		err_set(err, ERR_GUEST_UNREACHABLE, "the %s says: %s", a->stream.peer, text);
		return AGENT_REFUSED;
	}
	err_set(err, ERR_GUEST_UNREACHABLE, "the %s does not allow %s: %s", a->stream.peer,
		a->command, text);
	err_hint(err, "allow it in the guest's /etc/qemu/qemu-ga.conf, or use --guest serial:PATH "
		      "or ssh:HOST");
	return AGENT_FORBIDDEN;
}

int agent_receive(struct agent *a, struct json_object **message, int64_t until_ms,
		  struct deadline *d, struct err *err)
{
	int status = receive(a, message, until_ms, d, err);

	if (status)
		return status;
	a->awaited = 0;
	if (json_object_object_get_ex(*message, "return", NULL))
		return 0;
	status = refused(a, *message, err);
	json_object_put(*message);
	*message = NULL;
	return status;
}

int agent_run(struct agent *a, const char *command, struct json_object *arguments,
	      struct json_object **message, struct deadline *d, struct err *err)
{
	if (agent_send(a, command, arguments, 1, d, err))
		return -1;
	return agent_receive(a, message, DEADLINE_NEVER, d, err);
}

/* Is the line the answer to our own request? Answers that others left unread may precede it. */
static bool answers(const char *line, uint64_t id)
{
	_cleanup_json_ struct json_object *message = NULL;
	const char *sentinel = strrchr(line, (unsigned char)SENTINEL[0]);
	uint64_t got;

	message = sentinel ? json_tokener_parse(sentinel + 1) : NULL;
	return json_get_u64(message, "return", &got) && got == id;
}

/*
 * Synchronise, so that the next answer is ours. An earlier client may have left half a request or
 * unread answers. The byte 0xff, which JSON never contains, ends half a request, to which the agent
 * answers with an error; the agent also puts it before the answer to this one.
 */
static int sync_stream(struct agent *a, struct deadline *d, struct err *err)
{
	int64_t until_ms = deadline_within(d, SYNC_MAX_MS);
	_cleanup_free_ char *request = NULL;
	uint32_t id;

	if (getrandom(&id, sizeof(id), 0) != (ssize_t)sizeof(id))
		return err_set(err, ERR_FAILED, "cannot get random bytes");
	request = xasprintf(SENTINEL "{\"execute\":\"guest-sync-delimited\","
				     "\"arguments\":{\"id\":%u}}\n",
			    id);
	if (stream_write(&a->stream, request, strlen(request), d, err))
		return -1;
	while (monotonic_ms() < until_ms) {
		_cleanup_free_ char *line = stream_line(&a->stream);

		if (line && answers(line, id))
			return 0;
		if (!line && a->stream.in.len > NOISE_MAX)
			buf_drop(&a->stream.in, a->stream.in.len);
		if (!line && stream_fill(&a->stream, until_ms, d, err) < 0)
			return -1;
	}
	return err_set(err, ERR_TIMEOUT, "no answer");
}

/* A missing agent is silent, and so is a socket that another client is connected to. */
static int greet(struct agent *a, struct deadline *d, struct err *err)
{
	if (!sync_stream(a, d, err))
		return 0;
	if (err->code != ERR_TIMEOUT)
		return -1;
	err_set(err, ERR_GUEST_UNREACHABLE, "the %s does not answer", a->stream.peer);
	return err_hint(err, "is qemu-guest-agent running in the guest, and no other program "
			     "connected to that socket?");
}

int agent_open(struct agent *a, const char *path, struct stream_opener opener, struct deadline *d,
	       struct err *err)
{
	int fd;

	if (opener.open(opener.context, path, &fd, err))
		return -1;
	*a = (struct agent){ 0 };
	json_reader_init(&a->reader);
	stream_init(&a->stream, fd, fd, xasprintf("guest agent on '%s'", path),
		    ERR_GUEST_UNREACHABLE);
	return greet(a, d, err);
}

void agent_close(struct agent *a)
{
	if (!a->stream.peer)
		return;
	stream_free(&a->stream);
	json_reader_free(&a->reader);
	*a = (struct agent){ 0 };
}
