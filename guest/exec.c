/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A shell in the guest through qemu-guest-agent's guest-exec. */
#include <string.h>

#include "guest/exec.h"
#include "lib/base64.h"
#include "lib/json.h"

#define PAUSE_MAX_MS 50	  /* no event reports a process's end: it is polled for */
#define GRACE_MS     2000 /* after memhp's deadline the shell ends by itself */
#define HOUR_MS	     3600000
#define DAY_MS	     86400000 /* without a deadline */
#define PART_MAX     65536    /* bytes of an answer that one process takes: "64k" below */

/* What a reply is for. */
enum { AWAIT_NOTHING, AWAIT_PROCESS, AWAIT_STATUS, AWAIT_WORD };

/*
 * $1 is the shell's directory, $2 its lifetime in seconds. A sleep holds the shell's input open:
 * when it ends, the shell restores what it changed, ends too and leaves nothing behind; only then
 * does the process that reads the answer see its end. "1<>" opens a FIFO that has no reader yet. An
 * agent whose client has gone passes on a process's input only when the next client comes: the
 * process reads all of it before it opens the shell's input, which it would otherwise hold open.
 */
#define PUT  "l=$(cat;echo .)&&printf %s \"${l%.}\" "
#define TAKE "exec dd bs=64k count=1 <out 2>/dev/null"

static const char begin_script[] = "umask 77;mkdir \"$1\"&&cd \"$1\"&&mkfifo in out||exit\n"
				   "(sleep \"$2\" >in&echo $! >holder;sh <in;kill $!;rm -r \"$1\")"
				   " 1<>out 2>/dev/null&\n" PUT ">in;" TAKE;
static const char exchange_script[] = "cd \"$1\"&&" PUT "1<>in&&" TAKE;
static const char word_script[] = "cd \"$1\"&&" PUT "1<>in";
static const char end_script[] =
	"cd \"$1\"&&read -r h <holder&&exec <out&&kill \"$h\"&&exec cat >/dev/null";

/* Start a script in the guest, with the collected lines as its input. */
static int start(struct exec *e, const char *script, int64_t seconds, int awaited,
		 struct deadline *d, struct err *err)
{
	struct json_object *arguments = json_object_new_object(), *words = json_object_new_array();
	_cleanup_free_ char *input = base64_encode(buf_text(&e->lines), e->lines.len);
	_cleanup_free_ char *life = xasprintf("%lld", (long long)seconds);
	const char *const argv[] = { "-c", script, "memhp", e->directory, life };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(argv); i++)
		json_object_array_add(words, json_object_new_string(argv[i]));
	json_add_string(arguments, "path", "/bin/sh");
	json_object_object_add(arguments, "arg", words);
	json_add_string(arguments, "input-data", input);
	json_add_bool(arguments, "capture-output", true, awaited == AWAIT_PROCESS);
	buf_free(&e->lines);
	e->pause_ms = 1;
	e->ask_ms = monotonic_ms() + e->pause_ms;
	return agent_send(e->agent, "guest-exec", arguments, awaited, d, err);
}

/* The process has ended without output: report what it wrote to stderr, if anything. */
static int no_output(struct exec *e, struct json_object *status, struct err *err)
{
	_cleanup_buf_ struct buf text = { 0 };
	const char *data = "";

	json_get_string(status, "err-data", &data);
	if (!base64_decode(data, &text))
		return agent_broken(e->agent, "err-data is not base64", err);
	if (text.len)
		return err_set(err, ERR_GUEST_UNREACHABLE, "the guest's shell says: %.*s",
			       (int)strcspn(text.data, "\n"), text.data);
	return err_set(err, ERR_GUEST_UNREACHABLE, "the shell of the %s has ended",
		       e->agent->stream.peer);
}

/* Handle the answer to guest-exec-status; the output goes to @w. */
static int take_status(struct exec *e, struct stream *w, struct json_object *status,
		       struct err *err)
{
	size_t had = w->in.len;
	const char *data = "";
	bool exited;

	if (!json_get_bool(status, "exited", &exited))
		return agent_broken(e->agent, "no boolean 'exited' in the answer", err);
	if (!exited)
		return 0;
	e->pid = 0;
	json_get_string(status, "out-data", &data);
	if (strlen(data) > (size_t)(PART_MAX + 2) / 3 * 4)
		return agent_broken(e->agent, "more output than was asked for", err);
	if (!base64_decode(data, &w->in))
		return agent_broken(e->agent, "out-data is not base64", err);
	return w->in.len > had ? 0 : no_output(e, status, err);
}

/* Handle an error as an answer. */
static int take_refusal(struct exec *e, int awaited, int status)
{
	if (awaited == AWAIT_STATUS)
		e->pid = 0;
	if (awaited == AWAIT_PROCESS && status == AGENT_FORBIDDEN) {
		e->is_forbidden = true;
		e->is_started = false;
	}
	return -1;
}

/* Wait for the outstanding reply, also after an earlier wait for it gave up: the next reply must
 * belong to the next request. Return: 0; 1 at @until_ms; -1 */
