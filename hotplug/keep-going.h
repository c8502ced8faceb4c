/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * keep-going: an unplug with --keep-going: of what is to leave, all that can; what is refused
 * stays, with its blocks as they were. Each returns 0 when something leaves, else -1.
 */
#ifndef HOTPLUG_KEEP_GOING_H
#define HOTPLUG_KEEP_GOING_H

#include "hotplug/unplug.h"

/* keep_going_admit() - those that the guest cannot do without stay, before anything is changed */
int keep_going_admit(struct transaction *t, struct unplug *unplug, struct err *err)
	__attribute__((warn_unused_result));

/* keep_going_offline() - take the blocks offline */
int keep_going_offline(struct transaction *t, struct unplug *unplug, struct err *err)
	__attribute__((warn_unused_result));

/* keep_going_free() - have the guest let go of the devices */
int keep_going_free(struct transaction *t, struct unplug *unplug, struct err *err)
	__attribute__((warn_unused_result));

#endif
