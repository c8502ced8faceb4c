/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What to start a QEMU with that is to have a device from the start. */
#include <string.h>

#include "backend.h"
#include "machine.h"
#include "util.h"

/* A property of an object, owned by the caller; NULL when it has none of that name. */
static struct json_object *property(struct qmp *q, const char *path, const char *name)
{
	struct json_object *arguments = json_object_new_object(), *value = NULL;
	struct err ignored;

	json_add_string(arguments, "path", path);
	json_add_string(arguments, "property", name);
	return qmp_execute(q, "qom-get", arguments, &value, &ignored) ? NULL : value;
}

/* ",KEY=VALUE", with commas doubled as QemuOpts reads them. */
static void add_text(struct buf *out, const char *key, const char *value)
{
	buf_addf(out, ",%s=", key);
	for (; *value; value++)
		buf_addf(out, *value == ',' ? ",," : "%c", *value);
}

static void add_number(struct buf *out, const char *key, uint64_t value)
{
	buf_addf(out, ",%s=%llu", key, (unsigned long long)value);
}

/* A flag of query-memdev, where it differs from QEMU's default. */
static void add_flag(struct buf *out, struct json_object *memdev, const char *key, bool usual)
{
	bool value;

	if (json_get_bool(memdev, key, &value) && value != usual)
		add_text(out, key, value ? "on" : "off");
}

static void add_placement(struct buf *out, struct json_object *memdev)
{
	struct json_object *nodes;
	const char *policy;
	size_t i;

	if (!json_get_string(memdev, "policy", &policy) || !strcmp(policy, "default"))
		return;
	add_text(out, "policy", policy);
	for (i = 0;
	     json_get_array(memdev, "host-nodes", &nodes) && i < json_object_array_length(nodes);
	     i++)
		add_number(out, "host-nodes",
			   json_object_get_uint64(json_object_array_get_idx(nodes, i)));
}

/* What query-memdev does not tell: the file, and huge pages. */
static void add_kind(struct buf *out, struct qmp *q, const char *path)
{
	_cleanup_json_ struct json_object *file = property(q, path, "mem-path");
	_cleanup_json_ struct json_object *hugetlb = property(q, path, "hugetlb");
	_cleanup_json_ struct json_object *size = property(q, path, "hugetlbsize");

	if (json_object_is_type(file, json_type_string))
		add_text(out, "mem-path", json_object_get_string(file));
	if (!json_object_is_type(hugetlb, json_type_boolean) || !json_object_get_boolean(hugetlb))
		return;
	add_text(out, "hugetlb", "on");
	if (json_object_is_type(size, json_type_int) && json_object_get_uint64(size))
		add_number(out, "hugetlbsize", json_object_get_uint64(size));
}

static int object_args(const struct memdev *d, struct qmp *q, char **object, struct err *err)
{
	_cleanup_free_ char *path = xasprintf("/objects/%s", d->backend ? d->backend : "");
	_cleanup_json_ struct json_object *type = property(q, path, "type");
	_cleanup_json_ struct json_object *list = NULL;
	struct json_object *memdev;
	struct buf out = { 0 };
	uint64_t size_bytes;

	if (qmp_execute(q, "query-memdev", NULL, &list, err))
		return err_wrap(err, "cannot ask QEMU (query-memdev)");
	memdev = d->backend ? backend_find(list, d->backend) : NULL;
	if (!memdev || !json_object_is_type(type, json_type_string) ||
	    json_need_u64(memdev, "size", &size_bytes, err))
		return err_set(err, ERR_FAILED, "QEMU does not tell what backend '%s' has",
			       memdev_name(d));
	buf_addf(&out, "%s", json_object_get_string(type));
	add_text(&out, "id", d->backend);
	add_number(&out, "size", size_bytes);
	add_kind(&out, q, path);
	add_flag(&out, memdev, "share", strstr(out.data, "memfd") != NULL);
	add_flag(&out, memdev, "prealloc", false);
	add_flag(&out, memdev, "reserve", true);
	add_placement(&out, memdev);
	*object = out.data;
	return 0;
}

/* The name of the bus is the last part of its path. */
static void add_bus(struct buf *out, struct qmp *q, const char *path)
{
	_cleanup_json_ struct json_object *bus = property(q, path, "parent_bus");
	const char *text =
		json_object_is_type(bus, json_type_string) ? json_object_get_string(bus) : NULL;
	const char *name = text ? strrchr(text, '/') : NULL;

	if (name)
		add_text(out, "bus", name + 1);
}

static int device_args(const struct memdev *d, struct qmp *q, char **device, struct err *err)
{
	_cleanup_free_ char *path = d->handle ? machine_device_path(d->handle) : xstrdup("");
	_cleanup_json_ struct json_object *type = property(q, path, "type");
	bool is_virtio = !(d->has & MEMDEV_HAS_SLOT);
	struct buf out = { 0 };

	if (!json_object_is_type(type, json_type_string))
		return err_set(err, ERR_FAILED, "QEMU does not tell what type '%s' is",
			       memdev_name(d));
	buf_addf(&out, "%s", json_object_get_string(type));
	if (d->id)
		add_text(&out, "id", d->id);
	add_text(&out, "memdev", d->backend);
	if (d->has & MEMDEV_HAS_SLOT)
		add_number(&out, "slot", d->slot);
	if (d->has & MEMDEV_HAS_NODE)
		add_number(&out, "node", d->node);
	if (d->has & MEMDEV_HAS_ADDRESS)
		add_number(&out, is_virtio ? "memaddr" : "addr", d->address);
	if (memdev_is_virtio_mem(d))
		add_number(&out, "requested-size", d->requested_bytes);
	if (is_virtio)
		add_bus(&out, q, path);
	*device = out.data;
	return 0;
}

int machine_args(const struct memdev *d, struct qmp *q, char **object, char **device,
		 struct err *err)
{
	return object_args(d, q, object, err) || device_args(d, q, device, err) ? -1 : 0;
}
