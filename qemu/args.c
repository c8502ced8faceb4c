/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The arguments that give QEMU a device from its start. */
#include <stdlib.h>
#include <string.h>

#include "lib/util.h"
#include "qemu/backend.h"
#include "qemu/machine.h"
#include "qemu/property.h"
#include "qemu/qom.h"

#define ALWAYS	 NULL
#define LEFT_OUT property_left_out

/* Properties of all backend types, with their defaults (backends/hostmem.c, hostmem-file.c,
 * hostmem-memfd.c): a name means the same in each. */
static const struct property_rule backend_rules[] = {
	{ "type", LEFT_OUT },	   { "size", ALWAYS },
	{ "mem-path", ALWAYS },	   { "share", "off" },
	{ "prealloc", "off" },	   { "prealloc-threads", ALWAYS },
	{ "reserve", "on" },	   { "policy", "default" },
	{ "host-nodes", "" },	   { "merge", "on" },
	{ "dump", "on" },	   { "x-use-canonical-path-for-ramblock-id", "off" },
	{ "discard-data", "off" }, { "align", "0" },
	{ "offset", "0" },	   { "pmem", "off" },
	{ "readonly", "off" },	   { "rom", "auto" },
	{ "hugetlb", "off" },	   { "hugetlbsize", "0" },
	{ "seal", "on" },	   { 0 },
};

/* Properties of all devices that cannot be set, or are printed separately. */
static const struct property_rule device_rules[] = {
	{ "type", LEFT_OUT },
	{ "parent_bus", LEFT_OUT },
	{ "memdev", LEFT_OUT },
	{ "size", LEFT_OUT },
	{ 0 },
};

/* Also for nvdimm (hw/mem/nvdimm.c). */
static const struct property_rule dimm_rules[] = {
	{ "slot", ALWAYS },
	{ "node", ALWAYS },
	{ "addr", ALWAYS },
	{ "label-size", "0" },
	{ "unarmed", "off" },
	{ "uuid", "00000000-0000-0000-0000-000000000000" },
	{ 0 },
};

/* hw/virtio/virtio-mem.c, virtio-pmem.c; common to virtio devices on PCI: hw/pci/pci.c,
 * hw/virtio/virtio-pci.c, virtio.h. Old machine types change some defaults (hw_compat_*). */
static const struct property_rule virtio_rules[] = {
	{ "addr", LEFT_OUT },
	{ "busnr", LEFT_OUT },
	{ "node", ALWAYS },
	{ "memaddr", ALWAYS },
	{ "block-size", ALWAYS },
	{ "requested-size", ALWAYS },
	{ "prealloc", "off" },
	{ "unplugged-inaccessible", "auto" },
	{ "dynamic-memslots", "off" },
	{ "x-early-migration", "on" },
	{ "acpi-index", "0" },
	{ "aer", "off" },
	{ "any_layout", "on" },
	{ "ats", "off" },
	{ "disable-legacy", "auto" },
	{ "disable-modern", "off" },
	{ "event_idx", "on" },
	{ "failover_pair_id", "" },
	{ "in_order", "off" },
	{ "indirect_desc", "on" },
	{ "iommu_platform", "off" },
	{ "migrate-extra", "on" },
	{ "modern-pio-notify", "off" },
	{ "multifunction", "off" },
	{ "notify_on_empty", "on" },
	{ "packed", "off" },
	{ "page-per-vq", "off" },
	{ "queue_reset", "on" },
	{ "rombar", "1" },
	{ "romfile", "" },
	{ "romsize", "4294967295" },
	{ "use-disabled-flag", "on" },
	{ "use-started", "on" },
	{ "vectors", "0" },
	{ "virtio-pci-bus-master-bug-migration", "off" },
	{ "x-ats-page-aligned", "on" },
	{ "x-disable-legacy-check", "off" },
	{ "x-disable-pcie", "off" },
	{ "x-ignore-backend-features", "off" },
	{ "x-max-bounce-buffer-size", "4096" },
	{ "x-pcie-ari-nextfn-1", "off" },
	{ "x-pcie-deverr-init", "on" },
	{ "x-pcie-err-unc-mask", "on" },
	{ "x-pcie-ext-tag", "on" },
	{ "x-pcie-extcap-init", "on" },
	{ "x-pcie-flr-init", "on" },
	{ "x-pcie-lnkctl-init", "on" },
	{ "x-pcie-lnksta-dllla", "on" },
	{ "x-pcie-pm-init", "on" },
	{ 0 },
};

