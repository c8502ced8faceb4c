/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * address: how a monitor, a listening socket or a guest channel is named, parsed once. The only
 * place that knows the schemes. Must never: open, resolve.
 */
#ifndef LIB_ADDRESS_H
#define LIB_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"

enum address_kind {
	ADDRESS_ABSENT, /* not given */
	/* what listens, such as a monitor */
	ADDRESS_UNIX,	/* "PATH", "unix:PATH", "@NAME", "unix:@NAME" */
	ADDRESS_TCP,	/* "tcp:HOST:PORT"; of QEMU's words also "tcp:HOST:FIRST-LAST" */
	ADDRESS_FD,	/* "fd:NUMBER", a descriptor of its process */
	ADDRESS_REMOTE, /* "ssh://[USER@]HOST[:PORT]/PATH", a monitor of another machine */
	/* a guest channel */
	ADDRESS_NONE,	/* "none": not wanted */
	ADDRESS_SERIAL, /* "serial:PATH", "serial:@NAME" */
	ADDRESS_SSH,	/* "ssh:[USER@]HOST[:PORT]" */
	ADDRESS_AGENT,	/* "qga:PATH", "qga:@NAME" */
	ADDRESS_EXEC,	/* "exec:COMMAND" */
	ADDRESS_LOCAL,	/* "local[:SYSROOT]" */
};

/* A part of a text, printed with "%.*s". */
struct slice {
	int len; /* bytes; 0 when absent */
	const char *at;
};

/* Points into its text, which has to outlive it; to be copied freely. */
struct address {
	enum address_kind kind;
	const char *text; /* as it was written; NULL when absent */
	/* of UNIX, REMOTE, SERIAL, AGENT: a path, or "@NAME" in the abstract name space (unix(7));
	 * of EXEC the command; of LOCAL the system's root, "" for its own */
	const char *path;
	bool is_abstract;
	struct slice user, host, port; /* of TCP, REMOTE, SSH; the host without brackets */
	uint64_t first, last; /* the port, of a range both ends; FD: the descriptor; else 0 */
};

/*
 * address_parse_monitor() - a monitor as a person names it
 * @text:	borrowed for as long as @address is used
 * Return: 0; -1 with ERR_USAGE
 */
int address_parse_monitor(struct address *address, const char *text, struct err *err)
	__attribute__((warn_unused_result));

/* address_parse_channel() - the same for a guest channel */
int address_parse_channel(struct address *address, const char *text, struct err *err)
	__attribute__((warn_unused_result));

/*
 * address_of_listener() - where QEMU listens, as its words or the kernel tell: also a descriptor, a
 * range of ports, no host
 * @text:	taken over, for address_free(), also on failure
 * Return: false, with @address absent, when it is none
 */
bool address_of_listener(struct address *address, char *text) __attribute__((warn_unused_result));

/* address_of_path() - the UNIX socket at a path, whatever that looks like
 * @path:	taken over, for address_free() */
struct address address_of_path(char *path);

/* address_of_device() - the channel by a character device: ADDRESS_SERIAL or ADDRESS_AGENT
 * @path:	copied; the caller frees the address with address_free() */
struct address address_of_device(enum address_kind kind, const char *path);

/* address_copy() - the same with a text of its own, for address_free() */
struct address address_copy(const struct address *address);

/* address_free() - free the text of an address that owns it */
void address_free(struct address *address);

/* address_is_same() - do both name the same socket? A path with and without "unix:" is one. */
bool address_is_same(const struct address *a, const struct address *b);

/* address_is_same_port() - do both name the same port of the same host, for whatever use? */
bool address_is_same_port(const struct address *a, const struct address *b);

/* address_has_host() - is that its host, as it is written? */
bool address_has_host(const struct address *address, const char *host);

/* address_can_forward() - can ssh -L forward that path? Absolute, without its separator, escapes
 * and variables */
bool address_can_forward(const char *path);

#endif
