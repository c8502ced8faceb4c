/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * proc: what /proc tells of a process. All that is read through a struct proc is of the same
 * process, also when its number has gone to another by then. Must never: believe what the process
 * says of itself, wait for it longer than the deadline.
 */
#ifndef LIB_PROC_H
#define LIB_PROC_H

#include <stdbool.h>
#include <stdint.h>
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
 * proc_read() - append what a file below /proc/PID has, as "stat" or "net/unix"; none that is read
 * out of its memory (see proc_words())
 * @max_bytes:	no more is read
 * Return: false when it cannot be read, and when there is more
 */
bool proc_read(const struct proc *p, const char *name, size_t max_bytes, struct buf *bytes);

/*
 * proc_words() - append the words that it was started with, each with its zero
 * @max_bytes:	no more is read
 * Return: false when there is no answer: whoever holds the lock of its memory can keep it back
 */
bool proc_words(const struct proc *p, size_t max_bytes, struct buf *words);

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
 * Return: the descriptor, which the caller closes; -1 with errno, ETIMEDOUT when its file system
 * does not answer
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

/* proc_status_text() - the rest of the line "NAME:  VALUE" of /proc/PID/status, which the caller
 * frees; NULL when unknown */
char *proc_status_text(pid_t pid, const char *name);

/* proc_status_bytes() - the same of a line in kB, in bytes; false when unknown */
bool proc_status_bytes(pid_t pid, const char *name, uint64_t *bytes);

/*
 * proc_limit() - a soft limit of the process
 * @name:	as in /proc/PID/limits: "Max locked memory"
 * @value:	UINT64_MAX when there is none
 * Return: false when unknown
 */
bool proc_limit(pid_t pid, const char *name, uint64_t *value);

/* proc_has_capability() - has it that capability (capabilities(7)) in our own user namespace? */
bool proc_has_capability(pid_t pid, unsigned capability);

/* proc_has_argument() - is one of the words that it was started with that option, with one dash
 * or two? false also when unknown */
bool proc_has_argument(pid_t pid, const char *option);

/* proc_has_ended() - is there no such process any more, or one that only waits to be buried? So
 * it is before its sockets close (do_exit() in Linux kernel/exit.c). */
bool proc_has_ended(pid_t pid);

/* proc_threads_of_user() - the threads of all processes of a real user id, as RLIMIT_NPROC counts
 * them */
uint64_t proc_threads_of_user(uid_t uid);

/* proc_holds() - has it a file open whose path begins so? false also when unknown */
bool proc_holds(pid_t pid, const char *path);

#endif
