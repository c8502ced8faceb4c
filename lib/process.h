/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * process: a POSIX sh on the stdin and stdout of a child process: ssh, a command, this
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
	pid_t pid;     /* 0 when none; it leads a session of its own, so Ctrl-C does not reach it */
	int stderr_fd; /* owned; non-blocking; what it complains about */
	char *by_hand; /* ssh: the command that connects by hand; NULL for others; owned */
};

/*
 * process_open_ssh(), process_open_command(), process_open_local() - start the child
 * @to:		with a host
 * @target:	a shell command of the user, or a directory ("" for /)
 * @options:	of ssh, at most 12, NULL at the end; NULL for none
 * @command:	what ssh runs there; NULL: nothing
 * @w:		receives the open stream; the caller frees it
 * @p:		receives the child, for process_close()
 * Return: 0 or -1; that the far end works shows only when it answers
 */
int process_open_ssh(struct stream *w, struct process *p, const struct address *to,
		     char *const options[], const char *command, struct deadline *d,
		     struct err *err) __attribute__((warn_unused_result));
int process_open_command(struct stream *w, struct process *p, const char *target, struct err *err)
	__attribute__((warn_unused_result));
int process_open_local(struct stream *w, struct process *p, const char *target, struct err *err)
	__attribute__((warn_unused_result));

/* process_explain() - let the child's first words on stderr be the message, if there are any;
 * returns -1 */
int process_explain(const struct process *p, const struct stream *w, struct err *err);

/* process_close() - close the stream and see the child off: it has half a second to end by itself
 */
void process_close(struct process *p, struct stream *w);

#endif
