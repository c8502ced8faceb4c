/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * hotplug-held: what keeps a block from going offline, in words, where the guest's kernel says so.
 * May call: hotplug, guest, deadline, err, util.
 */
#ifndef HOTPLUG_HELD_H
#define HOTPLUG_HELD_H

#include "hotplug.h"

/* hotplug_explain_held() - after a block could not be taken offline: add to @err what holds it */
void hotplug_explain_held(struct hotplug *h, uint64_t block, struct err *err);

#endif
