/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The transports to a guest. */
#include "guest/channel.h"
#include "guest/panic.h"
#include "guest/session.h"
#include "guest/shell.h"

/* Bytes that may wait unread: a terminal drops input past 4095. */
#define QUEUE_MAX 4000

/* A child process: ssh, the user's command, or a shell on this machine. */

static int start_process(struct guest *g, struct err *err)
{
	const struct address *a = &g->address;

	if (a->kind == ADDRESS_SSH)
		return process_open_ssh(&g->stream, &g->process, a, NULL, "sh", g->deadline, err);
	if (a->kind == ADDRESS_EXEC)
		return process_open_command(&g->stream, &g->process, a->path, err);
	return process_open_local(&g->stream, &g->process, a->path, err);
}

static int open_process(struct guest *g, struct err *err)
{
	return start_process(g, err) || session_start(g, false, err) ? -1 : 0;
}

static void close_process(struct guest *g, bool is_for_good, const struct deadline *whole)
{
	(void)is_for_good, (void)whole;
	process_close(&g->process, &g->stream);
	stream_free(&g->stream);
}

const struct channel_ops channel_process = {
	.open = open_process,
	.load = session_load,
	.send = session_send,
	.poll = session_poll,
	.cancel = session_cancel,
	.close = close_process,
	.fd = session_fd,
	.due_ms = session_due_ms,
	.write_line = session_write,
};

/* A console: opening it gives its shell the id and redirects its output. */

static int open_console(struct guest *g, struct err *err)
{
	return serial_open(&g->serial, &g->stream, g->address.path, g->opener, g->id, g->login,
			   g->deadline, err) ||
			       session_start(g, true, err)
		       ? -1
		       : 0;
}

static int write_console_line(struct guest *g, const char *line, struct err *err)
{
	return serial_write(&g->stream, line, g->deadline, err) ? session_explain(g, err) : 0;
}

static int remind_console(struct guest *g, struct err *err)
{
	return session_send_word(g, "again", err);
}

static void hear_kernel(struct guest *g, const char *line)
{
	if (panic_is(line))
		guest_note_panic(g);
}

static void leave_console(struct guest *g)
{
	struct err ignored;

	if (!g->is_pending && !g->is_leaving && g->stream.out_fd >= 0)
		g->is_leaving = !write_console_line(g, SESSION_ONLY "exit\n", &ignored);
}

/* Wait until the request under way has ended and the guest says that it has restored the console's
 * modes, so that no output is lost. */
static void part_from_console(struct guest *g)
{
	struct answer answer = { 0 };
	struct err ignored;

	if (!g->is_lost && !guest_cancel(g, &answer, &ignored))
		leave_console(g);
	if (g->is_leaving)
		(void)!guest_receive(g, &answer, &ignored);
	answer_free(&answer);
	g->is_leaving = false;
}

static void close_console(struct guest *g, bool is_for_good, const struct deadline *whole)
{
	if (g->stream.out_fd >= 0) {
		part_from_console(g);
		if (is_for_good)
			login_leave(g->login, &g->stream, g->id, whole);
	}
	serial_close(&g->serial, &g->stream);
}

const struct channel_ops channel_console = {
	.open = open_console,
	.load = session_load,
	.send = session_send,
	.poll = session_poll,
	.cancel = session_cancel,
	.close = close_console,
	.leave = leave_console,
	.fd = session_fd,
	.due_ms = session_due_ms,
	.write_line = write_console_line,
	.remind = remind_console,
	.hear_other = hear_kernel,
	.queue_bytes = QUEUE_MAX,
};

/* A shell that the agent starts (guest/exec.h), else the agent's own commands. */

static int open_agent(struct guest *g, struct err *err)
{
	if (agent_open(&g->agent, g->address.path, g->opener, g->deadline, err))
		return -1;
	exec_open(&g->exec, &g->agent, &g->stream, g->id);
	return session_start(g, false, err);
}

/* After *err: the agent forbids guest-exec; does it allow its memory-block commands? */
static int fall_back(struct guest *g, struct answer *answer, int64_t until_ms, struct err *err)
{
	exec_close(&g->exec, &g->stream, g->deadline);
	if (agent_blocks_open(&g->blocks, &g->agent, g->deadline, err))
		return -1;
	g->ops = &channel_blocks;
	return g->ops->poll(g, answer, until_ms, err);
}

static int poll_exec(struct guest *g, struct answer *answer, int64_t until_ms, struct err *err)
{
	int status = session_poll(g, answer, until_ms, err);

	return status < 0 && g->exec.is_forbidden ? fall_back(g, answer, until_ms, err) : status;
}

static void close_agent(struct guest *g, bool is_for_good, const struct deadline *whole)
{
	struct answer answer = { 0 };
	struct err ignored;

	(void)is_for_good, (void)whole;
	if (!g->is_lost)
		(void)!guest_cancel(g, &answer, &ignored);
	answer_free(&answer);
	exec_close(&g->exec, &g->stream, g->deadline);
	agent_close(&g->agent);
}

static int agent_fd(const struct guest *g)
{
	return g->agent.stream.in_fd;
}

static int64_t exec_due(const struct guest *g)
{
	int64_t due_ms = session_due_ms(g), exec_ms = exec_due_ms(&g->exec);

	return exec_ms < due_ms ? exec_ms : due_ms;
}

static bool ends_early(const struct guest *g)
{
	return exec_ends_before(&g->exec, g->deadline);
}

const struct channel_ops channel_exec = {
	.open = open_agent,
	.load = session_load,
	.send = session_send,
	.poll = poll_exec,
	.cancel = session_cancel,
	.close = close_agent,
	.fd = agent_fd,
	.due_ms = exec_due,
	.ends_early = ends_early,
	.write_line = session_write,
};

static int send_to_blocks(struct guest *g, const struct request *r, struct err *err)
{
	_cleanup_free_ char *commands = trace_is_on(g->trace) ? shell_encode(r) : NULL;

	(void)err;
	trace_say(g->trace, "guest", '>', commands);
	g->is_pending = true;
	return 0;
}

static int poll_blocks(struct guest *g, struct answer *answer, int64_t until_ms, struct err *err)
{
	int status = agent_blocks_run(&g->blocks, &g->request, answer, until_ms, g->deadline, err);

	g->is_lost = g->agent.is_lost;
	if (status)
		g->is_pending = g->agent.awaited && !g->is_lost;
	return status;
}

/* Nothing can stop a write that hangs. */
static int cancel_blocks(struct guest *g, struct answer *answer, struct err *err)
{
	_cleanup_request_ struct request scan = { 0 };

	request_add(&scan, VERB_SCAN);
	return agent_blocks_finish(&g->blocks, g->deadline, err) || guest_run(g, &scan, answer, err)
		       ? -1
		       : 0;
}

static int64_t blocks_due_ms(const struct guest *g)
{
	return g->agent.awaited ? DEADLINE_NEVER : 0;
}

const struct channel_ops channel_blocks = {
	.open = open_agent,
	.send = send_to_blocks,
	.poll = poll_blocks,
	.cancel = cancel_blocks,
	.close = close_agent,
	.fd = agent_fd,
	.due_ms = blocks_due_ms,
};
