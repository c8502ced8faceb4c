/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One guest channel: guest.sh at the far end of whatever transport there is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest/agent-blocks.h"
#include "guest/agent.h"
#include "guest/answer.h"
#include "guest/exec.h"
#include "guest/frame.h"
#include "guest/guest.h"
#include "guest/panic.h"
#include "guest/parts.h"
#include "guest/patience.h"
#include "guest/program.h"
#include "guest/serial.h"
#include "lib/process.h"

#define LINES_MAX    65536	/* frames in one answer */
#define BYTES_MAX    (16 << 20) /* of their payloads: what is kept for a guest is bounded */
#define NOISE_MAX    (1 << 18)	/* bytes without a line end that are kept */
#define LEAVE_MS     3000	/* a goodbye takes no longer ... */
#define LEAVE_MIN_MS 300	/* ... and gets this even when the deadline has passed */

/* Bytes that may wait unread: a terminal drops input past 4095. */
#define QUEUE_MAX 4000

/* Before what another shell might know too, which reads it when the session has been killed. */
#define ONLY_OURS "[ $MEMHP ]&&"

struct guest {
	struct stream stream;
	struct process process;
	struct serial serial;
	struct login *login;
	struct agent agent;
	struct exec exec;
	struct agent_blocks blocks; /* open where the agent does not allow guest-exec */
	char *commands;		    /* the last that were sent */
	struct deadline *deadline;
	const struct trace *trace;
	bool is_console;
	bool is_known;	   /* has answered: a shell that runs guest.sh is there */
	bool is_pending;   /* sent, and not answered yet */
	bool is_leaving;   /* told to leave, and has not said goodbye yet */
	bool is_lost;	   /* the console is there, but not the shell that was on it */
	bool is_abandoned; /* nothing is said to it any more */
	bool has_panicked; /* as its console says */
	piece_set loaded;
	struct address address;
	struct stream_opener opener;
	size_t unread_bytes; /* at most: sent since the last answer */
	guest_hear_fn *hear; /* NULL: nobody listens */
	void *hear_context;
	struct patience patience; /* with the answer under way */
	char id[FRAME_ID_LEN + 1];
	unsigned exchange;
};

/* After *err of the stream: should the far end have gone away, nothing more comes of it. */
static int failed(struct guest *g, struct err *err)
{
	if (g->is_abandoned)
		return -1;
	g->is_lost = err->code == ERR_GUEST_UNREACHABLE;
	g->is_pending = g->is_pending && !g->is_lost;
	return process_explain(&g->process, &g->stream, err);
}

/* Send lines that more is to follow, or that another shell may read. */
static int write_text(struct guest *g, const char *text, struct err *err)
{
	return stream_write(&g->stream, text, strlen(text), g->deadline, err) ? failed(g, err) : 0;
}

/* Send a line that is to be answered. */
static int write_line(struct guest *g, const char *line, struct err *err)
{
	if (!g->is_console)
		return write_text(g, line, err);
	return serial_write(&g->stream, line, g->deadline, err) ? failed(g, err) : 0;
}

static void notice_panic(struct guest *g)
{
	g->has_panicked = true;
	guest_abandon(g);
}

/*
 * Take the lines that have come into @answer; true when the answer is whole. *noisy says whether
 * anything else was among them, which on a console may have damaged a frame.
 */
static bool take_lines(struct guest *g, struct answer *answer, bool *noisy)
{
	char *line;

	while ((line = stream_line(&g->stream))) {
		struct frame frame;
		bool ours = frame_parse(line, g->id, &frame);

		if (!ours && frame_is_last(line, g->id))
			g->is_lost = true;
		else if (ours && !frame.exchange && !strcmp(frame.payload, "alive"))
			g->is_known = true;
		else if (ours && frame.exchange == g->exchange && frame.sequence > LINES_MAX)
			answer->is_cut = true;
		else if (ours && frame.exchange == g->exchange && frame.sequence)
			answer_put(answer, frame.sequence - 1, frame.payload);
		else if (ours && frame.exchange == g->exchange && g->hear)
			g->hear(g->hear_context, frame.payload);
		else if (!ours)
			*noisy = true;
		if (!ours && g->is_console && panic_is(line))
			notice_panic(g);
		free(line);
	}
	if (g->stream.in.len > NOISE_MAX)
		buf_drop(&g->stream.in, g->stream.in.len);
	return g->is_lost || answer_finish(answer);
}

