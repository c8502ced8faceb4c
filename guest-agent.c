/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A shell in the guest by way of qemu-guest-agent's guest-exec. */
#include <string.h>
#include <sys/random.h>

#include "base64.h"
#include "guest-agent.h"
#include "json.h"

#define SYNC_MAX_MS  10000 /* an agent that is there has answered by then */
#define PAUSE_MAX_MS 50	   /* no event tells of a process's end: it is asked for */
#define GRACE_MS     2000  /* after memhp's deadline the shell ends by itself */
#define HOUR_MS	     3600000
#define DAY_MS	     86400000 /* without a deadline */
#define NOISE_MAX    65536    /* bytes without a line end that are kept */
#define SENTINEL     "\xff"
#define PART_MAX     65536 /* bytes of an answer that one process takes: "64k" below */

/* What a reply is for. */
enum { AWAIT_NOTHING, AWAIT_PROCESS, AWAIT_STATUS, AWAIT_WORD };

/*
 * $1 is the shell's directory, $2 the seconds it may live. A sleep holds the shell's input open:
 * when it ends, so does the shell, and gives back what it holds, and nothing is left. Whoever waits
 * for an answer sees the end of it only after that. "1<>" opens a FIFO with nobody at its other end
 * too.
 */
#define TAKE "exec dd bs=64k count=1 <out 2>/dev/null"

static const char begin_script[] = "umask 77;mkdir \"$1\"&&cd \"$1\"&&mkfifo in out||exit\n"
				   "(sleep \"$2\" >in&echo $! >holder;sh <in;kill $!;rm -r \"$1\")"
				   " 1<>out 2>/dev/null&\n"
				   "cat >in;" TAKE;
static const char exchange_script[] = "cd \"$1\"&&cat 1<>in&&" TAKE;
static const char word_script[] = "cd \"$1\"&&cat 1<>in";
static const char end_script[] =
	"cd \"$1\"&&read -r h <holder&&exec <out&&kill \"$h\"&&exec cat >/dev/null";

/* What comes after this means nothing: the shell is left to end by itself. */
static int broken(struct agent *a, const char *why, struct err *err)
{
	a->is_started = false;
	return err_set(err, ERR_GUEST_UNREACHABLE, "the %s broke the protocol: %s", a->wire.peer,
		       why);
}

/* Wait for a message of the agent's; the caller owns it. */
static int receive(struct agent *a, struct json_object **message, struct deadline *d,
		   struct err *err)
{
	const char *why;
	size_t bytes;
	int status;

	while (!(status = message_read(&a->reader, &a->wire.in, message, &bytes, &why)))
		if (wire_fill(&a->wire, DEADLINE_NEVER, d, err) < 0)
			return -1;
	return status > 0 ? 0 : broken(a, why, err);
}

/* The reply whose turn it is will not be understood as something else: see settle(). */
static int send_request(struct agent *a, const char *command, struct json_object *arguments,
			int awaited, struct deadline *d, struct err *err)
{
	_cleanup_json_ struct json_object *request = json_object_new_object();
	_cleanup_free_ char *line = NULL;

	json_add_string(request, "execute", command);
	json_object_object_add(request, "arguments", arguments);
	line = xasprintf("%s\n", json_text(request));
	a->awaited = awaited;
	return wire_write(&a->wire, line, strlen(line), d, err);
}

/* Start a script in the guest, with what has been gathered as its input. */
static int start(struct agent *a, const char *script, int64_t seconds, int awaited,
		 struct deadline *d, struct err *err)
{
	struct json_object *arguments = json_object_new_object(), *words = json_object_new_array();
	_cleanup_free_ char *input = base64_encode(buf_text(&a->lines), a->lines.len);
	_cleanup_free_ char *life = xasprintf("%lld", (long long)seconds);
	const char *const argv[] = { "-c", script, "memhp", a->directory, life };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(argv); i++)
		json_object_array_add(words, json_object_new_string(argv[i]));
	json_add_string(arguments, "path", "/bin/sh");
	json_object_object_add(arguments, "arg", words);
	json_add_string(arguments, "input-data", input);
	json_add_bool(arguments, "capture-output", true, awaited == AWAIT_PROCESS);
	buf_release(&a->lines);
	a->pause_ms = 1;
	return send_request(a, "guest-exec", arguments, awaited, d, err);
}

