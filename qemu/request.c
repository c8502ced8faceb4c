/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The QMP requests that change memory devices, and what they name: ids, a bus. */
#include <string.h>

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

uint64_t machine_next_number(const struct machine *m, const char *base)
{
	uint64_t number = 0, used;
	unsigned i;

	for (i = 0; i < m->devices_count + m->objects_count; i++) {
		const char *id =
			i < m->devices_count ? m->devices[i].id : m->objects[i - m->devices_count];
		_cleanup_free_ char *digits = NULL;

		if (!id || strncmp(id, base, strlen(base)) != 0)
			continue;
		id += strlen(base);
		digits = xstrndup(id, strspn(id, "0123456789"));
		if (parse_u64(digits, 10, &used) && used >= number && used < UINT32_MAX)
			number = used + 1;
	}
	return number;
}

int machine_name(const struct machine *m, const char *name, const char *kind, char **backend_id,
		 char **device_id, struct err *err)
{
	*backend_id = xasprintf("%s-mem", name);
	*device_id = xasprintf("%s-%s", name, kind);
	if (!machine_has_object(m, *backend_id) && !machine_device(m, *device_id))
		return 0;
	err_set(err, ERR_FAILED, "the name '%s' is in use", name);
	return err_hint(err, "see memhp list; without --name the next free one is taken");
}

/* The id of a bridge without devices; NULL for anything else. Borrowed. */
static const char *empty_bridge(struct json_object *device)
{
	struct json_object *bridge, *below;
	const char *id;

	if (!json_get_object(device, "pci_bridge", &bridge) ||
	    !json_get_string(device, "qdev_id", &id) || !*id ||
	    (json_get_array(bridge, "devices", &below) && json_object_array_length(below)))
		return NULL;
	return id;
}

/* Only root ports accept hotplugged devices. */
static bool is_root_port(struct qmp *q, const char *id)
{
	static const char *const types[] = { "pcie-root-port", "ioh3420", "xio3130-downstream" };
	struct json_object *arguments = json_object_new_object();
	_cleanup_free_ char *path = xasprintf("/machine/peripheral/%s", id);
	_cleanup_json_ struct json_object *type = NULL;
	struct err ignored;
	size_t i;

	json_add_string(arguments, "path", path);
	json_add_string(arguments, "property", "type");
	if (qmp_execute(q, "qom-get", arguments, &type, &ignored) ||
	    !json_object_is_type(type, json_type_string))
		return false;
	for (i = 0; i < ARRAY_SIZE(types); i++)
		if (!strcmp(json_object_get_string(type), types[i]))
			return true;
	return false;
}

static char *find_port(struct qmp *q, struct json_object *buses)
{
	size_t i, j,
		count = json_object_is_type(buses, json_type_array)
				? json_object_array_length(buses)
				: 0;

	for (i = 0; i < count; i++) {
		struct json_object *devices;

		if (!json_get_array(json_object_array_get_idx(buses, i), "devices", &devices))
			continue;
		for (j = 0; j < json_object_array_length(devices); j++) {
			const char *id = empty_bridge(json_object_array_get_idx(devices, j));

			if (id && is_root_port(q, id))
				return xstrdup(id);
		}
	}
	return NULL;
}

int machine_find_port(const struct machine *m, struct qmp *q, char **bus, struct err *err)
{
	_cleanup_json_ struct json_object *buses = NULL;

	if (qmp_execute(q, "query-pci", NULL, &buses, err))
		return err_wrap(err, "cannot ask QEMU (query-pci)");
	*bus = find_port(q, buses);
	if (*bus || (m->type && strstr(m->type, "i440fx")))
		return 0;
	err_set(err, ERR_FAILED, "no free PCIe root port to plug a device into");
	return err_hint(err, "start QEMU with -device pcie-root-port,id=port1,chassis=1");
}
