/* SPDX-License-Identifier: GPL-3.0-or-later */
/* guest.sh in a shell at the far end of a stream. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest/session.h"
#include "guest/shell.h"

#define LINES_MAX 65536	     /* frames in one answer */
#define BYTES_MAX (16 << 20) /* of their payloads: bounds the memory that a guest can use */
#define NOISE_MAX (1 << 18)  /* bytes without a line end that are kept */

int session_explain(struct guest *g, struct err *err)
{
	if (g->is_abandoned)
		return -1;
	g->is_lost = err->code == ERR_GUEST_UNREACHABLE;
	g->is_pending = g->is_pending && !g->is_lost;
	return process_explain(&g->process, &g->stream, err);
}

int session_write(struct guest *g, const char *text, struct err *err)
{
	return stream_write(&g->stream, text, strlen(text), g->deadline, err)
		       ? session_explain(g, err)
		       : 0;
}

/*
 * If the session has died, another shell reads the word: it does not have it, and since it lacks
 * MEMHP it answers that the session has ended. The listener of guest.sh may be killed while it
 * reads: the rest of either line does nothing.
 */
int session_send_word(struct guest *g, const char *word, struct err *err)
{
	_cleanup_free_ char *line = xasprintf(SESSION_ONLY "%s\necho @%s${MEMHP-}@\n", word, g->id);

	return session_write(g, line, err);
}

/* "at BLOCK": this block and those before it are done. */
static void hear_progress(struct guest *g, const char *payload)
{
	uint64_t block;

	if (g->hear && !strncmp(payload, "at ", 3) && parse_u64(payload + 3, 10, &block))
		g->hear(g->hear_context, block);
}

/* Handle a frame of this session. */
static void take_frame(struct guest *g, struct answer *answer, const struct frame *frame)
{
	if (!frame->exchange && !strcmp(frame->payload, "alive"))
		g->is_known = true;
	else if (frame->exchange != g->exchange)
		return;
	else if (frame->sequence > LINES_MAX)
		answer->is_cut = true;
	else if (frame->sequence)
		answer_put(answer, frame->sequence - 1, frame->payload);
	else
		hear_progress(g, frame->payload);
}

/*
 * Take the lines that have come into @answer; true when the answer is complete. *noisy: there was
 * other output among them, which on a console may have damaged a frame.
 */
static bool take_lines(struct guest *g, struct answer *answer, bool *noisy)
{
	char *line;

	while ((line = stream_line(&g->stream))) {
		struct frame frame;
		bool ours = frame_parse(line, g->id, &frame);

		if (ours)
			take_frame(g, answer, &frame);
		else if (frame_is_last(line, g->id))
			g->is_lost = true;
		else
			*noisy = true;
		if (!ours && g->ops->hear_other)
			g->ops->hear_other(g, line);
		free(line);
	}
	if (g->stream.in.len > NOISE_MAX)
		buf_drop(&g->stream.in, g->stream.in.len);
	return g->is_lost || answer_end(answer);
}

/* By the clock: a flood of messages leaves no quiet time. */
static int ask_again(struct guest *g, struct err *err)
{
	if (monotonic_ms() < patience_due_ms(&g->patience))
		return 0;
	if (g->ops->remind && g->ops->remind(g, err))
		return -1;
	patience_ask(&g->patience);
	return 0;
}

/* Read more of the answer, until @until_ms or the time to ask again. */
static int fill(struct guest *g, const struct answer *answer, int64_t until_ms, struct err *err)
{
	int64_t due_ms = patience_due_ms(&g->patience);

	if (answer->bytes > BYTES_MAX || answer->is_cut)
		return err_set(err, ERR_GUEST_UNREACHABLE, "an answer on the %s is too long",
			       g->stream.peer);
	if (stream_fill(&g->stream, until_ms < due_ms ? until_ms : due_ms, g->deadline, err) < 0)
		return session_explain(g, err);
	if (!g->is_known && monotonic_ms() >= g->patience.limit_ms)
		return err_set(err, ERR_GUEST_UNREACHABLE, "no shell answers on the %s",
			       g->stream.peer);
	return 0;
}

