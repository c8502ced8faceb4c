/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * qemuopt: QEMU's options: which there are, what is in their values, "a,b=c,,d", and in a file of
 * them. Must never: know what an option is for.
 */
#ifndef VM_QEMUOPT_H
#define VM_QEMUOPT_H

#include <stdbool.h>

#include "lib/util.h"

/* qemuopt_name() - the name of the option that a word is, "qmp" for "-qmp" and "--qmp"; NULL when
 * QEMU has none of that name; it lies in @word */
const char *qemuopt_name(const char *word);

/* qemuopt_has_value() - does the next word belong to that option? */
bool qemuopt_has_value(const char *name);

/* qemuopt_is_telling() - does only QEMU itself have it, and no other program? */
bool qemuopt_is_telling(const char *name);

/* qemuopt_piece() - take one piece of a value into @piece, "b=c,d" for "b=c,,d"; returns what
 * follows, NULL at the end */
const char *qemuopt_piece(const char *options, struct buf *piece);

/* qemuopt_in_piece() - what a piece says about @key: "key=value", a bare "key" for on, or a bare
 * value where its key is implied; NULL for nothing; it lies in @piece */
const char *qemuopt_in_piece(const char *piece, const char *key, bool is_implied);

/* qemuopt_value() - the last value of @key, which the caller frees; NULL for none */
char *qemuopt_value(const char *options, const char *key, bool is_first_implied);

bool qemuopt_is_on(const char *options, const char *key);

/*
 * qemuopt_file_words() - append the sections of a file of -readconfig (util/qemu-config.c of QEMU:
 * qemu_config_foreach()) as words that each end in a NUL byte, "-chardev",
 * "id=c,backend=socket,...", for cmdline_parse()
 * @text:	the file, to its end or its first NUL byte; lines that QEMU would refuse are skipped
 */
void qemuopt_file_words(struct buf *words, const char *text);

#endif
