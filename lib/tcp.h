/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tcp: which process is behind a TCP connection on this machine, from the kernel's tables
 * (/proc/PID/net/tcp, proc(5)). Must never: send anything.
 */
#ifndef LIB_TCP_H
#define LIB_TCP_H

#include <stdbool.h>
#include <sys/types.h>

#include "lib/owner.h"

/* tcp_listens() - does @pid hold the socket that listens at the far end of the connection @fd, in
 * the network namespace of @pid? */
enum owner_answer tcp_listens(pid_t pid, int fd);

/* tcp_has_accepted() - does @pid hold the other end of the connection @fd? Both must be in this
 * network namespace, and have received something */
bool tcp_has_accepted(pid_t pid, int fd);

#endif
