/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * event: what QEMU's events mean for memory, in words (qapi/machine.json, acpi.json, qdev.json,
 * run-state.json), and those of guest-event. Must never: wait.
 */
#ifndef CMD_EVENT_H
#define CMD_EVENT_H

#include <stdbool.h>

#include "lib/json.h"
#include "lib/util.h"

/*
 * event_describe() - put an event in words: "memhp0-dimm: released"
 * @event:	as QEMU sent it, or guest-event made it
 * @out:	appended to
 * Return: false if it has nothing to do with memory or the VM's state
 */
bool event_describe(struct json_object *event, struct buf *out);

/*
 * event_new() - an event of memhp's own, as QEMU makes them, with this machine's time
 * @data:	consumed
 * Return: the event, which the caller owns
 */
struct json_object *event_new(const char *name, struct json_object *data);

#endif