static int refused(struct agent *a, struct json_object *message, struct err *err)
{
	const char *class = "", *text = "no description";
	struct json_object *error;

	if (!json_get_object(message, "error", &error))
		return broken(a, "neither return nor error", err);
	json_get_string(error, "class", &class);
	json_get_string(error, "desc", &text);
	if (strcmp(class, "CommandNotFound") != 0)
		return err_set(err, ERR_GUEST_UNREACHABLE, "the %s says: %s", a->wire.peer, text);
	err_set(err, ERR_GUEST_UNREACHABLE, "the %s does not allow guest-exec: %s", a->wire.peer,
		text);
	return err_hint(err, "allow it in the guest's /etc/qemu/qemu-ga.conf, or use --guest "
			     "serial:PATH or ssh:HOST");
}

/* The process has ended without a word: say what it has said otherwise, when it has. */
static int no_output(struct agent *a, struct json_object *status, struct err *err)
{
	_cleanup_buf_ struct buf text = { 0 };
	const char *data = "";

	json_get_string(status, "err-data", &data);
	if (!base64_decode(data, &text))
		return broken(a, "err-data is not base64", err);
	if (text.len)
		return err_set(err, ERR_GUEST_UNREACHABLE, "the guest's shell says: %.*s",
			       (int)strcspn(text.data, "\n"), text.data);
	return err_set(err, ERR_GUEST_UNREACHABLE, "the shell of the %s has ended", a->wire.peer);
}

/* What guest-exec-status says; the output goes to @w. */
static int take_status(struct agent *a, struct wire *w, struct json_object *status, struct err *err)
{
	size_t had = w->in.len;
	const char *data = "";
	bool exited;

	if (!json_get_bool(status, "exited", &exited))
		return broken(a, "no boolean 'exited' in the answer", err);
	if (!exited)
		return 0;
	a->pid = 0;
	json_get_string(status, "out-data", &data);
	if (strlen(data) > (size_t)(PART_MAX + 2) / 3 * 4)
		return broken(a, "more output than was asked for", err);
	if (!base64_decode(data, &w->in))
		return broken(a, "out-data is not base64", err);
	return w->in.len > had ? 0 : no_output(a, status, err);
}

/* Wait for the reply that has not come yet, also when somebody else had given up waiting for it:
 * the next one is for the next request then. */
static int settle(struct agent *a, struct wire *w, struct deadline *d, struct err *err)
{
	_cleanup_json_ struct json_object *message = NULL;
	struct json_object *value;
	int awaited = a->awaited;

	if (!awaited)
		return 0;
	if (receive(a, &message, d, err))
		return -1;
	a->awaited = AWAIT_NOTHING;
	if (!json_get_object(message, "return", &value)) {
		a->pid = awaited == AWAIT_STATUS ? 0 : a->pid;
		return refused(a, message, err);
	}
	if (awaited == AWAIT_STATUS)
		return take_status(a, w, value, err);
	if (awaited == AWAIT_PROCESS && (!json_get_u64(value, "pid", &a->pid) || !a->pid))
		return broken(a, "no number 'pid' in the answer", err);
	return 0;
}

/* Ask what became of the process, after a pause that grows. */
static int ask(struct agent *a, int64_t until_ms, struct deadline *d, struct err *err)
{
	struct pollfd fd = { .fd = a->wire.in_fd }; /* whose end is the only event */
	struct json_object *arguments;
	int64_t next_ms = monotonic_ms() + a->pause_ms;

	if (deadline_poll(d, &fd, 1, next_ms < until_ms ? next_ms : until_ms, err) < 0)
		return -1;
	a->pause_ms = a->pause_ms * 2 < PAUSE_MAX_MS ? a->pause_ms * 2 : PAUSE_MAX_MS;
	arguments = json_object_new_object();
	json_add_u64(arguments, "pid", true, a->pid);
	return send_request(a, "guest-exec-status", arguments, AWAIT_STATUS, d, err);
}

static int begin(struct agent *a, struct deadline *d, struct err *err)
{
	int64_t now_ms = monotonic_ms();

	a->end_ms = d->final_ms == DEADLINE_NEVER ? now_ms + DAY_MS : d->final_ms + GRACE_MS;
	a->is_started = true;
	return start(a, begin_script, (a->end_ms - now_ms + 999) / 1000, AWAIT_PROCESS, d, err);
}

/* Bring on the way what has been gathered, and see that somebody waits for the answer. */
static int proceed(struct agent *a, struct deadline *d, struct err *err)
{
	if (!a->is_started)
		return begin(a, d, err);
	if (!a->pid)
		return start(a, exchange_script, 0, AWAIT_PROCESS, d, err);
	return start(a, word_script, 0, AWAIT_WORD, d, err);
}

