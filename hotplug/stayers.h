/* SPDX-License-Identifier: GPL-3.0-or-later */
/* stayers: devices that were to be unplugged but stay, each with the reason. */
#ifndef HOTPLUG_STAYERS_H
#define HOTPLUG_STAYERS_H

#include <stdbool.h>

#include "lib/err.h"

struct stayer {
	char *name; /* of the device, or an argument that names none; owned */
	struct err err;
	bool is_chosen; /* chosen for a size, which other devices may make up */
};

/* Zero-initialise it. */
struct stayers {
	struct stayer *list;
	unsigned count;
};

/* stayers_add() - record that @name stays, for the reason in @err; the first reason is kept */
void stayers_add(struct stayers *s, const char *name, bool is_chosen, const struct err *err);
bool stayers_have(const struct stayers *s, const char *name);
void stayers_free(struct stayers *s);

/* stayers_count_against() - does any stay without a replacement?
 * @is_short:	nor could devices chosen for a size be replaced */
bool stayers_count_against(const struct stayers *s, bool is_short);

/* stayers_explain() - set ERR_PARTIAL: which devices are gone (@gone is "'a', 'b'"), which stay,
 * and why; returns -1 */
int stayers_explain(const struct stayers *s, const char *gone, unsigned gone_count,
		    struct err *err);

#endif
