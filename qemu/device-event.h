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
enum verdict {
	VERDICT_NONE,	  /* another event, or another device */
	VERDICT_PROGRESS, /* about this device, and nothing decided: nobody needs it any more */
	VERDICT_INSERTED, /* the guest has taken the DIMM */
	VERDICT_DELETED,  /* QEMU has let go of it */
	VERDICT_REFUSED,  /* the guest refused; @why says why */
};

/* Which device an event is about: by slot or by name. */
struct verdict_subject {
	bool has_slot;
	uint64_t slot;
	const char *device, *path; /* of the event's data; NULL where it has none */
};

/*
 * verdict_subject() - which device is the event about? Where there are many this is asked first,
 * and then verdict_is_about() of each; verdict_read() does both. Return: false when it says nothing
 * about any
 */
bool verdict_subject(const char *event, struct json_object *data, struct verdict_subject *out);
bool verdict_is_about(const struct verdict_subject *s, const struct memdev *d);

/*
 * verdict_read() - read an event for @d
 * @is_eject:	the device is being unplugged: only then are ejection answers meant for us
 * @why:	receives "device busy (OST status 130)" and such on VERDICT_REFUSED
 */
enum verdict verdict_read(const char *event, struct json_object *data, const struct memdev *d,
			  bool is_eject, char *why, size_t why_size);

/* verdict_is_pending() - does the answer to query-acpi-ospm-status say that the guest is about to
 * let go of the device, as it was asked to? */
bool verdict_is_pending(struct json_object *slots, const struct memdev *d);

/* verdict_describe_ost() - append what the "info" of an ACPI_DEVICE_OST says, in words */
void verdict_describe_ost(struct json_object *info, struct buf *out);

#endif
