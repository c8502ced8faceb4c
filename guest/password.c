/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading and wiping a password. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "guest/password.h"
#include "lib/util.h"
#include "lib/text.h"

/*
 * From here on this process holds a password in places that cannot be listed: stacks, buffers that
 * were moved. So it leaves no core file, wherever core_pattern sends them (RLIMIT_CORE does not
 * apply to a pipe), and other processes of this user cannot read its memory (proc(5),
 * PR_SET_DUMPABLE). Programs that memhp starts are not affected.
 */
static void seal(void)
{
	prctl(PR_SET_DUMPABLE, 0);
}

/* Keep a text in memory that never reaches a core file, swap or a child. */
static char *keep(const char *text)
{
	size_t size = strlen(text) + 1;
	char *kept = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (kept == MAP_FAILED)
		return NULL;
	mlock(kept, size); /* if the limit on locked memory allows it */
	madvise(kept, size, MADV_DONTDUMP);
	madvise(kept, size, MADV_WIPEONFORK);
	memcpy(kept, text, size);
	return kept;
}

char *password_take(const char *variable)
{
	char *value = getenv(variable), *text;

	if (!value || !*value)
		return NULL;
	seal();
	text = keep(value);
	explicit_bzero(value, strlen(value));
	unsetenv(variable);
	return text;
}

void password_drop(char *text)
{
	size_t size = text ? strlen(text) + 1 : 0;

	if (!text)
		return;
	explicit_bzero(text, size);
	munmap(text, size);
}

int password_check(const char *text, const char *origin, struct err *err)
{
	const char *at;

	if (!*text)
		return err_set(err, ERR_USAGE, "no password in %s", origin);
	if (strlen(text) >= PASSWORD_SIZE)
		return err_set(err, ERR_USAGE, "the password in %s has more than %d bytes", origin,
			       PASSWORD_SIZE - 1);
	for (at = text; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			return err_set(err, ERR_USAGE, "the password in %s has a control character",
				       origin);
	return 0;
}

static int check_file(int fd, const char *path, struct err *err)
{
	_cleanup_free_ char *quoted = NULL;
	struct stat st;

	if (fstat(fd, &st))
		return err_set(err, ERR_USAGE, "cannot read '%s': %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_USAGE, "password file '%s' is not a regular file", path);
	if (st.st_uid != geteuid())
		return err_set(err, ERR_USAGE,
			       "password file '%s' belongs to another user (uid %u)", path,
			       (unsigned)st.st_uid);
	if (st.st_mode & (S_IRWXG | S_IRWXO)) {
		err_set(err, ERR_USAGE, "password file '%s' is open to other users (mode %04o)",
			path, (unsigned)st.st_mode & 07777);
		quoted = text_quoted(path);
		return quoted ? err_hint(err, "restrict it: chmod 600 -- %s", quoted) : -1;
	}
	return 0;
}

/* Read the first line from @fd; the rest is ignored. */
static int read_line(int fd, char text[static PASSWORD_SIZE], const char *path, struct err *err)
{
	char bytes[PASSWORD_SIZE + 1];
	_cleanup_free_ char *origin = xasprintf("'%s'", path);
	ssize_t n = read(fd, bytes, sizeof(bytes) - 1);
	int status;

	if (n < 0)
		return err_set(err, ERR_USAGE, "cannot read '%s': %s", path, strerror(errno));
	bytes[n] = '\0';
	bytes[strcspn(bytes, "\r\n")] = '\0';
	status = password_check(bytes, origin, err);
	if (!status)
		memcpy(text, bytes, strlen(bytes) + 1);
	explicit_bzero(bytes, sizeof(bytes));
	return status;
}

int password_read(char text[static PASSWORD_SIZE], const char *path, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), status;

	seal();
	if (fd < 0)
		return err_set(err, ERR_USAGE, "cannot read '%s': %s", path, strerror(errno));
	status = check_file(fd, path, err) || read_line(fd, text, path, err) ? -1 : 0;
	close(fd);
	return status;
}

/* The terminal, if we may ask on it, else -1: a background job would be stopped. */
static int open_terminal(void)
{
	int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd >= 0 && tcgetpgrp(fd) == getpgrp())
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

/* Read a line from the terminal, whose echo is off. */
static int read_answer(int fd, char text[static PASSWORD_SIZE], struct deadline *d, struct err *err)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };
	ssize_t n;

	if (deadline_poll(d, &pollfd, 1, DEADLINE_NEVER, err) < 0)
		return -1;
	n = read(fd, text, PASSWORD_SIZE - 1);
	if (n <= 0 || text[n - 1] != '\n' || n == 1)
		return err_set(err, ERR_GUEST_UNREACHABLE, "no password was typed");
	text[n - 1] = '\0';
	return 0;
}

int password_ask(char text[static PASSWORD_SIZE], const char *question, struct deadline *d,
		 struct err *err)
{
	void (*tick)(void *context, bool is_waiting) = d->tick;
	struct termios before, quiet;
	int fd = open_terminal(), status;

	seal();
	if (fd < 0 || tcgetattr(fd, &before)) {
		if (fd >= 0)
			close(fd);
		return err_set(err, ERR_GUEST_UNREACHABLE,
			       "no terminal to ask for the password on");
	}
	quiet = before;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	quiet.c_lflag |= ICANON | ECHONL;
	if (tick)
		tick(d->tick_context, false);
	d->tick = NULL; /* no progress line while the user types */
	tcsetattr(fd, TCSAFLUSH, &quiet);
	status = write(fd, question, strlen(question)) < 0
			 ? err_set(err, ERR_GUEST_UNREACHABLE, "cannot ask on the terminal: %s",
				   strerror(errno))
			 : read_answer(fd, text, d, err);
	tcsetattr(fd, TCSAFLUSH, &before);
	d->tick = tick;
	close(fd);
	return status;
}
