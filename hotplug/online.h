/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * online: the guest's half of a plug, as functions of struct step.
 */
#ifndef HOTPLUG_ONLINE_H
#define HOTPLUG_ONLINE_H

#include "hotplug/dimms.h"

/* plug_appear() - wait until the guest has said that it took the DIMMs; struct step's run */
int plug_appear(struct transaction *t, void *job, struct err *err);
/* plug_online() - wait for the blocks, bring them online, read back; 1: there are DIMMs left */
int plug_online(struct transaction *t, void *job, struct err *err);
/* plug_offline() - blocks of what is not kept go offline, as far as they are there */
int plug_offline(struct transaction *t, void *job, struct err *err);
void plug_online_show(struct transaction *t, void *job);

#endif
