/* SPDX-License-Identifier: GPL-3.0-or-later */
/* leave: the steps of the job "unplug": take blocks offline, unplug DIMMs, remove backends. */
#ifndef HOTPLUG_LEAVE_H
#define HOTPLUG_LEAVE_H

#include "hotplug/unplug.h"

/* leave_prepare() - after devices were added to @unplug: check, add the steps */
int leave_prepare(struct transaction *t, struct unplug *unplug, struct err *err)
	__attribute__((warn_unused_result));

#endif
