/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * guest-event: what has happened in the guest between two scans, as events of the form that QEMU's
 * have: {"event", "data", "timestamp"}. Must never: wait, print. GUEST_BLOCKS: "change" ("added",
 * "changed", "removed") and the facts of a run of blocks GUEST_POLICY: "name"
 * ("auto_online_blocks", "online_policy"), "value", "was" GUEST_LOST: "reason"; what happens in
 * the guest is not known any more
 */
#ifndef CMD_GUEST_EVENT_H
#define CMD_GUEST_EVENT_H

#include "lib/json.h"
#include "sysfs.h"

/* Is handed each event, which it owns. Return: 0 to go on, -1 to end */
typedef int guest_event_fn(void *context, struct json_object *event);

/*
 * guest_event_compare() - tell what is not as it was, in the order of the blocks, equal neighbours
 * as one. A block whose state and zone are the same is the same.
 * @context:	for @tell
 * Return: 0; -1 when @tell has ended it
 */
int guest_event_compare(const struct guest_memory *before, const struct guest_memory *after,
			guest_event_fn *tell, void *context);

/* guest_event_lost() - a GUEST_LOST, which the caller owns */
struct json_object *guest_event_lost(const char *reason);

#endif
