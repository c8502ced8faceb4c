/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Logging in on a console, and out again. */
#include <stdlib.h>
#include <string.h>

#include "guest/frame.h"
#include "guest/login.h"
#include "guest/password.h"
#include "guest/screen.h"

#define SIGHT_MAX_MS 10000 /* for a console to show a prompt */
#define PROBE_MS     500   /* after that, input may have been lost; doubled each time */
#define SETTLE_MS    50	   /* a prompt counts if nothing follows it for this long */
#define PAUSE_MS     1000  /* unknown text counts as a prompt after this */
#define SILENCE_MS   6000  /* so does silence: a wrong password is refused much sooner */
#define SHELL_MS     3000  /* for a shell to respond; doubled each time */
#define OBEY_MAX_MS  12000 /* in total */
#define LEAVE_MS     5000  /* logging out takes no longer ... */
#define LEAVE_MIN_MS 500   /* ... and gets this even when the deadline has passed */
#define KEEP_BYTES   4096  /* of the console's output */
#define NAMES_MAX    3	   /* a getty that restarts asks again */

/*
 * A line that resets a shell, but that a getty takes as empty: the gettys of agetty and busybox
 * have two keys that erase a character and none that goes to the start of the line, which the line
 * editors of shells do on ^A. To a shell without a line editor all of this is text. The final DEL
 * is what both gettys set as the terminal's erase character.
 */
#define ERASE_8 "\b\b\b\b\b\b\b\b"
#define RESET	CONSOLE_RESET "\001" ERASE_8 ERASE_8 ERASE_8 "\177\n"

/* Before a line: the answer that busybox's line editor may wait for, and ^U to clear the line. */
#define FRESH "\033[1;1R\025"

/* After a line of at most 56 bytes: a getty takes that for an empty name, too. */
#define ERASED " #\001" ERASE_8 ERASE_8 ERASE_8 ERASE_8 ERASE_8 ERASE_8 ERASE_8 ERASE_8 "\177\n"

/* A shell answers it; an echo has the variable's name in place of the id. */
#define PROBE FRESH " i=%s;echo @$i.0 1 4 here 1 4 $i@" ERASED

/*
 * For the user's shell, whatever it is: sh and its relatives, csh and fish understand exec and
 * '...'. The shell that follows is root's, and marked as memhp's. After busybox login and agetty
 * the key that ended the name decides whether Enter ends a line.
 */
#define ENTER                                                                                      \
	FRESH " exec sh -c 'stty icrnl onlcr;i=%s;if [ `id -u` = 0 ];then echo @$i.0 1 2 in 1 2 "  \
	      "$i@;" LOGIN_MARK "=" LOGIN_OURS " exec sh;fi;"                                      \
	      "sudo -n sh -c \"echo @$i.0 1 2 in 1 2 $i@;" LOGIN_MARK "=" LOGIN_OURS               \
	      " exec sh\"||"                                                                       \
	      "echo @$i.0 1 4 sudo 1 4 $i@'\n"

/* For that shell. */
#define LEAVE FRESH " i=%s;echo @$i.0 1 3 out 1 3 $i@;exit" ERASED

enum stage {
	STAGE_OUT,   /* no name has been typed */
	STAGE_NAMED, /* a name has */
	STAGE_SENT,  /* and a password has */
	STAGE_IN,    /* a shell is there */
	STAGE_AGAIN, /* the login was refused, and the program asks for a name again */
};

enum heard {
	HEARD_NOTHING,
	HEARD_NAME = 1,
	HEARD_PASSWORD = 2,
	HEARD_CHANGE = 4,
	HEARD_SHELL = 8, /* what looks like a shell prompt */
	HEARD_WORD = 16, /* in dialogue.word */
};

struct dialogue {
	struct login *login;
	struct stream *w;
	const char *path, *id;
	struct deadline *d;
	enum stage stage;
	char word[8];	 /* the last one that a shell sent in a frame */
	int64_t last_ms; /* when input came last */
};

int login_wanted(const char *path, struct err *err)
{
	err_set(err, ERR_GUEST_UNREACHABLE, "the console '%s' asks for a login", path);
	return err_hint(err, "name a user with --login USER, log in as root there first, or use "
			     "--guest ssh:HOST");
}

void login_free(struct login *login)
{
	password_drop(login->password);
	*login = (struct login){ 0 };
}

