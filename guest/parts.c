/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Commands that are longer than a console's input queue, in parts. */
#include <string.h>

#include "guest/parts.h"
#include "lib/util.h"

#define PART_MAX 900 /* the line editor of busybox drops what comes after 1023 bytes of a line */

char *parts_next(const char *commands, size_t *done)
{
	const char *part = commands + *done;
	int len = (int)strnlen(part, PART_MAX);

	if (!len)
		return NULL;
	*done += (size_t)len;
	return xasprintf("long=%s'%.*s'", part == commands ? "" : "$long", len, part);
}
