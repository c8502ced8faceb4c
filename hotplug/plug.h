/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * plug: the job "plug": backends, DIMMs, and their blocks brought online in the guest. Several
 * DIMMs are added together, or in rounds if the guest has no room for the memory map of all: the
 * memory of one round then holds the map of the next.
 */
#ifndef HOTPLUG_PLUG_H
#define HOTPLUG_PLUG_H

#include "hotplug/dimms.h"

/* plug_prepare() - after transaction_query(): check, name the DIMMs, choose zones, add the steps */
int plug_prepare(struct transaction *t, struct plug *plug, struct err *err)
	__attribute__((warn_unused_result));

/* hotplug_plug() - the whole command */
int hotplug_plug(struct transaction *t, struct plug *plug, struct err *err)
	__attribute__((warn_unused_result));

#endif
