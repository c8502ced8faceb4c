/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * offline: taking blocks offline, as a step of whatever job.
 */
#ifndef HOTPLUG_OFFLINE_H
#define HOTPLUG_OFFLINE_H

#include "hotplug/transaction.h"

/*
 * hotplug_take_offline(), hotplug_take_offline_show() - take the blocks of @list offline, highest
 * first, and scan; add that to the plan. Where the guest's shell allows it first the short way,
 * which needs little of guest.sh and gives no reasons, then hotplug_lower_words().
 * Return: 0 or -1 as hotplug_guest(); what came of it is in t->view.after
 */
int hotplug_take_offline(struct transaction *t, const struct block_list *list, struct err *err)
	__attribute__((warn_unused_result));
void hotplug_take_offline_show(struct transaction *t, const struct block_list *list);

#endif
