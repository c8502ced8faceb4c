/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * procfs: what this machine's kernel tells of a process in text (proc_pid_status(5),
 * getrlimit(2)). Must never: believe that a process is what it says it is.
 */
#ifndef LIB_PROCFS_H
#define LIB_PROCFS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/util.h"

/* procfs_read() - a whole file of /proc or /sys, at most 1 MiB of it; the caller frees it; NULL
 * when it cannot be read */
char *procfs_read(const char *path);

/* procfs_text() - the rest of the line "NAME:  VALUE" of /proc/PID/status, which the caller frees;
 * NULL when unknown */
char *procfs_text(pid_t pid, const char *name);

/* procfs_bytes() - the same of a line in kB, in bytes; false when unknown */
bool procfs_bytes(pid_t pid, const char *name, uint64_t *bytes);

/*
 * procfs_limit() - a soft limit of the process
 * @name:	as in /proc/PID/limits: "Max locked memory"
 * @value:	UINT64_MAX when there is none
 * Return: false when unknown
 */
bool procfs_limit(pid_t pid, const char *name, uint64_t *value);

/* procfs_has_capability() - has it that capability (capabilities(7)) in our own user namespace? */
bool procfs_has_capability(pid_t pid, unsigned capability);

/* procfs_has_argument() - is one of the words that it was started with that option, with one dash
 * or two? false also when unknown */
bool procfs_has_argument(pid_t pid, const char *option);

/* procfs_has_ended() - is there no such process any more, or one that only waits to be buried? So
 * it is before its sockets close (do_exit() in Linux kernel/exit.c). */
bool procfs_has_ended(pid_t pid);

/* procfs_threads_of_user() - the threads of all processes of a real user id, as RLIMIT_NPROC counts
 * them */
uint64_t procfs_threads_of_user(uid_t uid);

/* procfs_holds() - has it a file open whose path begins so? false also when unknown */
bool procfs_holds(pid_t pid, const char *path);

/* A line "NAME: VALUE" of such a file in @text: its value, borrowed up to the end of the line; NULL
 * for none */
const char *procfs_line(const char *text, const char *name);

#endif
