/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * stream: a byte stream to a peer (monitor, console, child process) with a bounded input buffer.
 * Must never: know what the bytes mean.
 */
#ifndef LIB_STREAM_H
#define LIB_STREAM_H

#include <stddef.h>
#include <sys/types.h>

#include "lib/address.h"
#include "lib/deadline.h"
#include "lib/err.h"
#include "lib/util.h"

/* Receives the traffic for --verbose. @direction is '>' to the peer, '<' from it. */
struct trace {
	void (*say)(void *context, const char *channel, char direction, const char *text);
	void *context;
};

void trace_say(const struct trace *trace, const char *channel, char direction, const char *text);

/* trace_is_on() - is tracing on? Check it before expensive formatting */
bool trace_is_on(const struct trace *trace);

/*
 * Opens the socket or terminal at a path, and checks which process it belongs to.
 * @fd:	receives the descriptor; the caller closes it
 * Return: 0; -1 with @err
 */
struct stream_opener {
	int (*open)(void *context, const char *path, int *fd, struct err *err);
	void *context; /* borrowed */
};

struct stream;

/* Carries a stream without descriptors. As stream_write() and stream_fill(). */
struct stream_through {
	int (*write)(void *context, const void *data, size_t len);
	int (*fill)(void *context, struct stream *s, int64_t until_ms, struct deadline *d,
		    struct err *err);
	void *context; /* borrowed */
};

struct stream {
	int in_fd;  /* owned; non-blocking; -1 if closed, or carried by @through */
	int out_fd; /* owned; may equal in_fd */
	struct stream_through through; /* zero for descriptors */
	struct buf in;
	char *peer;		 /* "monitor '/run/vm.qmp'", for messages; owned */
	enum err_code lost_code; /* the kind of failure if the peer goes away */
};

/*
 * stream_init() - take over descriptors and make them non-blocking
 * @peer:	for messages; taken over
 */
void stream_init(struct stream *s, int in_fd, int out_fd, char *peer, enum err_code lost_code);

/* stream_init_through() - the same for a stream without descriptors */
void stream_init_through(struct stream *s, struct stream_through through, char *peer,
			 enum err_code lost_code);

/* Creates the stream sockets to connect, non-blocking, in some network namespace. */
struct stream_maker {
	int (*make)(const void *context, int family); /* returns -1 with errno */
	const void *context;			      /* borrowed */
};

/* A third result of connecting to a UNIX socket, beside 0 and -1: other clients are queued. */
#define STREAM_QUEUED 1

/*
 * stream_connect_unix() - connect to a UNIX stream socket
 * @path:	of any length
 * @name:	for messages
 * @fd:		receives the descriptor; the caller closes it
 * Return: 0; -1 with @err of kind @code; STREAM_QUEUED, also with @err
 */
int stream_connect_unix(const char *path, const char *name, int *fd, enum err_code code,
			struct err *err) __attribute__((warn_unused_result));

/* stream_connect_abstract() - the same for an abstract socket (unix(7)), whether or not zeros pad
 * its address */
int stream_connect_abstract(const char *name, struct stream_maker maker, int *fd,
			    enum err_code code, struct err *err)
	__attribute__((warn_unused_result));

/* stream_connect_tcp() - the same for an ADDRESS_TCP; ends at the deadline, including the name
 * lookup */
int stream_connect_tcp(const struct address *address, struct stream_maker maker, int *fd,
		       enum err_code code, struct deadline *d, struct err *err)
	__attribute__((warn_unused_result));

/*
 * stream_write() - send all of @data
 * Return: 0; -1 at the deadline or when the peer is gone
 */
int stream_write(struct stream *s, const void *data, size_t len, struct deadline *d,
		 struct err *err) __attribute__((warn_unused_result));

/*
 * stream_fill() - wait for input and append it to s->in
 * @until_ms:	a limit before the deadline, or DEADLINE_NEVER
 * Return: 1 when bytes were added, 0 at @until_ms, -1 with @err (end of stream: lost_code)
 */
int stream_fill(struct stream *s, int64_t until_ms, struct deadline *d, struct err *err)
	__attribute__((warn_unused_result));

/*
 * stream_line() - take the first complete line out of s->in, without its line end
 * Return: the line, which the caller frees; NULL if no line is complete
 */
char *stream_line(struct stream *s);

void stream_free(struct stream *s);

#endif
