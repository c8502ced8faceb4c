/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * blocker: what keeps a block from going offline, in words, where the guest's kernel says so.
 */
#ifndef HOTPLUG_BLOCKER_H
#define HOTPLUG_BLOCKER_H

#include "hotplug/transaction.h"

/* hotplug_explain_blocker() - after a block could not be taken offline: add to @err what holds it
 */
void hotplug_explain_blocker(struct transaction *t, uint64_t block, struct err *err);

#endif
