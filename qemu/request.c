/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The QMP requests that change memory devices. */
#include "lib/util.h"
#include "qemu/machine.h"

struct json_object *machine_request_device_add(const struct dimm_request *r)
{
	struct json_object *arguments = json_object_new_object();

	json_add_string(arguments, "driver", "pc-dimm");
	json_add_string(arguments, "id", r->device_id);
	json_add_string(arguments, "memdev", r->backend_id);
	if (r->has_slot)
		json_add_u64(arguments, "slot", true, r->slot);
	if (r->has_node)
		json_add_u64(arguments, "node", true, r->node);
	if (r->has_address)
		json_add_u64(arguments, "addr", true, r->address);
	return qmp_request("device_add", arguments);
}

struct json_object *machine_request_vmem_add(const struct dimm_request *r, const char *bus)
{
	struct json_object *arguments = json_object_new_object();

	json_add_string(arguments, "driver", "virtio-mem-pci");
	json_add_string(arguments, "id", r->device_id);
	json_add_string(arguments, "memdev", r->backend_id);
	if (bus)
		json_add_string(arguments, "bus", bus);
	if (r->has_node)
		json_add_u64(arguments, "node", true, r->node);
	if (r->has_address)
		json_add_u64(arguments, "memaddr", true, r->address);
	return qmp_request("device_add", arguments);
}

static struct json_object *request_by_id(const char *command, const char *id)
{
	struct json_object *arguments = json_object_new_object();

	json_add_string(arguments, "id", id);
	return qmp_request(command, arguments);
}

struct json_object *machine_request_device_del(const char *handle)
{
	return request_by_id("device_del", handle);
}

struct json_object *machine_request_object_del(const char *backend_id)
{
	return request_by_id("object-del", backend_id);
}

struct json_object *machine_request_size(const char *handle, uint64_t size_bytes)
{
	_cleanup_free_ char *path =
		handle[0] == '/' ? xstrdup(handle) : xasprintf("/machine/peripheral/%s", handle);
	struct json_object *arguments = json_object_new_object();

	json_add_string(arguments, "path", path);
	json_add_string(arguments, "property", "requested-size");
	json_add_u64(arguments, "value", true, size_bytes);
	return qmp_request("qom-set", arguments);
}
