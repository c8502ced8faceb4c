/* SPDX-License-Identifier: GPL-3.0-or-later */
/* stayers: devices that were to leave and stay, each with the reason. */
#ifndef HOTPLUG_STAYERS_H
#define HOTPLUG_STAYERS_H

#include <stdbool.h>

#include "lib/err.h"

struct stayer {
	char *name; /* of the device, or the word that stands for none; owned */
	struct err err;
	bool is_chosen; /* by a size, which others may make up */
};

/* Zero-initialise it. */
struct stayers {
	struct stayer *list;
	unsigned count;
};

/* stayers_add() - @name stays, for the reason in @err; of several reasons the first counts */
void stayers_add(struct stayers *s, const char *name, bool is_chosen, const struct err *err);
bool stayers_have(const struct stayers *s, const char *name);
void stayers_free(struct stayers *s);

/* stayers_count_against() - is there any that no other was taken for?
 * @is_short:	those that were chosen by a size could not be made up either */
bool stayers_count_against(const struct stayers *s, bool is_short);

/* stayers_explain() - set ERR_PARTIAL: which of the devices are gone, @gone as "'a', 'b'", which
 * stay, and why; returns -1 */
int stayers_explain(const struct stayers *s, const char *gone, unsigned gone_count,
		    struct err *err);

#endif
