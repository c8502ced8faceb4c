/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The outside world of the fuzz targets: the linker (--wrap) replaces the calls that reach it by
 * these, so that memhp's own objects need no change. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "lib/peer.h"
#include "lib/stream.h"

/* The peers to connect to, and what they send. */
static struct end {
	const char *path;
	const char *fed;
	size_t size, said;
	int near, far; /* of the last connection */
} ends[] = { { SEAM_PATH, NULL, 0, 0, -1, -1 }, { SEAM_GUEST_PATH, NULL, 0, 0, -1, -1 } };

int __wrap_stream_connect_unix(const char *path, const char *name, int *fd, enum err_code code,
			       struct err *err);
int __wrap_stream_fill(struct stream *w, int64_t until_ms, struct deadline *d, struct err *err);
int __real_stream_fill(struct stream *w, int64_t until_ms, struct deadline *d, struct err *err);
ssize_t __wrap_getrandom(void *bytes, size_t size, unsigned flags);
FILE *__wrap_sink_stdout(void);
int __wrap_peer_open_path(pid_t pid, const char *path, int flags);
int __real_peer_open_path(pid_t pid, const char *path, int flags);

void seam_feed(const void *data, size_t size)
{
	ends[0].fed = data;
	ends[0].size = size;
}

void seam_feed_guest(const void *data, size_t size)
{
	ends[1].fed = data;
	ends[1].size = size;
}

struct address seam_address(enum address_kind kind)
{
	return (struct address){ kind, .text = SEAM_PATH, .path = SEAM_PATH };
}

struct deadline seam_deadline(void)
{
	struct deadline d;

	deadline_init(&d, 0, -1);
	return d;
}

void seam_fail(const char *condition, const char *file, int line)
{
	fprintf(stderr, "%s:%d: broken: %s\n", file, line, condition);
	abort();
}

/* The far end reads nothing, but stays until the next connection: otherwise a write would fail
 * before its input is read. */
int __wrap_stream_connect_unix(const char *path, const char *name, int *fd, enum err_code code,
			       struct err *err)
{
	struct end *end = &ends[!strcmp(name, SEAM_GUEST_PATH)];
	int pair[2];

	(void)path;
	if (end->far >= 0)
		close(end->far);
	end->near = end->far = -1;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return err_set(err, code, "cannot make a socket: %s", strerror(errno));
	*fd = end->near = pair[0];
	end->far = pair[1];
	end->said = 0;
	shutdown(end->far, SHUT_WR);
	return 0;
}

/* Its input comes line by line, each when it is awaited: a reply before its request is ignored. */
int __wrap_stream_fill(struct stream *w, int64_t until_ms, struct deadline *d, struct err *err)
{
	size_t i, len;

	for (i = 0; i < ARRAY_SIZE(ends); i++) {
		struct end *end = &ends[i];
		const char *from, *line_end;

		if (w->through.fill || w->in_fd < 0 || end->near != w->in_fd ||
		    end->said == end->size)
			continue;
		from = end->fed + end->said;
		line_end = memchr(from, '\n', end->size - end->said);
		len = line_end ? (size_t)(line_end + 1 - from) : end->size - end->said;
		buf_add(&w->in, from, len);
		end->said += len;
		return 1;
	}
	return __real_stream_fill(w, until_ms, d, err);
}

ssize_t __wrap_getrandom(void *bytes, size_t size, unsigned flags)
{
	(void)flags;
	memset(bytes, 0, size);
	return (ssize_t)size;
}

/* A socket to connect to as above. */
int __wrap_peer_open_path(pid_t pid, const char *path, int flags)
{
	if (strcmp(path, SEAM_PATH) != 0 && strcmp(path, SEAM_GUEST_PATH) != 0)
		return __real_peer_open_path(pid, path, flags);
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

/* The output, where a target can check it. */
FILE *__wrap_sink_stdout(void)
{
	return stdout;
}
