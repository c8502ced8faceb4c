/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * qemuopt: QEMU's options: their names, the syntax of their values, "a,b=c,,d", and of a file of
 * options. Must never: know what an option is for.
 */
#ifndef VM_QEMUOPT_H
#define VM_QEMUOPT_H

#include <stdbool.h>

#include "lib/util.h"

/* qemuopt_name() - the option's name in a word, "qmp" for "-qmp" and "--qmp"; NULL if QEMU has no
 * such option; points into @word */
const char *qemuopt_name(const char *word);

/* qemuopt_has_value() - does the next word belong to that option? */
bool qemuopt_has_value(const char *name);

/* qemuopt_is_telling() - is it an option of QEMU and of no other program? */
bool qemuopt_is_telling(const char *name);

/* qemuopt_piece() - copy one piece of a value into @piece, "b=c,d" for "b=c,,d"; returns the rest,
 * NULL at the end */
const char *qemuopt_piece(const char *options, struct buf *piece);

/* qemuopt_in_piece() - a piece's value for @key: from "key=value", a bare "key" for on, or a bare
 * value whose key is implied; NULL for none; points into @piece */
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
