/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * sockets: where a process listens, according to the kernel (/proc/PID/fd and /proc/PID/net,
 * proc(5)). Must never: connect.
 */
#ifndef VM_SOCKETS_H
#define VM_SOCKETS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/proc.h"
#include "vm/cmdline.h"

/* One listening socket. */
struct listening {
	uint64_t inode;
	struct address address; /* a path, an abstract name, or a port; owned */
};

/* Zero-initialise it. */
struct sockets {
	struct listening *list;
	unsigned count;
	bool is_known;	/* the process's descriptors could be read */
	bool has_ports; /* TCP sockets are included */
};

/*
 * sockets_read() - read the UNIX stream sockets that @p listens on. A path is as QEMU passed it to
 * bind(2): absolute, or relative to a directory that QEMU may have left.
 */
void sockets_read(struct sockets *s, const struct proc *p);

/*
 * sockets_read_ports() - add TCP sockets, unless already done. The kernel walks all of its
 * connections for that, which takes as long as an ordinary command. A socket that listens on all
 * addresses gets the loopback address of its family.
 */
void sockets_read_ports(struct sockets *s, const struct proc *p);
void sockets_free(struct sockets *s);

/* sockets_at() - does it listen at that address? A relative path of the kernel's matches in any
 * directory. */
bool sockets_at(const struct sockets *s, const struct address *address);

/* sockets_is_explained() - does a command line with resolved addresses say what it is for? */
bool sockets_is_explained(const struct listening *l, const struct cmdline *line);

/* sockets_of_descriptor() - the address of the socket that it listens on with its descriptor @fd;
 * NULL if that is none; owned by @s */
const struct address *sockets_of_descriptor(const struct sockets *s, const struct proc *p,
					    unsigned fd);

/*
 * sockets_resolve() - correct a command line's addresses: descriptors become the names of their
 * sockets, ports get the address family that is really listened on. Without the ports a TCP address
 * is a guess, and a port forwarded to ssh is kept; sockets_resolve_ssh() corrects that.
 * @is_own:	for another user's QEMU no host name is kept, as memhp would look it up
 */
void sockets_resolve(const struct sockets *s, const struct proc *p, bool is_own,
		     struct cmdline *line);

/* sockets_resolve_ssh() - remove the channel through a forwarded port that nothing listens on */
void sockets_resolve_ssh(const struct sockets *s, struct cmdline *line);

#endif
