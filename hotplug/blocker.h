/* SPDX-License-Identifier: GPL-3.0-or-later */
/* blocker: what keeps a block from going offline, described from what the guest's kernel logs. */
#ifndef HOTPLUG_BLOCKER_H
#define HOTPLUG_BLOCKER_H

#include "hotplug/transaction.h"

/* hotplug_explain_blocker() - after a block could not be taken offline: append what blocks it to
 * @err */
void hotplug_explain_blocker(struct transaction *t, uint64_t block, struct err *err);

#endif
