/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What QEMU's events mean for memory, in words. */
#include <string.h>
#include <time.h>

#include "cmd/event.h"
#include "lib/size.h"
#include "lib/text.h"
#include "qemu/device-event.h"
#include "sysfs.h"

#define TEXT_MAX 512 /* bytes of an event's description, whatever QEMU puts into it */

struct json_object *event_new(const char *name, struct json_object *data)
{
	struct json_object *event = json_object_new_object(), *stamp = json_object_new_object();
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	json_add_u64(stamp, "seconds", true, (uint64_t)now.tv_sec);
	json_add_u64(stamp, "microseconds", true, (uint64_t)now.tv_nsec / 1000);
	json_add_string(event, "event", name);
	json_object_object_add(event, "data", data);
	json_object_object_add(event, "timestamp", stamp);
	return event;
}

/* The subject of an event: an id, a QOM path, or "a device". */
static const char *subject_of(struct json_object *data)
{
	const char *text;

	if (json_get_string(data, "device", &text) || json_get_string(data, "id", &text) ||
	    json_get_string(data, "path", &text) || json_get_string(data, "qom-path", &text))
		return text;
	return "a device";
}

static bool describe_deleted(struct json_object *data, struct buf *out)
{
	buf_addf(out, "%s: released", subject_of(data));
	return true;
}

static bool describe_refused(struct json_object *data, struct buf *out)
{
	const char *why;

	buf_addf(out, "%s: the guest does not give it up%s%s", subject_of(data),
		 json_get_string(data, "msg", &why) ? ": " : "",
		 json_get_string(data, "msg", &why) ? why : "");
	return true;
}

static bool describe_size(struct json_object *data, struct buf *out)
{
	char size[SIZE_TEXT_MAX];
	uint64_t size_bytes;

	if (!json_get_u64(data, "size", &size_bytes))
		return false;
	buf_addf(out, "%s: %s now", subject_of(data), size_format(size, size_bytes));
	return true;
}

static bool describe_ost(struct json_object *data, struct buf *out)
{
	struct json_object *info;
	const char *slot, *type, *device;

	if (!json_get_object(data, "info", &info) || !json_get_string(info, "slot", &slot) ||
	    !json_get_string(info, "slot-type", &type) || strcmp(type, "DIMM") != 0)
		return false;
	buf_addf(out, "slot %s", slot);
	if (json_get_string(info, "device", &device))
		buf_addf(out, " (%s)", device);
	buf_addf(out, ": ");
	device_event_describe_ost(info, out);
	return true;
}

static bool describe_migration(struct json_object *data, struct buf *out)
{
	const char *status;

	if (!json_get_string(data, "status", &status))
		return false;
	buf_addf(out, "migration: %s", status);
	return true;
}

/* "the guest's watchdog has run out: reset": the guest hangs, and what QEMU does about it */
static bool describe_watchdog(struct json_object *data, struct buf *out)
{
	const char *action;

	buf_addf(out, "the guest's watchdog has run out");
	if (json_get_string(data, "action", &action))
		buf_addf(out, ": %s", action);
	return true;
}

/* "memory32-memory35: added, online in zone Movable" */
static bool describe_blocks(struct json_object *data, struct buf *out)
{
	const char *change, *state, *zone;
	char range[BLOCKS_TEXT_MAX];
	uint64_t first, last;

	if (!json_get_string(data, "change", &change) || !json_get_u64(data, "first", &first) ||
	    !json_get_u64(data, "last", &last))
		return false;
	buf_addf(out, "%s: %s", blocks_format(range, first, last),
		 strcmp(change, "changed") ? change : "");
	if (!json_get_string(data, "state", &state))
		return true;
	buf_addf(out, "%s%s", strcmp(change, "changed") ? ", " : "", state);
	if (json_get_string(data, "zone", &zone) && strcmp(zone, "none") != 0)
		buf_addf(out, " in zone %s", zone);
	return true;
}

/* "auto_online_blocks: online_movable, was offline" */
static bool describe_policy(struct json_object *data, struct buf *out)
{
	const char *name, *value = "unknown", *was = "unknown";

	if (!json_get_string(data, "name", &name))
		return false;
	json_get_string(data, "value", &value);
	json_get_string(data, "was", &was);
	buf_addf(out, "%s: %s, was %s", name, value, was);
	return true;
}

static bool describe_lost(struct json_object *data, struct buf *out)
{
	const char *reason;

	if (!json_get_string(data, "reason", &reason))
		return false;
	buf_addf(out, "no longer following the guest: %s", reason);
	return true;
}

/* "and 1234 more" */
static bool describe_folded(struct json_object *data, struct buf *out)
{
	uint64_t count;

	if (!json_get_u64(data, "count", &count))
		return false;
	buf_addf(out, "and %llu more, too fast to be shown", (unsigned long long)count);
	return true;
}

static const struct {
	const char *name;
	bool (*describe)(struct json_object *data, struct buf *out);
	const char *words; /* if there is nothing to add */
} kinds[] = {
	{ "ACPI_DEVICE_OST", describe_ost, NULL },
	{ "DEVICE_DELETED", describe_deleted, NULL },
	{ "DEVICE_UNPLUG_GUEST_ERROR", describe_refused, NULL },
	{ "MEM_UNPLUG_ERROR", describe_refused, NULL },
	{ "MEMORY_DEVICE_SIZE_CHANGE", describe_size, NULL },
	{ "MIGRATION", describe_migration, NULL },
	{ "STOP", NULL, "the VM is paused" },
	{ "RESUME", NULL, "the VM runs again" },
	{ "RESET", NULL, "the VM was reset" },
	{ "POWERDOWN", NULL, "the guest was asked to power down" },
	{ "SHUTDOWN", NULL, "the VM shuts down" },
	{ "SUSPEND", NULL, "the guest sleeps" },
	{ "WAKEUP", NULL, "the guest wakes up" },
	{ "GUEST_BLOCKS", describe_blocks, NULL },
	{ "GUEST_POLICY", describe_policy, NULL },
	{ "GUEST_LOST", describe_lost, NULL },
	{ "GUEST_PANICKED", NULL, "the guest has panicked" },
	{ "EVENTS_FOLDED", describe_folded, NULL },
	{ "GUEST_CRASHLOADED", NULL, "the guest has panicked and starts its crash kernel" },
	{ "WATCHDOG", describe_watchdog, NULL },
};

static bool describe(struct json_object *event, struct buf *out)
{
	struct json_object *data = NULL;
	const char *name;
	size_t i;

	if (!json_get_string(event, "event", &name))
		return false;
	json_get_object(event, "data", &data);
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (strcmp(kinds[i].name, name) != 0)
			continue;
		if (kinds[i].describe)
			return kinds[i].describe(data, out);
		buf_addf(out, "%s", kinds[i].words);
		return true;
	}
	return false;
}

bool event_describe(struct json_object *event, struct buf *out)
{
	if (!describe(event, out))
		return false;
	clip(out->data, TEXT_MAX);
	out->len = strlen(out->data);
	return true;
}