/* "cannot log in as 'root' on the console 'PATH': WHY" */
static int refused(const struct dialogue *g, const char *why, struct err *err)
{
	return err_set(err, ERR_GUEST_UNREACHABLE, "cannot log in as '%s' on the console '%s': %s",
		       g->login->user, g->path, why);
}

/* Forget what the console has shown: it may be an echo of the password. */
static void forget(struct dialogue *g)
{
	if (g->w->in.len)
		explicit_bzero(g->w->in.data, g->w->in.len);
	buf_drop(&g->w->in, g->w->in.len);
	g->last_ms = monotonic_ms();
}

/* Type a line and free it; earlier output is forgotten. */
static int type(struct dialogue *g, char *line, struct err *err)
{
	_cleanup_free_ char *text = line;

	forget(g);
	return stream_write(g->w, text, strlen(text), g->d, err);
}

/* Take the words that a shell has sent out of the text, with everything before them. */
static bool take_word(struct dialogue *g)
{
	struct buf *in = &g->w->in;
	bool is_found = false;
	size_t at = 0;

	while (at < in->len) {
		char *end = memchr(in->data + at, '\n', in->len - at);
		_cleanup_free_ char *line = NULL;
		struct frame frame;

		if (!end)
			break;
		line = xstrndup(in->data + at, (size_t)(end - in->data) - at);
		at = (size_t)(end - in->data) + 1;
		if (!frame_parse(line, g->id, &frame) || strlen(frame.payload) >= sizeof(g->word))
			continue;
		memcpy(g->word, frame.payload, strlen(frame.payload) + 1);
		is_found = true;
	}
	if (is_found)
		buf_drop(in, at);
	return is_found;
}

/* What the console waits for, once it has been quiet long enough to tell. */
static unsigned judge(const struct dialogue *g, int64_t now_ms)
{
	int64_t quiet_ms = now_ms - g->last_ms;

	if (quiet_ms < SETTLE_MS)
		return HEARD_NOTHING;
	switch (console_wait(buf_text(&g->w->in), g->w->in.len)) {
	case CONSOLE_NAME:
		return HEARD_NAME;
	case CONSOLE_PASSWORD:
		return HEARD_PASSWORD;
	case CONSOLE_CHANGE:
		return HEARD_CHANGE;
	case CONSOLE_SHELL:
		return HEARD_SHELL;
	case CONSOLE_TEXT: /* may be the echo of a name, while the login program starts */
		return quiet_ms >= (g->stage == STAGE_SENT ? PAUSE_MS : SILENCE_MS) ? HEARD_SHELL
										    : HEARD_NOTHING;
	case CONSOLE_NOTHING:
		break;
	}
	return g->stage == STAGE_SENT && quiet_ms >= SILENCE_MS ? HEARD_SHELL : HEARD_NOTHING;
}

/* When to judge next if no input comes. */
static int64_t next_look(const struct dialogue *g, int64_t now_ms)
{
	static const int64_t looks_ms[] = { SETTLE_MS, PAUSE_MS, SILENCE_MS };
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(looks_ms); i++)
		if (g->last_ms + looks_ms[i] > now_ms)
			return g->last_ms + looks_ms[i];
	return DEADLINE_NEVER;
}

/* Wait for one of @wanted; HEARD_NOTHING at @until_ms, -1 with @err. */
static int hear(struct dialogue *g, unsigned wanted, int64_t until_ms, struct err *err)
{
	for (;;) {
		int64_t now_ms = monotonic_ms(), look_ms = next_look(g, now_ms);
		unsigned heard = take_word(g) ? HEARD_WORD : judge(g, now_ms);
		int ready;

		if (heard & wanted)
			return (int)heard;
		if (now_ms >= until_ms)
			return HEARD_NOTHING;
		if (g->w->in.len > KEEP_BYTES)
			buf_drop(&g->w->in, g->w->in.len - KEEP_BYTES);
		ready = stream_fill(g->w, look_ms < until_ms ? look_ms : until_ms, g->d, err);
		if (ready < 0)
			return -1;
		if (ready)
			g->last_ms = monotonic_ms();
	}
}

/*
 * Find out what the console shows: HEARD_NAME when it asks for a user, HEARD_WORD when a shell
 * answers, HEARD_NOTHING without an answer in time, or -1. A password prompt is not ours: an empty
 * password brings back the prompt for a name.
 */