/* The types that may be put on a command line; no other type name from QEMU is. */
static const struct known_type {
	const char *name;
	const struct property_rule *rules;
	const char *share; /* of a backend: the default of its "share" */
	bool is_pci;
} types[] = {
	{ "memory-backend-ram", backend_rules, "off", false },
	{ "memory-backend-file", backend_rules, "off", false },
	{ "memory-backend-memfd", backend_rules, "on", false },
	{ "memory-backend-shm", backend_rules, "on", false },
	{ "pc-dimm", dimm_rules, NULL, false },
	{ "nvdimm", dimm_rules, NULL, false },
	{ "virtio-mem-pci", virtio_rules, NULL, true },
	{ "virtio-pmem-pci", virtio_rules, NULL, true },
};

static const struct known_type *find_type(const struct properties *p, bool is_backend,
					  const char *subject, struct err *err)
{
	const char *name = properties_text(p, "type");
	size_t i;

	for (i = 0; name && i < ARRAY_SIZE(types); i++)
		if (!types[i].share == !is_backend && !strcmp(types[i].name, name))
			return &types[i];
	err_set(err, ERR_FAILED, "cannot carry '%s': %s%s%s", subject,
		name ? "it is of the type '" : "QEMU does not tell its type", name ? name : "",
		name ? "'" : "");
	err_hint(err, "unplug it before the migration, or write its arguments by hand");
	return NULL;
}

static const char *on_off(const struct properties *p, const char *name, const char *otherwise)
{
	struct json_object *value = properties_value(p, name);

	if (!json_object_is_type(value, json_type_boolean))
		return otherwise;
	return json_object_get_boolean(value) ? "on" : "off";
}

static int object_text(const char *id, const struct properties *object,
		       const struct properties *machine, struct machine_args *args, struct err *err)
{
	const struct known_type *type = find_type(object, true, id, err);
	bool is_taken = !strcmp(on_off(object, "prealloc", "off"), "on");
	/* defaults that depend on other properties; threads matter only with preallocation */
	const struct property_rule own[] = {
		{ "share", type ? type->share : NULL },
		{ "merge", on_off(machine, "mem-merge", "on") },
		{ "dump", on_off(machine, "dump-guest-core", "on") },
		{ "rom", on_off(object, "readonly", "off") },
		{ "prealloc-threads", is_taken ? ALWAYS : LEFT_OUT },
		{ 0 },
	};
	const struct property_rule *const tables[] = { own, backend_rules, NULL };
	_cleanup_buf_ struct buf out = { 0 };
	const char *file = properties_text(object, "mem-path");

	if (!type)
		return -1;
	buf_addf(&out, "%s", type->name);
	property_add(&out, "id", id);
	if (properties_add(object, NULL, tables, id, &out, err))
		return -1;
	args->object = xstrdup(out.data);
	args->mem_path = file ? xstrdup(file) : NULL;
	return 0;
}

/* The bus name is the last part of its path; the address on it is a slot and one of eight functions
 * (PCI_DEVFN). */
static void add_place(struct buf *out, const struct properties *device)
{
	const char *bus = properties_text(device, "parent_bus");
	const char *name = bus ? strrchr(bus, '/') : NULL;
	struct json_object *place = properties_value(device, "addr");
	int64_t number =
		json_object_is_type(place, json_type_int) ? json_object_get_int64(place) : -1;

	if (name)
		property_add(out, "bus", name + 1);
	if (number >= 0 && number < 256)
		buf_addf(out, ",addr=%02x.%x", (unsigned)number / 8, (unsigned)number % 8);
}

static int device_text(const struct memdev *d, const struct properties *device,
		       const struct known_type *type, const struct properties *defaults,
		       struct machine_args *args, struct err *err)
{
	const struct property_rule *const tables[] = { type->rules, device_rules, NULL };
	_cleanup_buf_ struct buf out = { 0 };

