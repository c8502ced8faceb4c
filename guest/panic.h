/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * panic: recognises a kernel's panic message on a console. Must never: wait, write.
 */
#ifndef GUEST_PANIC_H
#define GUEST_PANIC_H

#include <stdbool.h>

#include "lib/stream.h"

/* panic_is() - is it "[   12.345678] Kernel panic - not syncing: ...", as panic() in Linux's
 * kernel/panic.c prints it? */
bool panic_is(const char *line);

/*
 * panic_hear() - read what has come, without waiting, and search it for such a line
 * @is_kept:	keep the other lines, up to @max_bytes: they are read later
 * Return: 1 if there is one, else 0; -1: nothing more will come
 */
int panic_hear(struct stream *s, bool is_kept, size_t max_bytes);

#endif
