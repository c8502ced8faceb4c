/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * keep-going: unplug with --keep-going: unplug the devices that can be unplugged; those refused
 * stay, with their blocks restored. Each function returns 0 while at least one device leaves, else
 * -1.
 */
#ifndef HOTPLUG_KEEP_GOING_H
#define HOTPLUG_KEEP_GOING_H

#include "hotplug/unplug.h"

/* keep_going_admit() - before anything is changed, drop the devices that the guest cannot do
 * without */
int keep_going_admit(struct transaction *t, struct unplug *unplug, struct err *err)
	__attribute__((warn_unused_result));

/* keep_going_offline() - take the blocks offline */
int keep_going_offline(struct transaction *t, struct unplug *unplug, struct err *err)
	__attribute__((warn_unused_result));

/* keep_going_device_del() - unplug the devices */
int keep_going_device_del(struct transaction *t, struct unplug *unplug, struct err *err)
	__attribute__((warn_unused_result));

#endif
