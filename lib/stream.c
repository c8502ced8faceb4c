/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A byte stream to a peer, with deadlines. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/resolve.h"
#include "lib/stream.h"

void trace_say(const struct trace *trace, const char *channel, char direction, const char *text)
{
	if (trace_is_on(trace))
		trace->say(trace->context, channel, direction, text);
}

bool trace_is_on(const struct trace *trace)
{
	return trace && trace->say;
}

static void set_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags >= 0)
		fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

void stream_init(struct stream *w, int in_fd, int out_fd, char *peer, enum err_code lost_code)
{
	*w = (struct stream){
		.in_fd = in_fd, .out_fd = out_fd, .peer = peer, .lost_code = lost_code
	};
	set_nonblocking(in_fd);
	set_nonblocking(out_fd);
}

void stream_init_through(struct stream *w, struct stream_through through, char *peer,
			 enum err_code lost_code)
{
	*w = (struct stream){
		.in_fd = -1, .out_fd = -1, .through = through, .peer = peer, .lost_code = lost_code
	};
}

/* Connect @sock: it becomes *fd, or is closed on failure. */
static int connect_unix(int sock, const struct sockaddr_un *address, socklen_t len,
			const char *name, int *fd, enum err_code code, struct err *err)
{
	bool is_full;

	*fd = -1;
	if (sock < 0)
		return err_set(err, ERR_FAILED, "cannot make a socket: %s", strerror(errno));
	if (!connect(sock, (const struct sockaddr *)address, len)) {
		*fd = sock;
		return 0;
	}
	is_full = errno == EAGAIN;
	if (is_full)
		err_set(err, code, "cannot connect to '%s': it is in use and others are waiting",
			name);
	else
		err_set(err, code, "cannot connect to '%s': %s", name, strerror(errno));
	close(sock);
	return is_full ? STREAM_QUEUED : -1;
}

int stream_connect_unix(const char *path, const char *name, int *fd, enum err_code code,
			struct err *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int path_fd = -1, status;

	if (strlen(path) >= sizeof(address.sun_path)) {
		path_fd = open(path, O_PATH | O_CLOEXEC);
		if (path_fd < 0)
			return err_set(err, code, "cannot connect to '%s': %s", name,
				       strerror(errno));
		snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d", path_fd);
	} else {
		memcpy(address.sun_path, path, strlen(path) + 1);
	}
	/* non-blocking: a socket whose queue is full answers EAGAIN instead of hanging */
	status = connect_unix(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0),
			      &address, sizeof(address), name, fd, code, err);
	if (path_fd >= 0)
		close(path_fd);
	return status;
}

int stream_connect_abstract(const char *name, struct stream_maker maker, int *fd,
			    enum err_code code, struct err *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	_cleanup_free_ char *shown = xasprintf("@%s", name);
	size_t len = strlen(name);
	int status;

	if (len >= sizeof(address.sun_path))
		return err_set(err, code,
			       "cannot connect to '%s': an abstract name has at most %zu bytes",
			       shown, sizeof(address.sun_path) - 1);
	memcpy(address.sun_path + 1, name, len);
	status = connect_unix(maker.make(maker.context, AF_UNIX), &address,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + len), shown,
			      fd, code, err);
	if (status != -1 || err->code != code)
		return status;
	return connect_unix(maker.make(maker.context, AF_UNIX), &address, sizeof(address), shown,
			    fd, code, err);
}

enum attempt {
	ATTEMPT_DONE,
	ATTEMPT_REFUSED, /* errno says why */
	ATTEMPT_OVER,	 /* *err says why: give up */
};

/* Finish a non-blocking connect(2). */
static enum attempt connect_finish(int fd, const struct addresses *to, unsigned i,
				   struct deadline *d, struct err *err)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLOUT };
	int error = 0;
	socklen_t len = sizeof(error);

	if (!connect(fd, (const struct sockaddr *)&to->list[i].name, to->list[i].len))
		return ATTEMPT_DONE;
	if (errno != EINPROGRESS)
		return ATTEMPT_REFUSED;
	if (deadline_poll(d, &pollfd, 1, DEADLINE_NEVER, err) < 0)
		return ATTEMPT_OVER;
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
	errno = error;
	return error ? ATTEMPT_REFUSED : ATTEMPT_DONE;
}

