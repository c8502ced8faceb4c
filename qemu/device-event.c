/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What QEMU's events say about a device that is plugged or unplugged. */
#include <stdio.h>
#include <string.h>

#include "lib/util.h"
#include "qemu/device-event.h"
#include "qemu/qom.h"

/* Status codes of _OST for an ejection (ACPI 6.5, table 6.19). */
static const char *ost_text(uint64_t status)
{
	switch (status) {
	case 0x80:
		return "ejection is not supported";
	case 0x81:
		return "the memory is in use by an application";
	case 0x82:
		return "the memory is busy";
	case 0x83:
		return "something that depends on it is busy";
	default:
		return "no reason given";
	}
}

/* Source events and status codes of ACPI_DEVICE_OST. */
enum {
	OST_BUS_CHECK = 0,
	OST_DEVICE_CHECK = 1,
	OST_EJECT = 3,
	OST_OSPM_EJECT = 0x103,
	OST_SUCCESS = 0,
	OST_INSERTING = 0x80,
	OST_EJECTING = 0x84
};

/* The slot of a DIMM in an event or in a reply. */
static bool read_slot(struct json_object *info, uint64_t *slot)
{
	const char *text, *type;

	return json_get_string(info, "slot", &text) && json_get_string(info, "slot-type", &type) &&
	       !strcmp(type, "DIMM") && parse_u64(text, 10, slot);
}

bool device_event_subject(const char *event, struct json_object *data,
			  struct device_event_subject *out)
{
	struct json_object *info;

	*out = (struct device_event_subject){ 0 };
	if (!strcmp(event, "ACPI_DEVICE_OST"))
		return out->has_slot =
			       json_get_object(data, "info", &info) && read_slot(info, &out->slot);
	if (strcmp(event, "DEVICE_DELETED") != 0 && strcmp(event, "MEM_UNPLUG_ERROR") != 0 &&
	    strcmp(event, "DEVICE_UNPLUG_GUEST_ERROR") != 0)
		return false;
	json_get_string(data, "device", &out->device);
	json_get_string(data, "path", &out->path);
	return out->device || out->path;
}

/* For a device with an id, an event may still have only the path. */
static bool is_path_of(const char *path, const char *handle)
{
	_cleanup_free_ char *own = qom_device_path(handle);

	return !strcmp(path, own);
}

bool device_event_is_about(const struct device_event_subject *s, const struct memdev *d)
{
	if (s->has_slot)
		return (d->has & MEMDEV_HAS_SLOT) && d->slot == s->slot;
	return d->handle && ((s->device && !strcmp(s->device, d->handle)) ||
			     (s->path && is_path_of(s->path, d->handle)));
}

static bool is_ejection(uint64_t source)
{
	return source == OST_EJECT || source == OST_OSPM_EJECT;
}

static enum device_event read_ost(struct json_object *data, bool is_eject, char *why,
				  size_t why_size)
{
	struct json_object *info;
	uint64_t source, status;

	if (!json_get_object(data, "info", &info) || !json_get_u64(info, "source", &source) ||
	    !json_get_u64(info, "status", &status))
		return DEVICE_EVENT_NONE;
	if (is_ejection(source)) {
		if (!is_eject || status == OST_SUCCESS || status == OST_EJECTING)
			return DEVICE_EVENT_PROGRESS;
		snprintf(why, why_size, "%s (OST status %u)", ost_text(status), (unsigned)status);
		return DEVICE_EVENT_REFUSED;
	}
	if (is_eject || (source != OST_BUS_CHECK && source != OST_DEVICE_CHECK) ||
	    status == OST_INSERTING)
		return DEVICE_EVENT_PROGRESS;
	if (status == OST_SUCCESS)
		return DEVICE_EVENT_INSERTED;
	snprintf(why, why_size, "its kernel could not add the memory (OST status %u)",
		 (unsigned)status);
	return DEVICE_EVENT_REFUSED;
}

enum device_event device_event_read(const char *event, struct json_object *data,
				    const struct memdev *d, bool is_eject, char *why,
				    size_t why_size)
{
	const char *text = "no reason given";
	struct device_event_subject subject;

	if (!device_event_subject(event, data, &subject) || !device_event_is_about(&subject, d))
		return DEVICE_EVENT_NONE;
	if (subject.has_slot)
		return read_ost(data, is_eject, why, why_size);
	if (!is_eject)
		return DEVICE_EVENT_NONE;
	if (!strcmp(event, "DEVICE_DELETED"))
		return DEVICE_EVENT_DELETED;
	if (!strcmp(event, "MEM_UNPLUG_ERROR"))
		json_get_string(data, "msg", &text);
	snprintf(why, why_size, "%s", text);
	return DEVICE_EVENT_REFUSED;
}

bool device_event_is_pending(struct json_object *slots, const struct memdev *d)
{
	size_t i, count = json_object_is_type(slots, json_type_array)
				  ? json_object_array_length(slots)
				  : 0;
	uint64_t slot, source, status;

	for (i = 0; i < count; i++) {
		struct json_object *info = json_object_array_get_idx(slots, i);

		if (read_slot(info, &slot) && (d->has & MEMDEV_HAS_SLOT) && d->slot == slot)
			return json_get_u64(info, "source", &source) &&
			       json_get_u64(info, "status", &status) && is_ejection(source) &&
			       status == OST_EJECTING;
	}
	return false;
}

void device_event_describe_ost(struct json_object *info, struct buf *out)
{
	uint64_t source = UINT64_MAX, status = UINT64_MAX;
	bool is_eject;

	json_get_u64(info, "source", &source);
	json_get_u64(info, "status", &status);
	is_eject = is_ejection(source);
	if (!is_eject && source != OST_BUS_CHECK && source != OST_DEVICE_CHECK)
		buf_addf(out, "the guest answers %llu to request %llu", (unsigned long long)status,
			 (unsigned long long)source);
	else if (status == OST_SUCCESS)
		buf_addf(out, is_eject ? "the guest has let go" : "the guest has taken it");
	else if (status == (is_eject ? OST_EJECTING : OST_INSERTING))
		buf_addf(out, is_eject ? "the guest is letting go" : "the guest is taking it");
	else if (is_eject)
		buf_addf(out, "the guest does not give it up: %s", ost_text(status));
	else
		buf_addf(out, "the guest does not take it (OST status %llu)",
			 (unsigned long long)status);
}
