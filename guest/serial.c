/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A root shell on a console. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest/frame.h"
#include "guest/serial.h"
#include "lib/text.h"

#define ANSWER_MAX_MS 20000	/* a guest that is booting may take this long to answer */
#define ATTEMPT_MS    1000	/* after that, the lines may have been lost; doubled each time */
#define ASK_MS	      250	/* after that, an answer may have been damaged; doubled each time */
#define TAKE_BACK_MS  200	/* for the last line to a console that does not answer */
#define NOISE_MAX     (1 << 16) /* bytes without a line end that are kept */

/* A tty on this machine (a QEMU pty, a null-modem line) must not echo or translate input. */
static int make_raw(struct serial *serial, int fd)
{
	struct termios modes;

	if (tcgetattr(fd, &serial->modes))
		return -1;
	modes = serial->modes;
	cfmakeraw(&modes);
	modes.c_cflag |= CLOCAL;
	serial->has_modes = !tcsetattr(fd, TCSANOW, &modes);
	return serial->has_modes ? 0 : -1;
}

/* Open the path; only a socket or a terminal is ever written to. */
static int open_path(struct serial *serial, const char *path, struct stream_opener opener, int *fd,
		     struct err *err)
{
	struct stat st;

	if (opener.open(opener.context, path, fd, err))
		return -1;
	if (!fstat(*fd, &st) && (S_ISSOCK(st.st_mode) || !make_raw(serial, *fd)))
		return 0;
	close(*fd);
	return err_set(err, ERR_GUEST_UNREACHABLE,
		       "cannot open the console '%s': neither a socket nor a terminal", path);
}

#define RESET CONSOLE_RESET "\n"

/*
 * For the console's own shell, and short: its line editor is slow for each byte. It starts, in a
 * subshell, a child that is not interactive because stdout and stderr are no terminals: no prompt,
 * no line editing. The child has the terminal's modes in $TTY, and at its end execs the stty that
 * restores them, which saves a fork. If it was killed, the subshell restores them; in any case the
 * subshell sends the last frame.
 */
static char *begin_line(const char *id)
{
	return xasprintf(" (trap : 2;i=%s;t=$(\\stty -g);MEMHP=$i TTY=$t sh 3>&1 >/dev/null 2>&1||"
			 "\\stty \"$t\";echo @$i@)\n",
			 id);
}

/*
 * A 16550 interrupts for 8 bytes at once, but for fewer only after a pause of four character times:
 * 4 ms at the 9600 baud that Linux gives a console (drivers/tty/serial/8250: UART_FCR_R_TRIG_10;
 * hw/char/serial.c of QEMU: fifo_timeout_timer). So 8 bytes without a meaning follow a line that is
 * to be answered: the terminal's kill character, which the terminal drops. After the first such
 * line, which may arrive while the line editor still owns the terminal and nothing is dropped, they
 * are blanks, with which the next line begins.
 */
#define PUSH	   "\025\025\025\025\025\025\025\025"
#define PUSH_FIRST "        "

/*
 * For that child; any other shell ignores it. Sent again, it is answered again. An echo of it is no
 * answer: it has the variable's name, not the id.
 */
static char *ask_line(const char *id, unsigned attempt)
{
	return xasprintf(" [ \"${MEMHP-}\" = %s ]&&{ trap 'exec stty $TTY' 0;stty -echo kill ^U;"
			 "echo \"@$MEMHP.0 %u 2 ${" LOGIN_MARK
			 "-go} %u 2 $MEMHP@\">&3;}\n" PUSH_FIRST,
			 id, attempt, attempt);
}

static int send_line(struct stream *w, char *line, struct deadline *d, struct err *err)
{
	_cleanup_free_ char *text = line;

	return stream_write(w, text, strlen(text), d, err);
}

/*
 * The lines typed may be read later, when a program in front of the shell ends: this line ends the
 * quiet session that they would start.
 */
static void take_back(struct stream *w, const char *id)
{
	struct deadline moment = { .final_ms = monotonic_ms() + TAKE_BACK_MS,
				   .undoing = true,
				   .signal_fd = -1 };
	struct err ignored;

	(void)!send_line(w, xasprintf(" [ \"${MEMHP-}\" = %s ]&&exit\n", id), &moment, &ignored);
}

/*
 * Read the lines that have come; true when the child of this attempt has answered. That of an
 * earlier attempt will have ended. *is_ours: its parent is a shell that memhp logged in.
 */
