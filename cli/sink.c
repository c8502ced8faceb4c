/* SPDX-License-Identifier: GPL-3.0-or-later */
/* stdout and stderr, with a deadline. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "cli/sink.h"

#define WAKE_US 250000

struct sink {
	int fd;
	FILE *stream;
	bool is_closed; /* write nothing more */
	struct err err; /* the error of a wait */
};

static struct sink out = { .fd = STDOUT_FILENO }, errors = { .fd = STDERR_FILENO };
static struct deadline *limit; /* NULL: signals end memhp like any program */

static void wake(int number)
{
	(void)number;
}

/* The earlier handling of SIGALRM; an alarm inherited by memhp keeps running. */
struct alarm_state {
	struct itimerval timer;
	struct sigaction action;
};

/* poll(2) promises room for one byte, not for all: make a blocked write return now and then. */
static void alarm_begin(struct alarm_state *before)
{
	struct itimerval timer = { .it_interval.tv_usec = WAKE_US, .it_value.tv_usec = WAKE_US };
	struct sigaction action = { .sa_handler = wake }; /* without SA_RESTART */

	sigaction(SIGALRM, &action, &before->action);
	setitimer(ITIMER_REAL, &timer, &before->timer);
}

static void alarm_end(const struct alarm_state *before)
{
	setitimer(ITIMER_REAL, &before->timer, NULL);
	sigaction(SIGALRM, &before->action, NULL);
}

/* Wait until there is room. Return: 0; -1 if the sink is closed because of it */
static int wait_for_room(struct sink *sink)
{
	struct pollfd fd = { .fd = sink->fd, .events = POLLOUT };

	if (poll(&fd, 1, 0) > 0)
		return 0;
	sink->is_closed = deadline_poll_output(limit, fd, &sink->err) < 0;
	return sink->is_closed ? -1 : 0;
}

/* One write(2), as long as the deadline lets it wait. */
static ssize_t write_once(struct sink *sink, const char *bytes, size_t len)
{
	struct alarm_state before;
	ssize_t n;
	int saved;

	if (!limit)
		return write(sink->fd, bytes, len);
	if (wait_for_room(sink)) {
		errno = ETIMEDOUT;
		return -1;
	}
	alarm_begin(&before);
	n = write(sink->fd, bytes, len);
	saved = errno;
	alarm_end(&before);
	errno = saved;
	return n;
}

/* For fopencookie(3): fewer bytes than @len are an error. */
static ssize_t write_all(void *cookie, const char *bytes, size_t len)
{
	struct sink *sink = cookie;
	size_t done = 0;

	while (done < len && !sink->is_closed) {
		ssize_t n = write_once(sink, bytes + done, len - done);

		if (n >= 0)
			done += (size_t)n;
		else if (errno != EINTR && errno != EAGAIN)
			break;
	}
	return (ssize_t)done;
}

static FILE *stream_of(struct sink *sink, FILE *otherwise, int mode)
{
	cookie_io_functions_t functions = { .write = write_all };

	if (!sink->stream) {
		sink->stream = fopencookie(sink, "w", functions);
		if (sink->stream)
			setvbuf(sink->stream, NULL, mode, BUFSIZ);
	}
	return sink->stream ? sink->stream : otherwise;
}

FILE *sink_stdout(void)
{
	return stream_of(&out, stdout, isatty(STDOUT_FILENO) ? _IOLBF : _IOFBF);
}

FILE *sink_stderr(void)
{
	return stream_of(&errors, stderr, _IONBF);
}

void sink_limit(struct deadline *d)
{
	limit = d;
}

int sink_flush(struct err *err)
{
	FILE *stream = sink_stdout();

	errno = 0;
	if (!fflush(stream) && !ferror(stream))
		return 0;
	if (out.is_closed)
		return err_set(err, out.err.code ? out.err.code : ERR_FAILED,
			       "cannot write to stdout: %s while waiting for a reader",
			       out.err.code == ERR_INTERRUPTED ? "interrupted"
							       : "the deadline passed");
	return err_set(err, ERR_FAILED, "cannot write to stdout: %s",
		       errno ? strerror(errno) : "an earlier write failed");
}

void sink_finish(void)
{
	fflush(sink_stdout());
	fflush(sink_stderr());
	out.is_closed = errors.is_closed = true;
	limit = NULL;
}