static int gather(void *context, const void *data, size_t len)
{
	struct agent *a = context;

	buf_add(&a->lines, data, len);
	return 0;
}

static int fill(void *context, struct wire *w, int64_t until_ms, struct deadline *d,
		struct err *err)
{
	struct agent *a = context;
	size_t had = w->in.len;

	for (;;) {
		int status;

		if (settle(a, w, d, err))
			return -1;
		if (w->in.len > had)
			return 1;
		if (a->pid && !a->lines.len && monotonic_ms() >= until_ms)
			return 0;
		status = a->pid && !a->lines.len ? ask(a, until_ms, d, err) : proceed(a, d, err);
		if (status)
			return -1;
	}
}

/* Is a line the answer to our own request? What others have left unread may stand before it. */
static bool answers(const char *line, uint64_t id)
{
	_cleanup_json_ struct json_object *message = NULL;
	const char *sentinel = strrchr(line, (unsigned char)SENTINEL[0]);
	uint64_t got;

	message = sentinel ? json_tokener_parse(sentinel + 1) : NULL;
	return json_get_u64(message, "return", &got) && got == id;
}

/*
 * Find the place in the stream where our own requests are answered. Others have been here before,
 * and have left half a request, or not read all: the byte that no JSON has ends the first, for
 * which the agent answers an error, and stands before the answer to this.
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
	if (wire_write(&a->wire, request, strlen(request), d, err))
		return -1;
	while (monotonic_ms() < until_ms) {
		_cleanup_free_ char *line = wire_line(&a->wire);

		if (line && answers(line, id))
			return 0;
		if (!line && a->wire.in.len > NOISE_MAX)
			buf_drop(&a->wire.in, a->wire.in.len);
		if (!line && wire_fill(&a->wire, until_ms, d, err) < 0)
			return -1;
	}
	return err_set(err, ERR_TIMEOUT, "no answer");
}

/* An agent that is not there is silent, as is a socket that somebody else is connected to. */
static int greet(struct agent *a, struct deadline *d, struct err *err)
{
	if (!sync_stream(a, d, err))
		return 0;
	if (err->code != ERR_TIMEOUT)
		return -1;
	err_set(err, ERR_GUEST_UNREACHABLE, "the %s does not answer", a->wire.peer);
	return err_hint(err, "is qemu-guest-agent running in the guest, and no other program "
			     "connected to that socket?");
}

int agent_open(struct agent *a, struct wire *w, const char *path, const char *id,
	       struct deadline *d, struct err *err)
{
	int fd;

	if (wire_connect_unix(path, &fd, ERR_GUEST_UNREACHABLE, err))
		return -1;
	*a = (struct agent){ .is_open = true };
	message_init(&a->reader);
	wire_init(&a->wire, fd, fd, xasprintf("guest agent on '%s'", path), ERR_GUEST_UNREACHABLE);
	wire_init_through(w, (struct wire_through){ gather, fill, a }, xstrdup(a->wire.peer),
			  ERR_GUEST_UNREACHABLE);
	a->directory = xasprintf("/run/memhp-%s", id);
	return greet(a, d, err);
}

bool agent_ends_before(const struct agent *a, const struct deadline *d)
{
	int64_t end_ms = d->final_ms == DEADLINE_NEVER ? monotonic_ms() + HOUR_MS : d->final_ms;

	return a->is_started && a->end_ms < end_ms;
}

/* Let the shell's input end, and wait for the end of its output: then it is gone. */
static void end_shell(struct agent *a, struct wire *w, struct deadline *d)
{
	struct err ignored;

	buf_release(&a->lines);
	if (settle(a, w, d, &ignored) && a->awaited)
		return;
	if (start(a, end_script, 0, AWAIT_PROCESS, d, &ignored) || settle(a, w, d, &ignored))
		return;
	while (a->pid && !ask(a, DEADLINE_NEVER, d, &ignored) && !settle(a, w, d, &ignored))
		;
}

void agent_close(struct agent *a, struct wire *w, struct deadline *d)
{
	if (!a->is_open)
		return;
	if (a->is_started)
		end_shell(a, w, d);
	wire_release(w);
	wire_release(&a->wire);
	message_release(&a->reader);
	buf_release(&a->lines);
	util_cleanup_free(&a->directory);
	*a = (struct agent){ 0 };
}
