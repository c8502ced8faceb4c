/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * peer: files and sockets as another process of this machine sees them: below its root and its
 * working directory, in its mount and network namespaces. Must never: trust that what it finds
 * belongs to that process (see owner).
 */
#ifndef LIB_PEER_H
#define LIB_PEER_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "lib/address.h"
#include "lib/deadline.h"
#include "lib/err.h"

/*
 * peer_open_path() - open(2) as that process would, also if a link leads to its root
 * @pid:	0: this process, for a path that the user named: waits for its file system
 * @path:	relative: to that process's working directory
 * @flags:	of open(2); no file is created
 * Return: the descriptor, which the caller closes; -1 with errno, ETIMEDOUT if its file system
 * does not answer
 */
int peer_open_path(pid_t pid, const char *path, int flags);

/* peer_stat() - fstat(2) of the result of peer_open_path(), as far as known without asking its file
 * system; false with errno */
bool peer_stat(int fd, struct stat *st);

/* peer_why() - why peer_open_path() failed, for people */
const char *peer_why(int error);

/* peer_cwd() - the working directory of a process, from its own root; the caller frees it; NULL
 * if unknown */
char *peer_cwd(pid_t pid);

/*
 * peer_socket() - socket(2) in the network namespace of a process
 * @pid:	0: this process
 * Return: the descriptor, which the caller closes; -1 with errno
 */
int peer_socket(pid_t pid, int family, int type, int protocol);

/* peer_shares_network() - is a process in this network namespace? False also if unknown */
bool peer_shares_network(pid_t pid);

/*
 * peer_connect() - connect to a stream socket as a process sees it
 * @pid:	0: this process
 * @address:	ADDRESS_UNIX, with a path of any length, or ADDRESS_TCP
 * @code:	the kind of failure if nothing listens there
 * Return: 0 with @fd, which the caller closes; -1; STREAM_QUEUED, with @err too
 */
int peer_connect(pid_t pid, const struct address *address, int *fd, enum err_code code,
		 struct deadline *d, struct err *err) __attribute__((warn_unused_result));

/* peer_connect_abstract() - the same for the abstract socket of that name (unix(7)) */
int peer_connect_abstract(pid_t pid, const char *name, int *fd, enum err_code code, struct err *err)
	__attribute__((warn_unused_result));

/*
 * peer_connect_at() - connect to the UNIX socket that @path_fd, opened with O_PATH, is
 * @pid:	the process that named it: another user's may have it in a file system of its own
 * @name:	for messages
 * Return: as peer_connect()
 */
int peer_connect_at(pid_t pid, int path_fd, const char *name, int *fd, enum err_code code,
		    struct err *err) __attribute__((warn_unused_result));

#endif