/* Connect to the first of the addresses that answers. */
static enum attempt connect_any(const struct addresses *to, struct stream_maker maker, int *fd,
				struct deadline *d, struct err *err)
{
	enum attempt status = ATTEMPT_REFUSED;
	unsigned i;

	for (i = 0; i < to->count && status == ATTEMPT_REFUSED; i++) {
		int saved;

		*fd = maker.make(maker.context, to->list[i].name.ss_family);
		if (*fd < 0)
			continue;
		status = connect_finish(*fd, to, i, d, err);
		saved = errno;
		if (status != ATTEMPT_DONE) {
			close(*fd);
			*fd = -1;
		}
		errno = saved;
	}
	return status;
}

int stream_connect_tcp(const struct address *address, struct stream_maker maker, int *fd,
		       enum err_code code, struct deadline *d, struct err *err)
{
	_cleanup_free_ char *host = xstrndup(address->host.at, (size_t)address->host.len);
	const char *port = address->port.at, *shown = address->text + strlen("tcp:");
	struct addresses to;

	if (resolve(host, port, &to, code, d, err))
		return err->code == ERR_INTERRUPTED
			       ? -1
			       : err_wrap(err, "cannot connect to '%s'", shown);
	switch (connect_any(&to, maker, fd, d, err)) {
	case ATTEMPT_DONE:
		return 0;
	case ATTEMPT_REFUSED:
		return err_set(err, code, "cannot connect to '%s': %s", shown, strerror(errno));
	case ATTEMPT_OVER:
		break;
	}
	if (err->code == ERR_TIMEOUT)
		err_set(err, code, "cannot connect to '%s': no answer", shown);
	return -1;
}

static int lost(struct stream *w, const char *why, struct err *err)
{
	return err_set(err, w->lost_code, "the %s went away: %s", w->peer, why);
}

int stream_write(struct stream *w, const void *data, size_t len, struct deadline *d,
		 struct err *err)
{
	const char *p = data;

	if (w->through.write)
		return w->through.write(w->through.context, data, len);
	while (len) {
		struct pollfd fd = { .fd = w->out_fd, .events = POLLOUT };
		ssize_t n = write(w->out_fd, p, len);

		if (n >= 0) {
			p += n;
			len -= (size_t)n;
		} else if (errno != EAGAIN && errno != EINTR) {
			return lost(w, strerror(errno), err);
		} else if (deadline_poll(d, &fd, 1, DEADLINE_NEVER, err) < 0) {
			return -1;
		}
	}
	return 0;
}

int stream_fill(struct stream *w, int64_t until_ms, struct deadline *d, struct err *err)
{
	struct pollfd fd = { .fd = w->in_fd, .events = POLLIN };
	char bytes[16384];
	ssize_t n;
	int ready;

	if (w->through.fill)
		return w->through.fill(w->through.context, w, until_ms, d, err);
	ready = deadline_poll(d, &fd, 1, until_ms, err);
	if (ready <= 0)
		return ready;
	n = read(w->in_fd, bytes, sizeof(bytes));
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 1;
	if (n <= 0)
		return lost(w, n ? strerror(errno) : "it closed the connection", err);
	buf_add(&w->in, bytes, (size_t)n);
	return 1;
}

char *stream_line(struct stream *w)
{
	char *end = w->in.len ? memchr(w->in.data, '\n', w->in.len) : NULL;
	size_t len;
	char *line;

	if (!end)
		return NULL;
	len = (size_t)(end - w->in.data);
	line = xstrndup(w->in.data,
			len); /* a NUL byte ends the line early: valid lines have none */
	buf_drop(&w->in, len + 1);
	len = strlen(line);
	while (len && line[len - 1] == '\r')
		line[--len] = '\0';
	return line;
}

void stream_free(struct stream *w)
{
	if (w->out_fd >= 0 && w->out_fd != w->in_fd)
		close(w->out_fd);
	if (w->in_fd >= 0)
		close(w->in_fd);
	buf_free(&w->in);
	util_cleanup_free(&w->peer);
	*w = (struct stream){ .in_fd = -1, .out_fd = -1 };
}
