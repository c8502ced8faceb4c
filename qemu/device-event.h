/* SPDX-License-Identifier: GPL-3.0-or-later */
/* device-event: what QEMU's events say about a device that is plugged or unplugged. Never waits. */
#ifndef QEMU_DEVICE_EVENT_H
#define QEMU_DEVICE_EVENT_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/json.h"
#include "lib/util.h"
#include "qemu/machine.h"

/*
 * What an event says about one device. ACPI reports by slot (ACPI 6.5, 6.3.5 _OST; qapi/acpi.json),
 * other machines by id, and DEVICE_DELETED by id or QOM path.
 */
enum device_event {
	DEVICE_EVENT_NONE,     /* another event, or another device */
	DEVICE_EVENT_PROGRESS, /* about this device, but not final */
	DEVICE_EVENT_INSERTED, /* the guest has taken the DIMM */
	DEVICE_EVENT_DELETED,  /* QEMU has deleted it */
	DEVICE_EVENT_REFUSED,  /* the guest refused; @why has the reason */
};

/* Which device an event is about: by slot or by name. */
struct device_event_subject {
	bool has_slot;
	uint64_t slot;
	const char *device, *path; /* from the event's data; NULL if absent */
};

/*
 * device_event_subject() - which device is the event about? For many devices, call this once and
 * then device_event_is_about() for each; device_event_read() does both.
 * Return: false if it is about none
 */
bool device_event_subject(const char *event, struct json_object *data,
			  struct device_event_subject *out);
bool device_event_is_about(const struct device_event_subject *s, const struct memdev *d);

/*
 * device_event_read() - read an event for @d
 * @is_eject:	the device is being unplugged: only then are ejection answers for us
 * @why:	receives "device busy (OST status 130)" and such on DEVICE_EVENT_REFUSED
 */
enum device_event device_event_read(const char *event, struct json_object *data,
				    const struct memdev *d, bool is_eject, char *why,
				    size_t why_size);

/* device_event_is_pending() - does the reply to query-acpi-ospm-status say that the guest is
 * ejecting the device as requested? */
bool device_event_is_pending(struct json_object *slots, const struct memdev *d);

/* device_event_describe_ost() - append a description of the "info" of an ACPI_DEVICE_OST */
void device_event_describe_ost(struct json_object *info, struct buf *out);

#endif
