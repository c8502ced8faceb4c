/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What QEMU's list of memory devices leaves open: the path of those without an id, and whether virtio
 * devices were hotplugged. */
#include <string.h>

#include "lib/size.h"
#include "lib/util.h"
#include "qemu/machine.h"

static struct json_object *qom_arguments(const char *path, const char *property)
{
	struct json_object *arguments = json_object_new_object();

	json_add_string(arguments, "path", path);
	if (property)
		json_add_string(arguments, "property", property);
	return arguments;
}

/* A device that has no handle yet, at @address or (UINT64_MAX) anywhere; NULL when there is none */
static struct memdev *without_handle(struct machine *m, uint64_t address)
{
	unsigned i;

	for (i = 0; i < m->devices_count; i++)
		if (!m->devices[i].handle && (m->devices[i].has & MEMDEV_HAS_ADDRESS) &&
		    (address == UINT64_MAX || m->devices[i].address == address))
			return &m->devices[i];
	return NULL;
}

/* Which of the devices without a handle is at @path? -1 when QEMU is not to be asked any more. DIMMs
 * have an "addr", virtio devices a "memaddr", and where they are on the PCI bus for an "addr". */
static int match_child(struct machine *m, struct qmp *q, const char *path)
{
	static const char *const properties[] = { "addr", "memaddr" };
	struct memdev *d = NULL;
	struct err err;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(properties) && !d; i++) {
		_cleanup_json_ struct json_object *value = NULL;

		if (!qmp_execute(q, "qom-get", qom_arguments(path, properties[i]), &value, &err)) {
			if (json_object_is_type(value, json_type_int))
				d = without_handle(m, json_object_get_uint64(value));
		} else if (err.code != ERR_QEMU_REFUSED) {
			return -1;
		}
	}
	if (d)
		d->handle = xstrdup(path);
	return 0;
}

/* Each child of peripheral-anon is asked once. */
static void match_children(struct machine *m, struct qmp *q, struct json_object *children)
{
	size_t i, asked = 0, count = json_object_array_length(children);
	int status = 0;

	for (i = 0; i < count && asked < MACHINE_DEVICES_MAX && !status; i++) {
		_cleanup_free_ char *path = NULL;
		const char *name;

		if (!without_handle(m, UINT64_MAX))
			return;
		if (!json_get_string(json_object_array_get_idx(children, i), "name", &name) ||
		    strncmp(name, "device[", 7) != 0 || strlen(name) > MACHINE_NAME_MAX)
			continue;
		path = xasprintf("/machine/peripheral-anon/%s", name);
		asked++;
		status = match_child(m, q, path);
	}
}

/* Devices without an id can be deleted by their QOM path: find it. */
static void find_handles(struct machine *m, struct qmp *q)
{
	_cleanup_json_ struct json_object *children = NULL;
	struct err ignored;

	if (without_handle(m, UINT64_MAX) &&
	    !qmp_execute(q, "qom-list", qom_arguments("/machine/peripheral-anon", NULL), &children,
			 &ignored) &&
	    json_object_is_type(children, json_type_array))
		match_children(m, q, children);
}

/* The list of memory devices does not say of virtio devices whether they were hotplugged. */
static void find_hotplugged(struct machine *m, struct qmp *q)
{
	struct err err;
	unsigned i;

	for (i = 0; i < m->devices_count; i++) {
		struct memdev *d = &m->devices[i];
		_cleanup_json_ struct json_object *value = NULL;
		_cleanup_free_ char *path = NULL;

		if (!d->handle || (d->has & MEMDEV_HAS_HOTPLUGGED))
			continue;
		path = machine_device_path(d->handle);
		if (qmp_execute(q, "qom-get", qom_arguments(path, "hotplugged"), &value, &err)) {
			if (err.code == ERR_QEMU_REFUSED)
				continue;
			return;
		}
		if (!json_object_is_type(value, json_type_boolean))
			continue;
		d->is_hotplugged = json_object_get_boolean(value);
		d->has |= MEMDEV_HAS_HOTPLUGGED;
	}
}

void machine_complete_devices(struct machine *m, struct qmp *q)
{
	find_handles(m, q);
	find_hotplugged(m, q);
}
