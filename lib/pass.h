/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pass: passes a descriptor between two processes (unix(7), SCM_RIGHTS). */
#ifndef LIB_PASS_H
#define LIB_PASS_H

#include <stddef.h>
#include <sys/types.h>

/*
 * pass_send() - write all of @bytes to a UNIX socket, with a descriptor
 * @fd:		stays the caller's; -1: none
 * Return: 0; -1 with errno
 */
int pass_send(int to, int fd, const void *bytes, size_t len) __attribute__((warn_unused_result));

/*
 * pass_receive() - recv(2), with a descriptor
 * @fd:		the caller closes it; -1 for none
 */
ssize_t pass_receive(int from, int *fd, void *bytes, size_t len);

#endif
