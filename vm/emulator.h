/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * emulator: one QEMU process, recognised by what it does, whatever its program is called: its
 * command line, and where it listens. Must never: connect.
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
	char *program; /* its file name; NULL when unknown */
	uint64_t words_hash;
	struct cmdline line; /* with its addresses resolved */
	struct sockets sockets;
	bool is_qemu;	/* see emulator_read() */
	bool is_silent; /* its words cannot be read: its memory is locked (proc_words()) */
};

/*
 * emulator_read() - read what a process is. It is QEMU by the name of its program, as
 * "qemu-system-x86_64" or ".qemu-system-x86_64-wrapped"; else because it listens where its words
 * have a monitor or a console; else because its words are QEMU's options alone, and its program's
 * file says that it is QEMU.
 * @uid:	the owner that is wanted; NULL for any
 * Return: false when there is no such process, it is another's, or has no words; else q->is_qemu
 * says whether it is QEMU, and the caller frees it
 */
bool emulator_read(struct qemu *q, pid_t pid, const uid_t *uid) __attribute__((warn_unused_result));
void emulator_free(struct qemu *q);

/* emulator_ssh() - the channel over a port that it forwards to its guest's ssh, and listens on;
 * owned by @q; NULL for none */
const struct address *emulator_ssh(struct qemu *q);

/* emulator_read_named() - the same for a process that the user has named by its number: all is read
 * of it, whatever it looks like */
bool emulator_read_named(struct qemu *q, pid_t pid) __attribute__((warn_unused_result));

/* emulator_is_double() - is it @of while that goes into the background (-daemonize), or the process
 * that -async-teardown makes of it? The same words and program, and it listens nowhere. */
bool emulator_is_double(const struct qemu *q, const struct qemu *of);

/* emulator_unknown() - the sockets that it listens on for an unknown purpose, UNIX ones first,
 * "'/a', '/b'", printable; the caller frees it; NULL for none
 * @first:	receives the first of them, as it is; owned by @q; may be NULL */
char *emulator_unknown(const struct qemu *q, const char **first);

#endif
