/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * process: a POSIX sh on stdin and stdout of a child process: through ssh, a command, or on this
 * machine. Must never: put an address into a shell's command line.
 */
#ifndef LIB_PROCESS_H
#define LIB_PROCESS_H

#include <sys/types.h>

#include "lib/address.h"
#include "lib/deadline.h"
#include "lib/err.h"
#include "lib/stream.h"

struct process {
	pid_t pid;     /* 0 for none; it leads its own session, so Ctrl-C does not reach it */
	int stderr_fd; /* owned; non-blocking; its error messages */
	char *by_hand; /* ssh: the command to connect by hand; NULL for others; owned */
};

/*
 * process_open_ssh(), process_open_command(), process_open_local() - start the child
 * @to:		has a host
 * @target:	the user's shell command, or a directory ("" for /)
 * @options:	of ssh, at most 12, NULL at the end; NULL for none
 * @command:	that ssh runs there; NULL: none
 * @w:		receives the open stream; the caller frees it
 * @p:		receives the child, for process_close()
 * Return: 0 or -1; whether the far end works shows only in its answer
 */
int process_open_ssh(struct stream *w, struct process *p, const struct address *to,
		     char *const options[], const char *command, struct deadline *d,
		     struct err *err) __attribute__((warn_unused_result));
int process_open_command(struct stream *w, struct process *p, const char *target, struct err *err)
	__attribute__((warn_unused_result));
int process_open_local(struct stream *w, struct process *p, const char *target, struct err *err)
	__attribute__((warn_unused_result));

/* process_explain() - use the child's first output on stderr as the message, if there is any;
 * returns -1 */
int process_explain(const struct process *p, const struct stream *w, struct err *err);

/* process_close() - close the stream, and wait for the child: half a second, then kill it */
void process_close(struct process *p, struct stream *w);

#endif