static int await_reply(struct exec *e, struct stream *w, int64_t until_ms, struct deadline *d,
		       struct err *err)
{
	_cleanup_json_ struct json_object *message = NULL;
	struct json_object *value = NULL;
	int status, awaited = e->agent->awaited;

	if (!awaited)
		return 0;
	status = agent_receive(e->agent, &message, until_ms, d, err);
	if (status)
		return status < 0		? -1
		       : status == AGENT_SILENT ? 1
						: take_refusal(e, awaited, status);
	json_get_object(message, "return", &value);
	if (awaited == AWAIT_STATUS)
		return take_status(e, w, value, err);
	if (awaited == AWAIT_PROCESS && (!json_get_u64(value, "pid", &e->pid) || !e->pid))
		return agent_broken(e->agent, "no number 'pid' in the answer", err);
	return 0;
}

/* Ask for the process's status if it is time; else wait until then, or until @until_ms. */
static int ask(struct exec *e, int64_t until_ms, struct deadline *d, struct err *err)
{
	struct pollfd fd = { .fd = e->agent->stream.in_fd }; /* its end is the only event */
	struct json_object *arguments;
	int ready = deadline_poll(d, &fd, 1, e->ask_ms < until_ms ? e->ask_ms : until_ms, err);

	if (ready < 0 || (!ready && monotonic_ms() < e->ask_ms))
		return ready;
	e->pause_ms = e->pause_ms * 2 < PAUSE_MAX_MS ? e->pause_ms * 2 : PAUSE_MAX_MS;
	e->ask_ms = monotonic_ms() + e->pause_ms;
	arguments = json_object_new_object();
	json_add_u64(arguments, "pid", true, e->pid);
	return agent_send(e->agent, "guest-exec-status", arguments, AWAIT_STATUS, d, err);
}

static int begin(struct exec *e, struct deadline *d, struct err *err)
{
	int64_t now_ms = monotonic_ms();

	e->end_ms = d->final_ms == DEADLINE_NEVER ? now_ms + DAY_MS : d->final_ms + GRACE_MS;
	e->is_started = true;
	return start(e, begin_script, (e->end_ms - now_ms + 999) / 1000, AWAIT_PROCESS, d, err);
}

/* Send the collected lines, and make sure that a process waits for the answer. */
static int proceed(struct exec *e, struct deadline *d, struct err *err)
{
	if (!e->is_started)
		return begin(e, d, err);
	if (!e->pid)
		return start(e, exchange_script, 0, AWAIT_PROCESS, d, err);
	return start(e, word_script, 0, AWAIT_WORD, d, err);
}

static int gather(void *context, const void *data, size_t len)
{
	struct exec *e = context;

	buf_add(&e->lines, data, len);
	return 0;
}

static int fill(void *context, struct stream *w, int64_t until_ms, struct deadline *d,
		struct err *err)
{
	struct exec *e = context;
	size_t had = w->in.len;

	for (;;) {
		int status = await_reply(e, w, until_ms, d, err);

		if (status)
			return status > 0 ? 0 : -1;
		if (w->in.len > had)
			return 1;
		if (e->pid && !e->lines.len && monotonic_ms() >= until_ms &&
		    monotonic_ms() < e->ask_ms)
			return 0;
		status = e->pid && !e->lines.len ? ask(e, until_ms, d, err) : proceed(e, d, err);
		if (status)
			return -1;
	}
}

void exec_open(struct exec *e, struct agent *a, struct stream *w, const char *id)
{
	*e = (struct exec){ .agent = a, .directory = xasprintf("/run/memhp-%s", id) };
	stream_init_through(w, (struct stream_through){ gather, fill, e }, xstrdup(a->stream.peer),
			    ERR_GUEST_UNREACHABLE);
}

int64_t exec_due_ms(const struct exec *e)
{
	return e->agent->awaited ? DEADLINE_NEVER : e->pid && !e->lines.len ? e->ask_ms : 0;
}

bool exec_ends_before(const struct exec *e, const struct deadline *d)
{
	int64_t end_ms = d->final_ms == DEADLINE_NEVER ? monotonic_ms() + HOUR_MS : d->final_ms;

	return e->is_started && e->end_ms < end_ms;
}

/* End the shell's input and wait for the end of its output: then it has gone. */
static void end_shell(struct exec *e, struct stream *w, struct deadline *d)
{
	struct err ignored;

	buf_free(&e->lines);
	if (await_reply(e, w, DEADLINE_NEVER, d, &ignored) && e->agent->awaited)
		return;
	if (start(e, end_script, 0, AWAIT_PROCESS, d, &ignored) ||
	    await_reply(e, w, DEADLINE_NEVER, d, &ignored))
		return;
	while (e->pid && !ask(e, DEADLINE_NEVER, d, &ignored) &&
	       !await_reply(e, w, DEADLINE_NEVER, d, &ignored))
		;
}

void exec_close(struct exec *e, struct stream *w, struct deadline *d)
{
	if (!e->agent)
		return;
	if (e->is_started && !e->agent->is_lost)
		end_shell(e, w, d);
	stream_free(w);
	buf_free(&e->lines);
	util_cleanup_free(&e->directory);
	*e = (struct exec){ 0 };
}
