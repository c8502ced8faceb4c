/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * emulator: one QEMU process, recognised whatever its program is called: its command line, and
 * where it listens. Must never: connect.
 */
#ifndef VM_EMULATOR_H
#define VM_EMULATOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "vm/cmdline.h"
#include "vm/sockets.h"

struct qemu {
	pid_t pid;
	uid_t uid;
	pid_t parent;
	char *program; /* its file name; NULL if unknown */
	uint64_t words_hash;
	struct cmdline line; /* with its addresses resolved */
	struct sockets sockets;
	bool is_qemu;	/* see emulator_read() */
	bool is_silent; /* its command line cannot be read: its memory is locked (proc_words()) */
};

/*
 * emulator_read() - read a process, and decide whether it is QEMU: its program has a QEMU name,
 * such as "qemu-system-x86_64" or ".qemu-system-x86_64-wrapped"; or it listens where its command
 * line has a monitor or a console; or its command line has QEMU options only, and its program file
 * says that it is QEMU.
 * @uid:	the required owner; NULL for any
 * Return: false if there is no such process, it is another user's, or has no command line; else
 * q->is_qemu says whether it is QEMU, and the caller frees it
 */
bool emulator_read(struct qemu *q, pid_t pid, const uid_t *uid) __attribute__((warn_unused_result));
void emulator_free(struct qemu *q);

/* emulator_ssh() - the channel through a port that it listens on and forwards to its guest's ssh;
 * owned by @q; NULL for none */
const struct address *emulator_ssh(struct qemu *q);

/* emulator_read_named() - the same for a process that the user named by its pid: everything is
 * read, whatever it looks like */
bool emulator_read_named(struct qemu *q, pid_t pid) __attribute__((warn_unused_result));

/* emulator_is_double() - is it @of while that goes into the background (-daemonize), or the process
 * that -async-teardown forks? It has the same command line and program, and listens nowhere. */
bool emulator_is_double(const struct qemu *q, const struct qemu *of);

/* emulator_unknown() - the sockets that it listens on for an unknown purpose, UNIX ones first, as
 * "'/a', '/b'", printable; the caller frees it; NULL for none
 * @first:	receives the first of them, unchanged; owned by @q; may be NULL */
char *emulator_unknown(const struct qemu *q, const char **first);

#endif
