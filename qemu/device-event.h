/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * device-event: what QEMU's events say about a device that comes or goes. Must never: wait.
 */
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
	DEVICE_EVENT_PROGRESS, /* about this device, decides nothing */
	DEVICE_EVENT_INSERTED, /* the guest has taken the DIMM */
	DEVICE_EVENT_DELETED,  /* QEMU has let go of it */
	DEVICE_EVENT_REFUSED,  /* the guest refused; @why says why */
};

/* Which device an event is about: by slot or by name. */
struct device_event_subject {
	bool has_slot;
	uint64_t slot;
	const char *device, *path; /* of the event's data; NULL where it has none */
};

/*
 * device_event_subject() - which device is the event about? Where there are many this is asked
 * first, and then device_event_is_about() of each; device_event_read() does both. Return: false
 * when it says nothing about any
 */
bool device_event_subject(const char *event, struct json_object *data,
			  struct device_event_subject *out);
bool device_event_is_about(const struct device_event_subject *s, const struct memdev *d);

/*
 * device_event_read() - read an event for @d
 * @is_eject:	the device is being unplugged: only then are ejection answers meant for us
 * @why:	receives "device busy (OST status 130)" and such on DEVICE_EVENT_REFUSED
 */
enum device_event device_event_read(const char *event, struct json_object *data,
				    const struct memdev *d, bool is_eject, char *why,
				    size_t why_size);

/* device_event_is_pending() - does the answer to query-acpi-ospm-status say that the guest is about
 * to let go of the device, as it was asked to? */
bool device_event_is_pending(struct json_object *slots, const struct memdev *d);

/* device_event_describe_ost() - append what the "info" of an ACPI_DEVICE_OST says, in words */
void device_event_describe_ost(struct json_object *info, struct buf *out);

#endif
