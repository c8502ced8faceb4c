/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * online: the guest's half of a plug, as functions of struct step.
 */
#ifndef HOTPLUG_ONLINE_H
#define HOTPLUG_ONLINE_H

#include "hotplug/dimms.h"

/* plug_appear() - wait until the guest reports that it took the DIMMs; struct step's run */
int plug_appear(struct transaction *t, void *job, struct err *err);
/* plug_online() - wait for the blocks, bring them online, read back; 1: DIMMs are left for another
 * round */
int plug_online(struct transaction *t, void *job, struct err *err);
/* plug_offline() - take the blocks of DIMMs that are not kept offline, as far as they exist */
int plug_offline(struct transaction *t, void *job, struct err *err);
void plug_online_show(struct transaction *t, void *job);

#endif
