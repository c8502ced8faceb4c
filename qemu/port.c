/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where a PCI device can be plugged while the VM runs. */
#include <stdio.h>
#include <string.h>

#include "lib/util.h"
#include "qemu/machine.h"

/* The id of a bridge that nothing is plugged into; NULL for anything else. Borrowed. */
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

/* Other bridges do not take a device while the VM runs. */
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