static int look(struct dialogue *g, struct err *err)
{
	int64_t limit_ms = deadline_within(g->d, SIGHT_MAX_MS), wait_ms = PROBE_MS;
	unsigned wanted = HEARD_NAME | HEARD_PASSWORD | HEARD_WORD | HEARD_SHELL;
	char *line = xstrdup(RESET);

	for (;;) {
		int64_t until_ms = monotonic_ms() + wait_ms;
		int heard;

		if (type(g, line, err))
			return -1;
		heard = hear(g, wanted, until_ms < limit_ms ? until_ms : limit_ms, err);
		if (heard == HEARD_NAME || (heard == HEARD_WORD && !strcmp(g->word, "here")))
			return heard;
		if (heard < 0 && err->code != ERR_TIMEOUT)
			return -1;
		if (monotonic_ms() >= limit_ms)
			return HEARD_NOTHING;
		line = heard == HEARD_PASSWORD ? xstrdup("\n") : xasprintf(PROBE, g->id);
		wanted &= ~(unsigned)HEARD_SHELL; /* already asked, and slow to answer */
		wait_ms *= 2;
	}
}

static int get_password(struct dialogue *g, char text[static PASSWORD_SIZE], struct err *err)
{
	const struct login *login = g->login;
	_cleanup_free_ char *question = NULL;

	if (login->password_file)
		return password_read(text, login->password_file, err);
	if (login->password) {
		memcpy(text, login->password, strlen(login->password) + 1);
		return 0;
	}
	question = xasprintf("Password for '%s' on the guest's console: ", login->user);
	if (!password_ask(text, question, g->d, err))
		return 0;
	if (err->code == ERR_GUEST_UNREACHABLE) {
		err_wrap(err, "cannot log in as '%s' on the console '%s'", login->user, g->path);
		err_hint(err, "give it in a file with --password-file PATH, or in the environment "
			      "as MEMHP_GUEST_PASSWORD");
	}
	return -1;
}

/* Send the password, unless its prompt went away while the user was asked for it. */
static int send_password(struct dialogue *g, struct err *err)
{
	char text[PASSWORD_SIZE + 1];
	int status = get_password(g, text, err), heard = HEARD_NOTHING;

	g->last_ms = monotonic_ms(); /* input that came during the question has not been read */
	if (!status)
		heard = hear(g, HEARD_PASSWORD | HEARD_NAME, g->last_ms + PAUSE_MS, err);
	if (!status && heard < 0)
		status = -1;
	else if (!status && heard != HEARD_PASSWORD)
		status = refused(g, "the login timed out", err);
	if (!status) {
		forget(g);
		g->stage = STAGE_SENT;
		memcpy(text + strlen(text), "\n", 2);
		status = stream_write(g->w, text, strlen(text), g->d, err);
	}
	explicit_bzero(text, sizeof(text));
	return status;
}

/* From the prompt for a name to what may be a shell prompt. */
static int answer(struct dialogue *g, struct err *err)
{
	unsigned names = 0;
	int heard = HEARD_NAME;

	for (;;) {
		if (heard == HEARD_NAME && g->stage <= STAGE_NAMED && names++ < NAMES_MAX) {
			g->stage = STAGE_NAMED;
			if (type(g, xasprintf("%s\n", g->login->user), err))
				return -1;
		} else if (heard == HEARD_PASSWORD && g->stage == STAGE_NAMED) {
			if (send_password(g, err))
				return -1;
		} else if (heard == HEARD_CHANGE) {
			g->stage = STAGE_NAMED;
			refused(g, "the guest wants a new password for that user", err);
			return err_hint(err, "log in there and set one");
		} else if (heard == HEARD_SHELL) {
			g->stage = STAGE_IN;
			return 0;
		} else if (heard > 0) {
			g->stage = heard == HEARD_PASSWORD ? STAGE_NAMED : STAGE_AGAIN;
			refused(g, "the guest does not let that user in", err);
			return err_hint(err, "is the password right, and may the user log in on a "
					     "console? memhp tried only once");
		}
		heard = hear(g, HEARD_NAME | HEARD_PASSWORD | HEARD_CHANGE | HEARD_SHELL,
			     DEADLINE_NEVER, err);
		if (heard < 0)
			return -1;
	}
}

