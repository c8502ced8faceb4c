/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * guest-event: the changes in the guest between two scans, as events in QEMU's format: {"event",
 * "data", "timestamp"}. Must never: wait, print.
 *
 * GUEST_BLOCKS: "change" ("added", "changed", "removed") and the properties of a run of blocks
 *
 * GUEST_POLICY: "name" ("auto_online_blocks", "online_policy"), "value", "was"
 *
 * GUEST_LOST: "reason"; changes in the guest can no longer be seen
 */
#ifndef CMD_GUEST_EVENT_H
#define CMD_GUEST_EVENT_H

#include "lib/json.h"
#include "sysfs.h"

/* Gets each event, and owns it. Return: 0 to continue, -1 to end */
typedef int guest_event_fn(void *context, struct json_object *event);

/*
 * guest_event_compare() - report the changes in the order of the blocks, equal neighbours as one. A
 * block with the same state and zone is unchanged.
 * @context:	for @tell
 * Return: 0; -1 if @tell has ended it
 */
int guest_event_compare(const struct guest_memory *before, const struct guest_memory *after,
			guest_event_fn *tell, void *context);

/* guest_event_lost() - a GUEST_LOST event, which the caller owns */
struct json_object *guest_event_lost(const char *reason);

#endif
