/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * panic: the last words of a kernel on a console. Must never: wait, write.
 */
#ifndef GUEST_PANIC_H
#define GUEST_PANIC_H

#include <stdbool.h>

#include "lib/stream.h"

/* panic_is() - is it "[   12.345678] Kernel panic - not syncing: ...", as panic() in kernel/panic.c
 * of Linux has it? */
bool panic_is(const char *line);

/*
 * panic_hear() - read what has come, without waiting, and look for such a line
 * @is_kept:	other lines are waited for later: they stay, up to @max_bytes
 * Return: 1: there is one; 0; -1: nothing more will come
 */
int panic_hear(struct stream *s, bool is_kept, size_t max_bytes);

#endif
