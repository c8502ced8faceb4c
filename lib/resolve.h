/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * resolve: looks up the addresses of a host, within the deadline. Must never: connect.
 */
#ifndef LIB_RESOLVE_H
#define LIB_RESOLVE_H

#include <sys/socket.h>

#include "lib/deadline.h"
#include "lib/err.h"

#define RESOLVE_MAX 8 /* addresses of a host to try */

struct addresses {
	struct {
		struct sockaddr_storage name;
		socklen_t len; /* bytes of it */
	} list[RESOLVE_MAX];
	unsigned count;
};

/*
 * resolve() - look up a name, or read a numeric address
 * @port:	a number or a service name
 * @code:	the kind of failure if there is no such host, or no answer before the deadline
 * Return: 0 with at least one address for stream sockets; -1
 */
int resolve(const char *host, const char *port, struct addresses *out, enum err_code code,
	    struct deadline *d, struct err *err) __attribute__((warn_unused_result));

#endif