/* Turn the user's shell into a root shell. */
static int become_root(struct dialogue *g, struct err *err)
{
	int64_t limit_ms = deadline_within(g->d, OBEY_MAX_MS), wait_ms = SHELL_MS;
	int heard = HEARD_NOTHING;

	for (; !heard && monotonic_ms() < limit_ms; wait_ms *= 2) {
		int64_t until_ms = monotonic_ms() + wait_ms;

		if (type(g, xasprintf(ENTER, g->id), err))
			return -1;
		heard = hear(g, HEARD_WORD | HEARD_NAME, until_ms < limit_ms ? until_ms : limit_ms,
			     err);
	}
	if (heard == HEARD_WORD && !strcmp(g->word, LOGIN_OURS)) {
		g->login->is_in = true;
		return 0;
	}
	if (heard == HEARD_NAME || heard == HEARD_WORD)
		g->stage = STAGE_OUT;
	if (heard < 0)
		return -1;
	if (heard == HEARD_WORD) {
		refused(g, "that user is not root, and sudo -n does not make him root", err);
		return err_hint(err,
				"log in as root, or allow it in the guest's sudoers: %s "
				"ALL=(root) NOPASSWD: /bin/sh",
				g->login->user);
	}
	refused(g,
		heard == HEARD_NAME ? "the shell of that user ended at once"
				    : "the shell of that user does not start sh",
		err);
	return err_hint(err, "memhp needs a user whose shell can run: exec sh");
}

/* Find out the result of a password after the wait for it gave up. */
static enum stage await_outcome(struct dialogue *g)
{
	struct err ignored;

	switch (hear(g, HEARD_NAME | HEARD_PASSWORD | HEARD_SHELL, DEADLINE_NEVER, &ignored)) {
	case HEARD_NAME:
		return STAGE_AGAIN;
	case HEARD_PASSWORD:
		return STAGE_NAMED;
	default:
		return STAGE_IN;
	}
}

/*
 * Clean up after a failure: log out of a shell, even one that is still starting, or end a login
 * program that asks for a name or a password. It ends at end of input, and a getty asks again.
 */
static void take_back(const struct dialogue *failed)
{
	struct deadline end = deadline_parting(failed->d, LEAVE_MIN_MS, LEAVE_MS);
	struct dialogue g = *failed;
	struct err ignored;

	g.d = &end;
	if (g.stage == STAGE_SENT && !failed->d->has_ended)
		g.stage = await_outcome(&g);
	if (g.stage != STAGE_OUT && !failed->d->has_ended &&
	    !type(&g, xstrdup(g.stage == STAGE_IN ? "\025 exit\n" : "\025\004"), &ignored))
		(void)!hear(&g, HEARD_NAME, DEADLINE_NEVER, &ignored);
	forget(&g);
}

/* Report errors in the user name and password before typing anything. */
static int check(const struct login *login, struct err *err)
{
	char text[PASSWORD_SIZE];
	int status;

	if (!login->password_file)
		return login->password
			       ? password_check(login->password, "MEMHP_GUEST_PASSWORD", err)
			       : 0;
	status = password_read(text, login->password_file, err);
	explicit_bzero(text, sizeof(text));
	return status;
}

int login_enter(struct login *login, struct stream *w, const char *path, const char *id,
		struct deadline *d, struct err *err)
{
	struct dialogue g = { .login = login, .w = w, .path = path, .id = id, .d = d };
	int found;

	if (login->user && check(login, err))
		return -1;
	found = look(&g, err);
	if (found == HEARD_NAME && (!login->user || login->is_barred))
		return login_wanted(path, err);
	if (found == HEARD_NAME && (answer(&g, err) || become_root(&g, err))) {
		if (err->code == ERR_TIMEOUT)
			err_wrap(err, "cannot log in as '%s' on the console '%s'", login->user,
				 path);
		take_back(&g);
		return -1;
	}
	forget(&g);
	return found < 0 ? -1 : found == HEARD_NOTHING;
}

void login_leave(struct login *login, struct stream *w, const char *id, const struct deadline *d)
{
	struct deadline end = deadline_parting(d, LEAVE_MIN_MS, LEAVE_MS);
	struct dialogue g = { .login = login, .w = w, .id = id, .d = &end };
	int64_t wait_ms = PROBE_MS;
	struct err ignored;
	int heard = login->is_in && !d->has_ended ? HEARD_NOTHING : HEARD_NAME;

	/* until the shell responds or has gone */
	while (heard == HEARD_NOTHING || (heard == HEARD_WORD && strcmp(g.word, "out") != 0)) {
		if (type(&g, xasprintf(LEAVE, id), &ignored))
			break;
		heard = hear(&g, HEARD_WORD | HEARD_NAME, monotonic_ms() + wait_ms, &ignored);
		wait_ms *= 2;
	}
	login->is_in = false;
}
