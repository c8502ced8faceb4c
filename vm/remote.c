/* SPDX-License-Identifier: GPL-3.0-or-later */
/* UNIX sockets on another machine. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/process.h"
#include "lib/util.h"
#include "vm/remote.h"

#define SOCKETS_MAX  4
#define NAME_MAX_LEN 80 /* a socket's path has at most 107 bytes, and ssh needs some of them */

struct remote {
	struct stream stream; /* to a command there that ends with the stream */
	struct process process;
	struct address address;
	char *directory;
	char *control; /* ssh's own socket */
	char *sockets[SOCKETS_MAX];
	unsigned count;
};

static int make_directory(struct remote *r, struct err *err)
{
	const char *base = getenv("XDG_RUNTIME_DIR");

	if (!base || !address_can_forward(base) || strlen(base) > NAME_MAX_LEN / 2 ||
	    access(base, W_OK))
		base = "/tmp";
	r->directory = xasprintf("%s/memhp-XXXXXX", base);
	if (mkdtemp(r->directory)) {
		r->control = xasprintf("%s/control", r->directory);
		return 0;
	}
	err_set(err, ERR_FAILED, "cannot make '%s': %s", r->directory, strerror(errno));
	free(r->directory);
	r->directory = NULL;
	return -1;
}

/* "LOCAL:REMOTE" for -L, and the local socket's path in @local; the caller frees the text. */
static char *next_forward(struct remote *r, const char *path, const char **local)
{
	r->sockets[r->count] = xasprintf("%s/%u", r->directory, r->count);
	*local = r->sockets[r->count++];
	return xasprintf("%s:%s", *local, path);
}

/* "[USER@]HOST[:PORT]", for messages */
static struct slice target(const struct remote *r)
{
	const char *at = r->address.text + strlen("ssh://");

	return (struct slice){ (int)(r->address.path - at), at };
}

/* Wait until the command there runs: then the socket is forwarded. */
static int wait_ready(struct remote *r, struct deadline *d, struct err *err)
{
	for (;;) {
		_cleanup_free_ char *line = stream_line(&r->stream);

		if (line && !strcmp(line, "ready"))
			return 0;
		if (!line && stream_fill(&r->stream, DEADLINE_NEVER, d, err) < 0) {
			if (err->code == ERR_TIMEOUT)
				err_set(err, ERR_QEMU_UNREACHABLE, "no answer from ssh to '%.*s'",
					target(r).len, target(r).at);
			return process_explain(&r->process, &r->stream, err);
		}
	}
}

static int connect_master(struct remote *r, const char **local, struct deadline *d, struct err *err)
{
	_cleanup_free_ char *forward = next_forward(r, r->address.path, local);
	_cleanup_free_ char *control = xasprintf("-oControlPath=%s", r->control);
	char *options[] = { (char *)"-oControlMaster=yes",
			    (char *)"-oControlPersist=no",
			    (char *)"-oExitOnForwardFailure=yes",
			    control,
			    (char *)"-L",
			    forward,
			    NULL };

	if (process_open_ssh(&r->stream, &r->process, &r->address, options,
			     "echo ready; exec cat >/dev/null", d, err))
		return -1;
	r->stream.lost_code = ERR_QEMU_UNREACHABLE;
	return wait_ready(r, d, err);
}

int remote_open(struct remote **out, const struct address *address, const char **local,
		struct deadline *d, struct err *err)
{
	struct remote *r = xcalloc(1, sizeof(*r));

	r->address = *address;
	r->stream.in_fd = r->stream.out_fd = -1;
	if (make_directory(r, err) || connect_master(r, local, d, err)) {
		remote_close(r);
		return -1;
	}
	*out = r;
	return 0;
}

/* Wait for the ssh that controls the master to end; its output matters only on failure. */
static int wait_end(struct stream *w, struct deadline *d)
{
	struct err end = { 0 };

	while (stream_fill(w, DEADLINE_NEVER, d, &end) > 0)
		buf_drop(&w->in, w->in.len);
	return end.code == ERR_TIMEOUT || end.code == ERR_INTERRUPTED ? -1 : 0;
}

static int cannot_forward(const struct remote *r, const char *path, struct err *err)
{
	return err_set(err, ERR_GUEST_UNREACHABLE, "cannot forward '%s' of '%.*s'", path,
		       target(r).len, target(r).at);
}

int remote_forward(struct remote *r, const char *path, const char **local, struct deadline *d,
		   struct err *err)
{
	_cleanup_free_ char *control = xasprintf("-oControlPath=%s", r->control);
	_cleanup_free_ char *forward = NULL;
	struct stream stream = { .in_fd = -1, .out_fd = -1 };
	struct process process = { 0 };
	int status;

	if (!address_can_forward(path) || r->count == SOCKETS_MAX)
		return cannot_forward(r, path, err);
	forward = next_forward(r, path, local);
	status = process_open_ssh(
		&stream, &process, &r->address,
		(char *[]){ control, (char *)"-O", (char *)"forward", (char *)"-L", forward, NULL },
		NULL, d, err);
	if (!status && (wait_end(&stream, d) || access(*local, F_OK))) {
		cannot_forward(r, path, err);
		status = process_explain(&process, &stream, err);
	}
	process_close(&process, &stream);
	stream_free(&stream);
	return status;
}

int remote_explain(const struct remote *r, struct err *err)
{
	return process_explain(&r->process, &r->stream, err);
}

void remote_close(struct remote *r)
{
	if (!r)
		return;
	process_close(&r->process, &r->stream);
	stream_free(&r->stream);
	while (r->count) {
		unlink(r->sockets[--r->count]);
		free(r->sockets[r->count]);
	}
	if (r->directory) {
		unlink(r->control);
		rmdir(r->directory);
	}
	free(r->directory);
	free(r->control);
	free(r);
}
