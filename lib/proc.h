/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * proc: what /proc says about a process. Everything read through a struct proc belongs to the same
 * process, even if another process has its pid by then. Must never: trust what the process says
 * about itself, wait for it longer than the deadline.
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

/* proc_open() - open a process, for proc_close(); false if there is none */
bool proc_open(struct proc *p, pid_t pid) __attribute__((warn_unused_result));
void proc_close(struct proc *p);

/* proc_link() - the target of a link below /proc/PID, such as "exe", "cwd" or "fd/3"; the caller
 * frees it; NULL if it cannot be read */
char *proc_link(const struct proc *p, const char *name);

/* proc_cwd() - its working directory, from its own root; the caller frees it; NULL if it cannot be
 * read */
char *proc_cwd(const struct proc *p);

/*
 * proc_read() - append a file below /proc/PID, such as "stat" or "net/unix"; not one that the
 * kernel reads from the process's memory (see proc_words())
 * @max_bytes:	no more is read
 * Return: false if it cannot be read, or is longer
 */
bool proc_read(const struct proc *p, const char *name, size_t max_bytes, struct buf *bytes);

/*
 * proc_words() - append its command line, each word with its NUL
 * @max_bytes:	no more is read
 * Return: false without an answer: a process that holds the lock of its memory can delay it
 */
bool proc_words(const struct proc *p, size_t max_bytes, struct buf *words);

/* proc_parent() - its parent process; 0 if unknown */
pid_t proc_parent(const struct proc *p);

/*
 * proc_program() - its program's file name, without the directory; the caller frees it. If the file
 * was replaced on disk, the earlier name. NULL if it cannot be read.
 */
char *proc_program(const struct proc *p);

/*
 * proc_open_path() - open(2) as the process would: paths and links start at its root or its working
 * directory
 * @flags:	of open(2); no file is created
 * Return: the descriptor, which the caller closes; -1 with errno, ETIMEDOUT if its file system
 * does not answer
 */
int proc_open_path(const struct proc *p, const char *path, int flags);

/*
 * proc_read_file() - append a regular file as the process sees it
 * @path:	starts at its root, or at its working directory
 * Return: false if it cannot be read, has more than @max_bytes, or is not a regular file
 */
bool proc_read_file(const struct proc *p, const char *path, size_t max_bytes, struct buf *bytes);

/* proc_program_has() - does its program file contain @text? */
bool proc_program_has(const struct proc *p, const char *text);

/* proc_status_text() - the rest of the line "NAME:  VALUE" of /proc/PID/status, which the caller
 * frees; NULL if unknown */
char *proc_status_text(pid_t pid, const char *name);

/* proc_status_bytes() - the same for a line in kB, in bytes; false if unknown */
bool proc_status_bytes(pid_t pid, const char *name, uint64_t *bytes);

/*
 * proc_limit() - a soft limit of the process
 * @name:	as in /proc/PID/limits: "Max locked memory"
 * @value:	UINT64_MAX for none
 * Return: false if unknown
 */
bool proc_limit(pid_t pid, const char *name, uint64_t *value);

/* proc_has_capability() - does it have that capability (capabilities(7)) in our user namespace? */
bool proc_has_capability(pid_t pid, unsigned capability);

/* proc_has_argument() - does its command line have that option, with one dash or two? False also if
 * unknown */
bool proc_has_argument(pid_t pid, const char *option);

/* proc_has_ended() - has the process gone, or become a zombie? True even before its sockets close
 * (do_exit() in Linux kernel/exit.c). */
bool proc_has_ended(pid_t pid);

/* proc_threads_of_user() - the threads of all processes with a real user id, as RLIMIT_NPROC counts
 * them */
uint64_t proc_threads_of_user(uid_t uid);

/* proc_holds() - does it have a file open whose path begins so? False also if unknown */
bool proc_holds(pid_t pid, const char *path);

#endif
