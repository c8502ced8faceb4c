/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * err: the one error object. A function that can fail returns 0, or -1 with *err filled in where
 * the failure is seen first; callers add context with err_wrap(). Only memhp.c prints it. Must
 * never: allocate, print, exit.
 */
#ifndef LIB_ERR_H
#define LIB_ERR_H

/* The kind of failure: decides the exit code and the JSON "code". In the order of the table in
 * err.c. */
enum err_code {
	ERR_NONE,
	ERR_FAILED,	       /* one of memhp's checks, or a system call on the host */
	ERR_QEMU_REFUSED,      /* QEMU answered a command with an error */
	ERR_USAGE,	       /* the command line is wrong */
	ERR_QEMU_UNREACHABLE,  /* no monitor, or it went away */
	ERR_GUEST_UNREACHABLE, /* no channel, no root shell, or it went away */
	ERR_GUEST_REFUSED,     /* the guest cannot give or take the memory */
	ERR_TIMEOUT,	       /* the deadline passed */
	ERR_PARTIAL,	       /* something could not be put back */
	ERR_INTERRUPTED,       /* SIGINT, SIGTERM or SIGHUP */
};

struct err {
	enum err_code code;
	char message[768]; /* "cannot plug '512M': no free slot": no prefix, no full stop */
	char hint[256];	   /* what to do about it, or "" */
};

/*
 * err_set() - record a failure
 * @err:	filled in; the hint of an earlier failure is dropped
 * @code:	the kind
 * @fmt:	lower case, what failed first, the subject in single quotes
 * Return: -1, so that "return err_set(...)" reads well
 */
int err_set(struct err *err, enum err_code code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4), nonnull(1, 3)));

/*
 * err_wrap() - put context in front of a message: "<context>: <message>"
 * Return: -1
 */
int err_wrap(struct err *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3), nonnull(1, 2)));

/*
 * err_append() - add to the end of a message: "<message>; <addition>"
 * Return: -1
 */
int err_append(struct err *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3), nonnull(1, 2)));

/*
 * err_hint() - say what the user can do; replaces an earlier hint. A hint that does not fit is
 * left out: half of a command is another command.
 * Return: -1
 */
int err_hint(struct err *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3), nonnull(1, 2)));

/* err_exit_code() - the process exit code for @code, as memhp(1) lists them */
int err_exit_code(enum err_code code);

/* err_code_name() - the JSON name of @code, such as "guest-refused" */
const char *err_code_name(enum err_code code);

#endif