/*
 * Send a word to the shell on a console. Should that have died, another shell is there now, which
 * does not know the word and says that the session has ended, for which it lacks MEMHP. The
 * listener of guest.sh may be killed while it reads: what is left of either line does nothing.
 */
static int send_word(struct guest *g, const char *word, struct err *err)
{
	_cleanup_free_ char *line = xasprintf(ONLY_OURS "%s\necho @%s${MEMHP-}@\n", word, g->id);

	return write_text(g, line, err);
}

int64_t guest_due_ms(const struct guest *g)
{
	return patience_due_ms(&g->patience);
}

/* By the clock: in a flood of messages there is no quiet time. */
static int ask_again(struct guest *g, struct err *err)
{
	if (monotonic_ms() < guest_due_ms(g))
		return 0;
	if (g->is_console && send_word(g, "again", err))
		return -1;
	patience_ask(&g->patience);
	return 0;
}

/* Read what comes of the answer until the sooner of both times. */
static int fill(struct guest *g, const struct answer *answer, int64_t until_ms, struct err *err)
{
	int64_t due_ms = guest_due_ms(g);

	if (answer->bytes > BYTES_MAX || answer->is_cut)
		return err_set(err, ERR_GUEST_UNREACHABLE, "an answer on the %s is too long",
			       g->stream.peer);
	if (stream_fill(&g->stream, until_ms < due_ms ? until_ms : due_ms, g->deadline, err) < 0)
		return failed(g, err);
	if (!g->is_known && monotonic_ms() >= g->patience.limit_ms)
		return err_set(err, ERR_GUEST_UNREACHABLE, "no shell answers on the %s",
			       g->stream.peer);
	return 0;
}

/* Wait for the answer, and ask for it again where noise may have damaged it, and now and then
 * anyway: the shell may have died without a word. Return: 1, 0 at @until_ms, -1 */
static int collect(struct guest *g, struct answer *answer, int64_t until_ms, struct err *err)
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

/* Have the agent's own commands answer. Return: 1, -1 */
static int serve(struct guest *g, struct answer *answer, struct err *err)
{
	int status = agent_blocks_run(&g->blocks, g->commands, answer, g->deadline, err);

	g->is_lost = g->agent.is_lost;
	g->is_pending = g->agent.awaited && !g->is_lost;
	return status ? -1 : 1;
}

/* After *err: does the agent, which does not allow guest-exec, allow its own commands? */
static int fall_back(struct guest *g, struct answer *answer, struct err *err)
{
	exec_close(&g->exec, &g->stream, g->deadline);
	if (agent_blocks_open(&g->blocks, &g->agent, g->deadline, err))
		return -1;
	return serve(g, answer, err);
}

int guest_poll(struct guest *g, struct answer *answer, int64_t until_ms, struct err *err)
{
	int status = g->blocks.agent ? serve(g, answer, err) : collect(g, answer, until_ms, err);

	if (status < 0 && g->exec.is_forbidden)
		status = fall_back(g, answer, err);
	if (status <= 0)
		return status;
	g->is_pending = false;
	g->is_known = true;
	g->unread_bytes = 0;
	if (g->is_lost)
		return err_set(err, ERR_GUEST_UNREACHABLE,
			       g->has_panicked ? "the guest's kernel has panicked, as the %s says"
					       : "the shell on the %s has ended",
			       g->stream.peer);
	answer_trace(answer, g->trace);
	return 1;
}

static int receive(struct guest *g, struct answer *answer, bool is_urgent, struct err *err)
{
	answer_free(answer);
	patience_begin(&g->patience, is_urgent);
	return guest_poll(g, answer, DEADLINE_NEVER, err) < 0 ? -1 : 0;
}

int guest_receive(struct guest *g, struct answer *answer, struct err *err)
{
	return receive(g, answer, false, err);
}

