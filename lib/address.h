/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * address: names of monitors, listening sockets and guest channels, parsed once. The only place
 * that knows the schemes. Must never: open, resolve.
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
	ADDRESS_TCP,	/* "tcp:HOST:PORT"; from QEMU also "tcp:HOST:FIRST-LAST" */
	ADDRESS_FD,	/* "fd:NUMBER", a descriptor of QEMU's process */
	ADDRESS_REMOTE, /* "ssh://[USER@]HOST[:PORT]/PATH", a monitor on another machine */
	/* a guest channel */
	ADDRESS_NONE,	/* "none": not wanted */
	ADDRESS_SERIAL, /* "serial:PATH", "serial:@NAME" */
	ADDRESS_SSH,	/* "ssh:[USER@]HOST[:PORT]" */
	ADDRESS_AGENT,	/* "qga:PATH", "qga:@NAME" */
	ADDRESS_EXEC,	/* "exec:COMMAND" */
	ADDRESS_LOCAL,	/* "local[:SYSROOT]" */
};

/* A part of a string, printed with "%.*s". */
struct slice {
	int len; /* bytes; 0 if absent */
	const char *at;
};

/* Points into its text, which must outlive it; may be copied freely. */
struct address {
	enum address_kind kind;
	const char *text; /* as written; NULL if absent */
	/* of UNIX, REMOTE, SERIAL, AGENT: a path, or "@NAME" in the abstract name space (unix(7));
	 * of EXEC the command; of LOCAL the system's root, "" for its own */
	const char *path;
	bool is_abstract;
	struct slice user, host, port; /* of TCP, REMOTE, SSH; the host without brackets */
	uint64_t first, last; /* the port, of a range both ends; FD: the descriptor; else 0 */
};

/*
 * address_parse_monitor() - parse a monitor's address from the user
 * @text:	borrowed as long as @address is used
 * Return: 0; -1 with ERR_USAGE
 */
int address_parse_monitor(struct address *address, const char *text, struct err *err)
	__attribute__((warn_unused_result));

/* address_parse_channel() - the same for a guest channel */
int address_parse_channel(struct address *address, const char *text, struct err *err)
	__attribute__((warn_unused_result));

/*
 * address_of_listener() - parse where QEMU listens, from its command line or the kernel: may also
 * be a descriptor, a range of ports, or lack a host
 * @text:	taken over, for address_free(), also on failure
 * Return: false, with @address absent, if it is not an address
 */
bool address_of_listener(struct address *address, char *text) __attribute__((warn_unused_result));

/* address_of_path() - the UNIX socket at a path, which may look like any other address
 * @path:	taken over, for address_free() */
struct address address_of_path(char *path);

/* address_of_device() - the channel of a character device: ADDRESS_SERIAL or ADDRESS_AGENT
 * @path:	copied; the caller frees the address with address_free() */
struct address address_of_device(enum address_kind kind, const char *path);

/* address_copy() - a copy that owns its text, for address_free() */
struct address address_copy(const struct address *address);

/* address_free() - free the text of an address that owns it */
void address_free(struct address *address);

/* address_is_same() - do both name the same socket? A path with and without "unix:" is one. */
bool address_is_same(const struct address *a, const struct address *b);

/* address_is_same_port() - do both name the same port of the same host, for any use? */
bool address_is_same_port(const struct address *a, const struct address *b);

/* address_has_host() - is its host written like that? */
bool address_has_host(const struct address *address, const char *host);

/* address_can_forward() - can ssh -L forward that path? It must be absolute, without ssh's
 * separator, escapes and variables */
bool address_can_forward(const char *path);

#endif
