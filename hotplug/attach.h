/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * attach: QEMU's half of a plug, as functions of struct step.
 */
#ifndef HOTPLUG_ATTACH_H
#define HOTPLUG_ATTACH_H

#include "hotplug/dimms.h"

/* plug_attach() - add as many DIMMs as the guest has room for; struct step's run */
int plug_attach(struct transaction *t, void *job, struct err *err);
/* plug_attach_only() - without a guest: add all of them */
int plug_attach_only(struct transaction *t, void *job, struct err *err);
/* plug_detach() - remove all that are not kept; struct step's undo */
int plug_detach(struct transaction *t, void *job, struct err *err);
void plug_attach_show(struct transaction *t, void *job);
/* plug_leave() - remove the file that QEMU made; struct step's leave */
void plug_leave(struct transaction *t, void *job);

#endif