bool guest_is_lost(const struct guest *g)
{
	return g->is_lost;
}

void guest_abandon(struct guest *g)
{
	g->is_lost = g->is_abandoned = g->agent.is_lost = true;
	g->is_pending = g->is_leaving = g->login->is_in = false;
}

int guest_idle_fd(const struct guest *g)
{
	return g->is_console && !g->is_pending && !g->is_abandoned ? g->stream.in_fd : -1;
}

bool guest_hear(struct guest *g)
{
	int heard = panic_hear(&g->stream, g->is_leaving, NOISE_MAX);

	if (heard > 0)
		notice_panic(g);
	return heard >= 0;
}

bool guest_has_panicked(const struct guest *g)
{
	return g->has_panicked;
}

void guest_listen(struct guest *g, guest_hear_fn *hear, void *context)
{
	g->hear = hear;
	g->hear_context = context;
}

int guest_fd(const struct guest *g)
{
	return g->stream.in_fd;
}

static int reopen(struct guest *g, struct err *err);

int guest_load(struct guest *g, const char *commands, struct err *err)
{
	int piece;

	while (!g->blocks.agent && (piece = pieces_next(commands, g->loaded)) >= 0) {
		if (write_text(g, pieces_text(piece), err))
			return -1;
		g->loaded |= UINT32_C(1) << piece;
		g->unread_bytes += strlen(pieces_text(piece));
	}
	return 0;
}

/* Start commands at a shell that has all it needs for them. */
static int send_commands(struct guest *g, const char *commands, struct err *err)
{
	_cleanup_free_ char *line = xasprintf("begin %u&&{ %s;answer;}\n", ++g->exchange, commands);

	free(g->commands);
	g->commands = xstrdup(commands);
	if (!g->blocks.agent && write_line(g, line, err))
		return -1;
	g->is_pending = true;
	patience_begin(&g->patience, false);
	return 0;
}

/* Start commands that a terminal's queue does not hold. */
static int send_parts(struct guest *g, const char *commands, struct err *err)
{
	struct answer answer = { 0 };
	size_t done = 0;
	int status = 0;
	char *part;

	while (!status && (part = parts_next(commands, &done))) {
		status = send_commands(g, part, err) || guest_receive(g, &answer, err);
		answer_free(&answer);
		free(part);
	}
	return status ? -1 : send_commands(g, PARTS_RUN, err);
}

int guest_send(struct guest *g, const char *commands, struct err *err)
{
	struct answer answer = { 0 };
	int status = 0;

	if (g->is_abandoned)
		return err_set(err, ERR_GUEST_UNREACHABLE, "the guest has ended or restarted");
	if (((g->is_leaving || g->is_lost || exec_ends_before(&g->exec, g->deadline)) &&
	     reopen(g, err)) ||
	    guest_load(g, commands, err))
		return -1;
	/* what has been sent before must have been read before this may fill the queue */
	if (g->is_console && g->unread_bytes + strlen(commands) > QUEUE_MAX)
		status = send_commands(g, ":", err) || guest_receive(g, &answer, err);
	answer_free(&answer);
	if (status)
		return -1;
	trace_say(g->trace, "guest", '>', commands);
	return g->is_console && strlen(commands) > QUEUE_MAX ? send_parts(g, commands, err)
							     : send_commands(g, commands, err);
}

int guest_run(struct guest *g, const char *commands, struct answer *answer, struct err *err)
{
	if (guest_send(g, commands, err))
		return -1;
	return guest_receive(g, answer, err);
}

int guest_cancel(struct guest *g, struct answer *answer, struct err *err)
{
	answer_free(answer);
	if (!g->is_pending)
		return 0;
	if (g->blocks.agent)
		return agent_blocks_finish(&g->blocks, g->deadline, err) ||
				       guest_run(g, "scan", answer, err)
			       ? -1
			       : 0;
	trace_say(g->trace, "guest", '>', "q");
	if (send_word(g, "q", err))
		return -1;
	return receive(g, answer, true, err);
}

