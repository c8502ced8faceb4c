/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The outside world of the fuzz targets: the linker (--wrap) puts these in the place of the calls
 * that reach it, so that what memhp is built of need not change. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "peer.h"
#include "wire.h"

static const void *fed;
static size_t fed_size;

int __wrap_wire_connect_unix(const char *path, const char *name, int *fd, enum err_code code,
			     struct err *err);
ssize_t __wrap_getrandom(void *bytes, size_t size, unsigned flags);
int __wrap_peer_open_path(pid_t pid, const char *path, int flags);
int __real_peer_open_path(pid_t pid, const char *path, int flags);

void seam_feed(const void *data, size_t size)
{
	fed = data;
	fed_size = size;
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

/* The far end: its words wait in the socket. It reads nothing, but stays until the next connection:
 * who talks to nobody hears of that before the words. */
int __wrap_wire_connect_unix(const char *path, const char *name, int *fd, enum err_code code,
			     struct err *err)
{
	static int far = -1;
	int pair[2];

	(void)path, (void)name;
	if (far >= 0)
		close(far);
	far = -1;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return err_set(err, code, "cannot make a socket: %s", strerror(errno));
	*fd = pair[0];
	far = pair[1];
	if (fed_size)
		seam_check(send(far, fed, fed_size, MSG_DONTWAIT) == (ssize_t)fed_size);
	shutdown(far, SHUT_WR);
	return 0;
}

ssize_t __wrap_getrandom(void *bytes, size_t size, unsigned flags)
{
	(void)flags;
	memset(bytes, 0, size);
	return (ssize_t)size;
}

/* A socket, to be connected to as above. */
int __wrap_peer_open_path(pid_t pid, const char *path, int flags)
{
	if (strcmp(path, SEAM_PATH) != 0)
		return __real_peer_open_path(pid, path, flags);
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}
