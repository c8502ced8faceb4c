/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A memory device: read it from QEMU's list, and query what the list leaves out. */
#include <stdlib.h>
#include <string.h>

#include "lib/size.h"
#include "lib/util.h"
#include "qemu/memdev.h"
#include "qemu/qom.h"

#define OBJECTS "/objects/" /* QOM path of backends with an id */

/* hw/virtio/virtio-mem.c: VIRTIO_MEM_MIN_BLOCK_SIZE */
#define BLOCK_SIZE_MIN_BYTES (UINT64_C(1) << 20)

void memdev_free(struct memdev *d)
{
	free(d->id);
	free(d->handle);
	free(d->type);
	free(d->backend);
	*d = (struct memdev){ 0 };
}
static char *copy(const char *text)
{
	return text ? xstrdup(text) : NULL;
}

struct memdev memdev_copy(const struct memdev *d)
{
	struct memdev new = *d;

	new.id = copy(d->id);
	new.handle = copy(d->handle);
	new.type = copy(d->type);
	new.backend = copy(d->backend);
	return new;
}

static int read_names(struct memdev *d, struct json_object *data, struct err *err)
{
	const char *text;

	if (json_get_string(data, "id", &text) && *text &&
	    (qom_copy_name(text, &d->id, err) || qom_copy_name(text, &d->handle, err)))
		return -1;
	if (json_get_string(data, "memdev", &text) && !strncmp(text, OBJECTS, strlen(OBJECTS)))
		return qom_copy_name(text + strlen(OBJECTS), &d->backend, err);
	return 0;
}

/* hw/virtio/virtio-mem.c: the block size is a power of two, the sizes are at most the maximum. */
static int read_virtio_mem(struct memdev *d, struct json_object *data, struct err *err)
{
	if (json_need_u64(data, "requested-size", &d->requested_bytes, err) ||
	    json_need_u64(data, "block-size", &d->block_size_bytes, err))
		return -1;
	if (d->block_size_bytes < BLOCK_SIZE_MIN_BYTES ||
	    (d->block_size_bytes & (d->block_size_bytes - 1)) ||
	    d->block_size_bytes > SIZE_LIMIT_BYTES)
		return err_set(err, ERR_FAILED, "a virtio-mem device with blocks of %llu bytes",
			       (unsigned long long)d->block_size_bytes);
	if (d->requested_bytes > d->max_size_bytes)
		return err_set(err, ERR_FAILED,
			       "a virtio-mem device that is asked for more than it can have");
	return 0;
}

static int read_sizes_of(struct memdev *d, struct json_object *data, struct err *err)
{
	if (json_need_u64(data, "size", &d->size_bytes, err))
		return -1;
	if (!json_get_u64(data, "max-size", &d->max_size_bytes))
		d->max_size_bytes = d->size_bytes;
	/* DIMMs say "addr", virtio devices "memaddr" */
	if (json_get_u64(data, "addr", &d->address) || json_get_u64(data, "memaddr", &d->address))
		d->has |= MEMDEV_HAS_ADDRESS;
	if (d->address > SIZE_LIMIT_BYTES || d->max_size_bytes > SIZE_LIMIT_BYTES ||
	    d->size_bytes > d->max_size_bytes)
		return err_set(err, ERR_FAILED, "an address or size beyond reason");
	return memdev_is_virtio_mem(d) ? read_virtio_mem(d, data, err) : 0;
}

int memdev_read(struct memdev *d, struct json_object *element, struct err *err)
{
	struct json_object *data;
	const char *text;

	if (json_need_string(element, "type", &text, err) || qom_copy_name(text, &d->type, err))
		return -1;
	if (!json_get_object(element, "data", &data))
		return err_set(err, ERR_FAILED, "no object 'data' in the answer");
	if (read_sizes_of(d, data, err) || read_names(d, data, err))
		return -1;
	if (json_get_u64(data, "slot", &d->slot))
		d->has |= MEMDEV_HAS_SLOT;
	if (json_get_u64(data, "node", &d->node))
		d->has |= MEMDEV_HAS_NODE;
	if (json_get_bool(data, "hotplugged", &d->is_hotplugged))
		d->has |= MEMDEV_HAS_HOTPLUGGED;
	return 0;
}

