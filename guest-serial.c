/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A root shell on a console. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frame.h"
#include "guest-serial.h"

#define ANSWER_MAX_MS 20000	/* a guest that is busy booting may take this long to answer */
#define ATTEMPT_MS    1000	/* then the first line may have gone to somebody else */
#define TAKE_BACK_MS  200	/* for a last line to a console that does not answer */
#define NOISE_MAX     (1 << 16) /* bytes without a line end that are kept */

/* A tty of this machine (a pty of QEMU, a null-modem line) must not echo or translate what comes
 * in. */
static void make_raw(struct serial *serial, int fd)
{
	struct termios modes;

	if (tcgetattr(fd, &serial->modes))
		return;
	serial->has_modes = true;
	modes = serial->modes;
	cfmakeraw(&modes);
	modes.c_cflag |= CLOCAL;
	tcsetattr(fd, TCSANOW, &modes);
}

static int open_path(struct serial *serial, const char *path, int *fd, struct err *err)
{
	struct stat st;

	if (stat(path, &st))
		return err_set(err, ERR_GUEST_UNREACHABLE, "cannot open the console '%s': %s", path,
			       strerror(errno));
	if (S_ISSOCK(st.st_mode))
		return wire_connect_unix(path, fd, ERR_GUEST_UNREACHABLE, err);
	if (!S_ISCHR(st.st_mode))
		return err_set(err, ERR_GUEST_UNREACHABLE,
			       "cannot open the console '%s': neither a socket nor a terminal",
			       path);
	*fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	if (*fd < 0)
		return err_set(err, ERR_GUEST_UNREACHABLE, "cannot open the console '%s': %s", path,
			       strerror(errno));
	make_raw(serial, *fd);
	return 0;
}

/*
 * Two lines. The first is all that the console's own shell should see, and short: its line editor
 * takes a long time for each byte. Ctrl-U, since somebody may have left half a line; a session that
 * an earlier memhp left behind ends, and the next attempt meets the shell under it; then, in a
 * subshell that puts the terminal's modes back however its child ends, a child that is not
 * interactive, because stdout and stderr are no terminals: no prompt, no line editing. The second
 * line is for that child, and nothing to any other shell. Copies of both, sent because the first
 * were slow to be answered, do nothing but answer again. An echo of them is no answer: it has the
 * variable's name, not the id.
 */
static char *opening_lines(const char *id, bool is_first)
{
	_cleanup_free_ char *leave =
		is_first ? xstrdup("[ ${MEMHP-} ]&&exit;")
			 : xasprintf("[ ${MEMHP-} ]&&[ $MEMHP != %s ]&&exit;[ ${MEMHP-} ]||", id);

	return xasprintf(
		"\025 %s(t=$(stty -g);MEMHP_TTY=$t MEMHP=%s sh 3>&1 >/dev/null 2>&1;stty $t)\n"
		"[ \"${MEMHP-}\" = %s ]&&{ echo \"@$MEMHP.0 1 2 go 1 2 $MEMHP@\">&3;"
		"stty -echo;}\n",
		leave, id, id);
}

/*
 * What was typed may be read later, when a program that sat in front of the shell ends: the quiet
 * session that it would begin is ended by this line.
 */
static void take_back(struct wire *w, const char *id)
{
	_cleanup_free_ char *line = xasprintf("\025 [ \"${MEMHP-}\" = %s ]&&exit\n", id);
	struct deadline moment = { .final_ms = monotonic_ms() + TAKE_BACK_MS,
				   .undoing = true,
				   .signal_fd = -1 };
	struct err ignored;

	(void)!wire_write(w, line, strlen(line), &moment, &ignored);
}

/* Look through the lines that have come; true when the child has answered. */
static bool child_answered(struct wire *w, const char *id)
{
	char *line;

	while ((line = wire_line(w))) {
		struct frame frame;
		bool whole = frame_parse(line, id, &frame);

		free(line);
		if (whole)
			return true;
	}
	if (w->in.len > NOISE_MAX)
		buf_drop(&w->in, w->in.len);
	return false;
}

/* Does the text since the last line end look like a request for a name or a password? */
static bool at_login(const struct wire *w)
{
	const char *text = buf_text(&w->in);

	return strstr(text, "login: ") || strstr(text, "assword: ");
}

static int no_answer(const char *path, const struct wire *w, struct err *err)
{
	if (at_login(w)) {
		err_set(err, ERR_GUEST_UNREACHABLE, "the console '%s' wants a login", path);
		return err_hint(err, "log in as root there first, or use --guest ssh:HOST");
	}
	err_set(err, ERR_GUEST_UNREACHABLE, "no shell answers on the console '%s'", path);
	return err_hint(err,
			"memhp needs a root shell at its prompt there; see with: "
			"socat -,raw,echo=0,escape=0x1d %s",
			path);
}

static int converse(struct wire *w, const char *path, const char *id, struct deadline *d,
		    struct err *err)
{
	int64_t limit_ms = deadline_within(d, ANSWER_MAX_MS);
	int64_t wait_ms;

	for (wait_ms = ATTEMPT_MS; monotonic_ms() < limit_ms && !at_login(w); wait_ms *= 2) {
		_cleanup_free_ char *lines = opening_lines(id, wait_ms == ATTEMPT_MS);
		int64_t until_ms = deadline_within(d, wait_ms);
		int ready;

		if (wire_write(w, lines, strlen(lines), d, err))
			return -1;
		do {
			ready = wire_fill(w, until_ms, d, err);
			if (ready > 0 && child_answered(w, id))
				return 0;
		} while (ready > 0);
		if (ready < 0 && err->code != ERR_TIMEOUT)
			return -1;
	}
	return no_answer(path, w, err);
}

int serial_open(struct serial *serial, struct wire *w, const char *path, const char *id,
		struct deadline *d, struct err *err)
{
	int fd = -1;

	*serial = (struct serial){ 0 };
	if (open_path(serial, path, &fd, err))
		return -1;
	wire_init(w, fd, fd, xasprintf("console '%s'", path), ERR_GUEST_UNREACHABLE);
	if (!converse(w, path, id, d, err))
		return 0;
	if (!at_login(w))
		take_back(w, id);
	serial_close(serial, w);
	return -1;
}

void serial_close(struct serial *serial, struct wire *w)
{
	if (serial->has_modes && w->in_fd >= 0)
		tcsetattr(w->in_fd, TCSANOW, &serial->modes);
	serial->has_modes = false;
	wire_release(w);
}
