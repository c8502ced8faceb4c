/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * owner: which process is behind a UNIX socket or a pseudo-terminal, according to the
 * kernel. Must never: send anything, trust a path.
 */
#ifndef LIB_OWNER_H
#define LIB_OWNER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum owner_answer { OWNER_UNKNOWN, OWNER_NO, OWNER_YES };

/* owner_of() - the process that listened for the connected UNIX socket @fd (SO_PEERCRED), and its
 * user; 0 if unknown. It may have passed the socket on to another process. */
pid_t owner_of(int fd, uid_t *uid);

/*
 * owner_listens() - does @pid hold the socket that listens at @path_fd? (sock_diag(7), proc(5))
 * @path_fd:	a UNIX socket opened with O_PATH
 * Return: OWNER_UNKNOWN also if no process listens
 */
enum owner_answer owner_listens(pid_t pid, int path_fd);

/* owner_listens_abstract() - the same for the abstract socket "@NAME" of its network namespace */
enum owner_answer owner_listens_abstract(pid_t pid, const char *name);

/* owner_holds_socket() - does @pid have a descriptor of the socket with that inode? */
bool owner_holds_socket(pid_t pid, unsigned long long inode);

/* owner_holds_pty() - does @pid hold the master of a pty with that number? Another devpts may have
 * one with the same number */
bool owner_holds_pty(pid_t pid, unsigned number);

/*
 * owner_open_pty() - open the terminal of the pty with that number whose master @pid holds, without
 * a path that could lead elsewhere (ioctl_tty(2), TIOCGPTPEER) Return: the descriptor, which the
 * caller closes; -1 with errno; ENOENT: it holds none
 */
int owner_open_pty(pid_t pid, unsigned number);

/* owner_describe() - "pid 4711, 'socat'", printable; the caller frees it */
char *owner_describe(pid_t pid);

#endif