bool memdev_is_dimm(const struct memdev *d)
{
	return !strcmp(d->type, "dimm");
}

bool memdev_is_virtio_mem(const struct memdev *d)
{
	return !strcmp(d->type, "virtio-mem");
}

const char *memdev_name(const struct memdev *d)
{
	return d->handle ? d->handle : "(without id)";
}

bool memdev_is_same(const struct memdev *a, const struct memdev *b)
{
	return a->handle && b->handle && !strcmp(a->handle, b->handle);
}

bool memdev_is_on_node(const struct memdev *d, int node)
{
	return node < 0 || ((d->has & MEMDEV_HAS_NODE) && d->node == (uint64_t)node);
}

/* A device without a handle so far, at @address or (UINT64_MAX) anywhere; NULL if there is none */
static struct memdev *without_handle(struct memdev *devices, unsigned count, uint64_t address)
{
	unsigned i;

	for (i = 0; i < count; i++)
		if (!devices[i].handle && (devices[i].has & MEMDEV_HAS_ADDRESS) &&
		    (address == UINT64_MAX || devices[i].address == address))
			return &devices[i];
	return NULL;
}

/* Find the device without a handle whose path is @path; -1 to stop querying QEMU. The address is a
 * DIMM's "addr" or a virtio device's "memaddr", whose "addr" is its place on the PCI bus. */
static int match_child(struct memdev *devices, unsigned count, struct qmp *q, const char *path)
{
	static const char *const properties[] = { "addr", "memaddr" };
	struct memdev *d = NULL;
	struct err err;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(properties) && !d; i++) {
		_cleanup_json_ struct json_object *value = NULL;

		if (!qmp_execute(q, "qom-get", qom_arguments(path, properties[i]), &value, &err)) {
			if (json_object_is_type(value, json_type_int))
				d = without_handle(devices, count, json_object_get_uint64(value));
		} else if (err.code != ERR_QEMU_REFUSED) {
			return -1;
		}
	}
	if (d)
		d->handle = xstrdup(path);
	return 0;
}

/* Query each child of peripheral-anon once. */
static void match_children(struct memdev *devices, unsigned count, struct qmp *q,
			   struct json_object *children)
{
	size_t i, asked = 0, children_count = json_object_array_length(children);
	int status = 0;

	for (i = 0; i < children_count && asked < MEMDEV_MAX && !status; i++) {
		_cleanup_free_ char *path = NULL;
		const char *name;

		if (!without_handle(devices, count, UINT64_MAX))
			return;
		if (!json_get_string(json_object_array_get_idx(children, i), "name", &name) ||
		    strncmp(name, "device[", 7) != 0 || strlen(name) > QOM_NAME_MAX)
			continue;
		path = xasprintf("/machine/peripheral-anon/%s", name);
		asked++;
		status = match_child(devices, count, q, path);
	}
}

/* Find the QOM paths of devices without an id, by which they can be deleted. */
static void find_handles(struct memdev *devices, unsigned count, struct qmp *q)
{
	_cleanup_json_ struct json_object *children = NULL;
	struct err ignored;

	if (without_handle(devices, count, UINT64_MAX) &&
	    !qmp_execute(q, "qom-list", qom_arguments("/machine/peripheral-anon", NULL), &children,
			 &ignored) &&
	    json_object_is_type(children, json_type_array))
		match_children(devices, count, q, children);
}

/* The list of memory devices does not report whether virtio devices were hotplugged. */
static void find_hotplugged(struct memdev *devices, unsigned count, struct qmp *q)
{
	struct err err;
	unsigned i;

	for (i = 0; i < count; i++) {
		struct memdev *d = &devices[i];
		_cleanup_json_ struct json_object *value = NULL;
		_cleanup_free_ char *path = NULL;

		if (!d->handle || (d->has & MEMDEV_HAS_HOTPLUGGED))
			continue;
		path = qom_device_path(d->handle);
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

void memdev_complete(struct memdev *devices, unsigned count, struct qmp *q)
{
	find_handles(devices, count, q);
	find_hotplugged(devices, count, q);
}
