/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * remote: UNIX sockets on another machine. One ssh connection forwards them to sockets in a
 * directory here that only the user can enter (ssh(1), -L and -O forward).
 */
#ifndef VM_REMOTE_H
#define VM_REMOTE_H

#include "lib/address.h"
#include "lib/deadline.h"
#include "lib/err.h"

struct remote;

/*
 * remote_open() - connect, and forward the socket that the address names
 * @address:	ADDRESS_REMOTE; its text is borrowed
 * @local:	receives the local socket's path; owned by the connection
 * Return: 0; -1 with ERR_QEMU_UNREACHABLE
 */
int remote_open(struct remote **out, const struct address *address, const char **local,
		struct deadline *d, struct err *err) __attribute__((warn_unused_result));

/*
 * remote_forward() - forward one more socket
 * @path:	there, absolute
 * @local:	as above; the earlier one stays
 */
int remote_forward(struct remote *r, const char *path, const char **local, struct deadline *d,
		   struct err *err) __attribute__((warn_unused_result));

/* remote_explain() - use ssh's first error as the message, if there is one; returns -1 */
int remote_explain(const struct remote *r, struct err *err);

/* remote_close() - end the connection and remove the sockets; NULL is allowed */
void remote_close(struct remote *r);

#endif