static bool child_answered(struct stream *w, const char *id, unsigned attempt, bool *is_ours)
{
	char *line;

	while ((line = stream_line(w))) {
		struct frame frame;
		bool is_answer = frame_parse(line, id, &frame) && frame.sequence == attempt;

		if (is_answer)
			*is_ours = !strcmp(frame.payload, LOGIN_OURS);
		is_answer = is_answer && (*is_ours || !strcmp(frame.payload, "go"));
		free(line);
		if (is_answer)
			return true;
	}
	if (w->in.len > NOISE_MAX)
		buf_drop(&w->in, w->in.len);
	return false;
}

/* Does the text after the last line end look like a prompt for a name or a password? */
static bool at_login(const struct stream *w)
{
	const char *text = buf_text(&w->in);

	return strstr(text, "login: ") || strstr(text, "assword: ");
}

static int no_answer(const char *path, const struct stream *w, struct err *err)
{
	bool is_path = path[0] == '/' && text_is_plain(path);

	if (at_login(w))
		return login_wanted(path, err);
	err_set(err, ERR_GUEST_UNREACHABLE, "no shell answers on the console '%s'", path);
	/* neither a shell nor socat may read anything but a path in it */
	return err_hint(err, "memhp needs a root shell at its prompt there%s%s",
			is_path ? "; see with: socat -,raw,echo=0,escape=0x1d " : "",
			is_path ? path : "");
}

/*
 * Ask until the child answers: a kernel message may damage an answer. Ask less and less often,
 * since nothing may be reading. Return: 1, 0 at @until_ms, -1
 */
static int ask(struct stream *w, const char *id, unsigned attempt, int64_t until_ms, bool *is_ours,
	       struct deadline *d, struct err *err)
{
	int64_t ask_ms = monotonic_ms(), wait_ms = ASK_MS;

	while (ask_ms < until_ms && !at_login(w)) {
		int ready;

		if (send_line(w, ask_line(id, attempt), d, err))
			return -1;
		ask_ms = ask_ms + wait_ms < until_ms ? ask_ms + wait_ms : until_ms;
		wait_ms *= 2;
		do {
			ready = stream_fill(w, ask_ms, d, err);
			if (ready > 0 && child_answered(w, id, attempt, is_ours))
				return 1;
		} while (ready > 0);
		if (ready < 0)
			return -1;
	}
	return 0;
}

static int converse(struct stream *w, const char *path, const char *id, bool *is_ours,
		    struct deadline *d, struct err *err)
{
	int64_t limit_ms = deadline_within(d, ANSWER_MAX_MS), wait_ms = ATTEMPT_MS;
	unsigned attempt;

	for (attempt = 1; monotonic_ms() < limit_ms && !at_login(w); attempt++, wait_ms *= 2) {
		int64_t until_ms = monotonic_ms() + wait_ms;
		int status =
			stream_write(w, RESET, strlen(RESET), d, err) ||
					send_line(w, begin_line(id), d, err)
				? -1
				: ask(w, id, attempt, until_ms < limit_ms ? until_ms : limit_ms,
				      is_ours, d, err);

		if (status > 0)
			return 0;
		if (status < 0 && err->code != ERR_TIMEOUT)
			return -1;
	}
	return no_answer(path, w, err);
}

int serial_open(struct serial *serial, struct stream *w, const char *path,
		struct stream_opener opener, const char *id, struct login *login,
		struct deadline *d, struct err *err)
{
	int fd = -1, status = 0;

	*serial = (struct serial){ 0 };
	if (open_path(serial, path, opener, &fd, err))
		return -1;
	stream_init(w, fd, fd, xasprintf("console '%s'", path), ERR_GUEST_UNREACHABLE);
	if (login->user || login->is_in)
		status = login_enter(login, w, path, id, d, err);
	if (status > 0)
		status = no_answer(path, w, err);
	else if (!status && (status = converse(w, path, id, &login->is_in, d, err)) &&
		 !at_login(w) && !d->has_ended)
		take_back(w, id);
	if (!status)
		return 0;
	login_leave(login, w, id, d);
	serial_close(serial, w);
	return -1;
}

int serial_write(struct stream *w, const char *line, struct deadline *d, struct err *err)
{
	return send_line(w, xasprintf("%s" PUSH, line), d, err);
}

void serial_close(struct serial *serial, struct stream *w)
{
	if (serial->has_modes && w->in_fd >= 0)
		tcsetattr(w->in_fd, TCSANOW, &serial->modes);
	serial->has_modes = false;
	stream_free(w);
}