/* Wait for the answer; ask for it again if noise may have damaged it, and from time to time anyway:
 * the shell may have died silently. */
int session_poll(struct guest *g, struct answer *answer, int64_t until_ms, struct err *err)
{
	bool is_over = false;

	while (!take_lines(g, answer, &g->patience.is_noisy)) {
		if (is_over)
			return 0;
		if (fill(g, answer, until_ms, err) || ask_again(g, err))
			return -1;
		is_over = monotonic_ms() >= until_ms;
	}
	return 1;
}

int session_fd(const struct guest *g)
{
	return g->stream.in_fd;
}

int64_t session_due_ms(const struct guest *g)
{
	return patience_due_ms(&g->patience);
}

int session_load(struct guest *g, verb_set verbs, struct err *err)
{
	int piece;

	while ((piece = pieces_next(verbs, g->loaded)) >= 0) {
		if (session_write(g, pieces_text(piece), err))
			return -1;
		g->loaded |= UINT32_C(1) << piece;
		g->unread_bytes += strlen(pieces_text(piece));
	}
	return 0;
}

/* Start commands in a shell that has all the pieces they need. */
static int start_commands(struct guest *g, const char *commands, struct err *err)
{
	_cleanup_free_ char *line = xasprintf("begin %u&&{ %s;answer;}\n", ++g->exchange, commands);

	if (g->ops->write_line(g, line, err))
		return -1;
	g->is_pending = true;
	patience_begin(&g->patience, false);
	return 0;
}

/* The same, and wait until they are done. */
static int run_commands(struct guest *g, const char *commands, struct err *err)
{
	struct answer answer = { 0 };
	int status = start_commands(g, commands, err) || guest_receive(g, &answer, err) ? -1 : 0;

	answer_free(&answer);
	return status;
}

/* Start commands that are too long for a terminal's queue. */
static int start_parts(struct guest *g, const char *commands, struct err *err)
{
	size_t done = 0;
	int status = 0;
	char *part;

	while (!status && (part = shell_part(commands, &done))) {
		status = run_commands(g, part, err);
		free(part);
	}
	return status ? -1 : start_commands(g, SHELL_RUN_PARTS, err);
}

int session_send(struct guest *g, const struct request *r, struct err *err)
{
	size_t queue_bytes = g->ops->queue_bytes ? g->ops->queue_bytes : SIZE_MAX;
	_cleanup_free_ char *commands = shell_encode(r);

	if (session_load(g, request_verbs(r), err))
		return -1;
	/* this may fill the queue, so earlier lines must have been read */
	if (g->unread_bytes + strlen(commands) > queue_bytes && run_commands(g, ":", err))
		return -1;
	trace_say(g->trace, "guest", '>', commands);
	return strlen(commands) > queue_bytes ? start_parts(g, commands, err)
					      : start_commands(g, commands, err);
}

int session_cancel(struct guest *g, struct answer *answer, struct err *err)
{
	trace_say(g->trace, "guest", '>', "q");
	if (session_send_word(g, "q", err))
		return -1;
	patience_begin(&g->patience, true);
	return guest_poll(g, answer, DEADLINE_NEVER, err) < 0 ? -1 : 0;
}

/* The shell reports that it is there, as its first answer may take long; the line is written so
 * that an echo of it is not mistaken for that. */
int session_start(struct guest *g, bool has_id, struct err *err)
{
	char line[128];

	snprintf(line, sizeof(line),
		 "MEMHP=%s;exec 3>&1 >/dev/null 2>&1;"
		 "echo \"@$MEMHP.0 1 5 alive 1 5 $MEMHP@\" >&3\n",
		 g->id);
	if (!has_id && session_write(g, line, err))
		return -1;
	return session_load(g, 0, err);
}
