/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * proc: what /proc tells of one process. All of it is of the same process, also when its number
 * has gone to another by then. Must never: believe what the process says of itself.
 */
#ifndef LIB_PROC_H
#define LIB_PROC_H

#include <stdbool.h>
#include <sys/types.h>

#include "lib/util.h"

struct proc {
	pid_t pid;
	uid_t uid;     /* the effective user, whether the process is dumpable or not */
	int directory; /* /proc/PID, O_PATH; owned; -1 when closed */
};

#define PROC_CLOSED                                                                                \
	{                                                                                          \
		.directory = -1                                                                    \
	}

/* proc_open() - for proc_close(); false when there is no such process */
bool proc_open(struct proc *p, pid_t pid) __attribute__((warn_unused_result));
void proc_close(struct proc *p);

/* proc_link() - where a link below /proc/PID leads, as "exe", "cwd" or "fd/3"; the caller frees
 * it; NULL when that cannot be read */
char *proc_link(const struct proc *p, const char *name);

/* proc_cwd() - its working directory, from its own root; the caller frees it; NULL when that cannot
 * be read */
char *proc_cwd(const struct proc *p);

/*
 * proc_read() - append what a file below /proc/PID has, as "cmdline" or "net/unix"
 * @max_bytes:	no more is read
 * Return: false when it cannot be read, and when there is more
 */
bool proc_read(const struct proc *p, const char *name, size_t max_bytes, struct buf *bytes);

/* proc_parent() - the process that started it, or that took it over; 0 when unknown */
pid_t proc_parent(const struct proc *p);

/*
 * proc_program() - the file name of its program, without its directory; the caller frees it.
 * Of one that was replaced on disk since, the name before that. NULL when it cannot be read.
 */
char *proc_program(const struct proc *p);

/*
 * proc_open_path() - open(2) as the process would: a path begins at its root, or at its working
 * directory, and links lead there too
 * @flags:	of open(2); no file is made
 * Return: the descriptor, which the caller closes; -1 with errno
 */
int proc_open_path(const struct proc *p, const char *path, int flags);

/*
 * proc_read_file() - append a regular file of that name as the process sees it
 * @path:	begins at its root, or at its working directory
 * Return: false when it cannot be read, has more than @max_bytes, or is not a regular file
 */
bool proc_read_file(const struct proc *p, const char *path, size_t max_bytes, struct buf *bytes);

/* proc_program_has() - does the file of its program have @text somewhere? */
bool proc_program_has(const struct proc *p, const char *text);

#endif