	buf_addf(&out, "%s", type->name);
	if (d->id)
		property_add(&out, "id", d->id);
	property_add(&out, "memdev", d->backend);
	if (properties_add(device, defaults, tables, memdev_name(d), &out, err))
		return -1;
	if (type->is_pci)
		add_place(&out, device);
	args->device = xstrdup(out.data);
	return 0;
}

/* Query once what all backends need. */
static int query_common(struct machine_defaults *cached, struct qmp *q, struct err *err)
{
	static const char *const names[] = { "mem-merge", "dump-guest-core" };

	if (cached->memdevs)
		return 0;
	if (qmp_execute(q, "query-memdev", NULL, &cached->memdevs, err))
		return err_wrap(err, "cannot ask QEMU (query-memdev)");
	return properties_query_named(&cached->machine, q, "/machine", names, ARRAY_SIZE(names),
				      err);
}

static int read_object(const struct memdev *d, struct qmp *q, struct machine_defaults *cached,
		       struct machine_args *args, struct err *err)
{
	_cleanup_free_ char *path = xasprintf("/objects/%s", d->backend);
	struct properties object = { 0 };
	int status = query_common(cached, q, err);

	if (!status)
		status = properties_query(&object, q, path,
					  backend_find(cached->memdevs, d->backend), err) ||
					 object_text(d->backend, &object, &cached->machine, args,
						     err)
				 ? -1
				 : 0;
	properties_free(&object);
	return status;
}

static int find_defaults(struct machine_defaults *cached, struct qmp *q,
			 const struct known_type *type, struct err *err)
{
	if (cached->type && !strcmp(cached->type, type->name))
		return 0;
	properties_free(&cached->defaults);
	cached->type = type->name;
	return properties_query_defaults(&cached->defaults, q, type->name, err);
}

/* The bus of a hotplugged bridge does not exist when the target starts. */
static int check_bus(const struct memdev *d, struct qmp *q, const struct properties *device,
		     struct err *err)
{
	static const char *const names[] = { "hotplugged" };
	const char *bus = properties_text(device, "parent_bus");
	const char *slash = bus ? strrchr(bus, '/') : NULL;
	_cleanup_free_ char *bridge = slash ? xstrndup(bus, (size_t)(slash - bus)) : NULL;
	struct properties found = { 0 };
	int status = bridge ? properties_query_named(&found, q, bridge, names, 1, err) : 0;

	if (!status && json_object_get_boolean(properties_value(&found, names[0]))) {
		err_set(err, ERR_FAILED, "cannot carry '%s': its bus '%s' was hotplugged as well",
			memdev_name(d), slash + 1);
		status = err_hint(err, "unplug it before the migration, or write its arguments by "
				       "hand");
	}
	properties_free(&found);
	return status;
}

static int read_device(const struct memdev *d, struct qmp *q, struct machine_defaults *cached,
		       struct machine_args *args, struct err *err)
{
	_cleanup_free_ char *path = qom_device_path(d->handle);
	struct properties device = { 0 };
	const struct known_type *type = NULL;
	int status = -1;

	if (!properties_query(&device, q, path, NULL, err))
		type = find_type(&device, false, memdev_name(d), err);
	if (type && (!type->is_pci || !check_bus(d, q, &device, err)) &&
	    !find_defaults(cached, q, type, err))
		status = device_text(d, &device, type, &cached->defaults, args, err);
	properties_free(&device);
	return status;
}

int machine_args(const struct memdev *d, struct qmp *q, struct machine_defaults *cached,
		 struct machine_args *args, struct err *err)
{
	if (!d->backend || !d->handle)
		return err_set(err, ERR_FAILED, "QEMU does not tell what '%s' has", memdev_name(d));
	return read_object(d, q, cached, args, err) || read_device(d, q, cached, args, err) ? -1
											    : 0;
}

void machine_defaults_free(struct machine_defaults *cached)
{
	json_object_put(cached->memdevs);
	properties_free(&cached->machine);
	properties_free(&cached->defaults);
	*cached = (struct machine_defaults){ 0 };
}

void machine_args_free(struct machine_args *args)
{
	free(args->object);
	free(args->device);
	free(args->mem_path);
	*args = (struct machine_args){ 0 };
}
