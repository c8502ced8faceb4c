/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * plug: the job "plug": backends, DIMMs, their blocks in the guest, online in their zone.
 * Several DIMMs go in together, or in rounds where the guest has no room for the memory map of
 * all: those that are online then pay for the next.
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