static int open_agent(struct guest *g, const char *path, struct err *err)
{
	g->blocks.agent = NULL;
	if (agent_open(&g->agent, path, g->opener, g->deadline, err))
		return -1;
	exec_open(&g->exec, &g->agent, &g->stream, g->id);
	return 0;
}

/* Open the transport that the address names. */
static int open_transport(struct guest *g, struct err *err)
{
	const struct address *a = &g->address;

	switch (a->kind) {
	case ADDRESS_SERIAL:
		g->is_console = true;
		return serial_open(&g->serial, &g->stream, a->path, g->opener, g->id, g->login,
				   g->deadline, err);
	case ADDRESS_AGENT:
		return open_agent(g, a->path, err);
	case ADDRESS_SSH:
		return process_open_ssh(&g->stream, &g->process, a, NULL, "sh", g->deadline, err);
	case ADDRESS_EXEC:
		return process_open_command(&g->stream, &g->process, a->path, err);
	case ADDRESS_LOCAL:
		return process_open_local(&g->stream, &g->process, a->path, err);
	default:
		return err_set(err, ERR_USAGE, "'%s' is no guest channel", a->text);
	}
}

/* A console's shell already has the id, and its output where it belongs. Any other says that it is
 * there, as its first answer may take long; not in words that an echo would say as well. */
static int start_program(struct guest *g, struct err *err)
{
	char line[128];

	snprintf(line, sizeof(line),
		 "MEMHP=%s;exec 3>&1 >/dev/null 2>&1;"
		 "echo \"@$MEMHP.0 1 5 alive 1 5 $MEMHP@\" >&3\n",
		 g->id);
	if (!g->is_console && write_text(g, line, err))
		return -1;
	return guest_load(g, "", err);
}

int guest_open(struct guest **out, const struct address *address, struct stream_opener opener,
	       struct login *login, const struct trace *trace, struct deadline *deadline,
	       struct err *err)
{
	struct guest *g = xcalloc(1, sizeof(*g));

	g->stream.in_fd = g->stream.out_fd = -1;
	g->login = login;
	g->deadline = deadline;
	g->trace = trace;
	g->address = *address;
	g->opener = opener;
	if (frame_make_id(g->id, err) || open_transport(g, err) || start_program(g, err)) {
		guest_close(g);
		return -1;
	}
	*out = g;
	return 0;
}

void guest_leave(struct guest *g)
{
	struct err ignored;

	if (!g->is_console || g->is_pending || g->is_leaving || g->stream.out_fd < 0)
		return;
	g->is_leaving = !write_line(g, ONLY_OURS "exit\n", &ignored);
}

/* Wait until what is under way has ended, and the guest says that it has put the console's modes
 * back, so that none of it is lost. */
static void part(struct guest *g)
{
	struct answer answer = { 0 };
	struct err ignored;

	if (!g->is_lost && !guest_cancel(g, &answer, &ignored))
		guest_leave(g);
	if (g->is_leaving)
		(void)!guest_receive(g, &answer, &ignored);
	answer_free(&answer);
	g->is_leaving = false;
}

static void close_transport(struct guest *g, bool is_for_good)
{
	struct deadline *whole = g->deadline;
	struct deadline parting = deadline_parting(whole, LEAVE_MIN_MS, LEAVE_MS);

	g->deadline = &parting;
	if (g->agent.is_open || (g->is_console && g->stream.out_fd >= 0))
		part(g);
	if (g->is_console && g->stream.out_fd >= 0 && is_for_good)
		login_leave(g->login, &g->stream, g->id, whole);
	exec_close(&g->exec, &g->stream, &parting);
	process_close(&g->process, &g->stream);
	serial_close(&g->serial, &g->stream);
	g->deadline = whole;
	agent_close(&g->agent);
}

static int reopen(struct guest *g, struct err *err)
{
	close_transport(g, false);
	g->is_lost = false;
	g->loaded = 0;
	/* a new id: late frames of the old session are none of this one */
	return frame_make_id(g->id, err) || open_transport(g, err) || start_program(g, err) ? -1
											    : 0;
}

void guest_close(struct guest *g)
{
	if (!g)
		return;
	close_transport(g, !g->login->is_kept);
	free(g->commands);
	free(g);
}
