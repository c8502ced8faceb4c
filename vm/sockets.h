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

/* One socket that is listened on. */
struct listening {
	uint64_t inode;
	struct address address; /* a path, an abstract name, or a port; owned */
};

/* Zero-initialise it. */
struct sockets {
	struct listening *list;
	unsigned count;
	bool is_known;	/* the process's descriptors could be read */
	bool has_ports; /* those of TCP are among them */
};

/*
 * sockets_read() - the UNIX stream sockets that @p listens on. A path is as QEMU gave it to
 * bind(2): whole, or relative to a directory that QEMU may have left.
 */
void sockets_read(struct sockets *s, const struct proc *p);

/*
 * sockets_read_ports() - add those of TCP, unless they are there already. The kernel goes through
 * all of its connections for that, which takes as long as an ordinary command. One that listens on
 * any of this machine's addresses is given the loopback's of its family.
 */
void sockets_read_ports(struct sockets *s, const struct proc *p);
void sockets_free(struct sockets *s);

/* sockets_at() - does it listen at that address? A path that the kernel has as relative is that of
 * any directory. */
bool sockets_at(const struct sockets *s, const struct address *address);

/* sockets_is_explained() - does a settled command line say what it is listened on for? */
bool sockets_is_explained(const struct listening *l, const struct cmdline *line);

/* sockets_of_descriptor() - the address of a socket that it listens on by its descriptor @fd;
 * NULL when that is none; owned by @s */
const struct address *sockets_of_descriptor(const struct sockets *s, const struct proc *p,
					    unsigned fd);

/*
 * sockets_resolve() - say of a command line's addresses where they are in truth: descriptors by
 * their names, ports by the family that is listened on. Without the ports an address of TCP is a
 * guess, and one that is forwarded to ssh stays; sockets_resolve_ssh() puts that right.
 * @is_own:	of another user's QEMU no host's name is kept, for it would be looked up
 */
void sockets_resolve(const struct sockets *s, const struct proc *p, bool is_own,
		     struct cmdline *line);

/* sockets_resolve_ssh() - take away the channel over a forwarded port where it does not listen */
void sockets_resolve_ssh(const struct sockets *s, struct cmdline *line);

#endif
