/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What QEMU reports about memory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/size.h"
#include "lib/util.h"
#include "qemu/machine.h"
#include "qemu/qom.h"

#define OBJECTS_MAX 4096 /* below /objects: each is compared with every device */
#define MAP_MAX_BYTES                                                                              \
	(4 << 20) /* of "info mtree": with 256 DIMMs it has a few hundred thousand \ */

static void devices_free(struct machine *m)
{
	unsigned i;

	for (i = 0; i < m->devices_count; i++)
		memdev_free(&m->devices[i]);
	free(m->devices);
	m->devices = NULL;
	m->devices_count = 0;
}

static void objects_free(struct machine *m)
{
	unsigned i;

	for (i = 0; i < m->objects_count; i++)
		free(m->objects[i]);
	free(m->objects);
	free(m->backends);
}

void machine_free(struct machine *m)
{
	devices_free(m);
	objects_free(m);
	free(m->version);
	free(m->type);
	free(m->arch);
	free(m->status);
	free(m->migration);
	*m = (struct machine){ 0 };
}

void dimm_request_free(struct dimm_request *r)
{
	free(r->backend_id);
	free(r->device_id);
	*r = (struct dimm_request){ 0 };
}

static int by_address(const void *a, const void *b)
{
	const struct memdev *x = a, *y = b;

	return (x->address > y->address) - (x->address < y->address);
}

/* Read the list. Its sizes are added up in many places, so their sum is bounded too. */
static int read_list(struct machine *m, struct json_object *list, size_t count, struct err *err)
{
	uint64_t total_bytes = 0;
	size_t i;

	if (count > MEMDEV_MAX)
		return err_set(err, ERR_FAILED, "more than %d of them", MEMDEV_MAX);
	m->devices = xcalloc(count, sizeof(*m->devices));
	for (i = 0; i < count; i++) {
		m->devices_count++;
		if (memdev_read(&m->devices[i], json_object_array_get_idx(list, i), err))
			return -1;
		total_bytes += m->devices[i].max_size_bytes;
		if (total_bytes > SIZE_LIMIT_BYTES)
			return err_set(err, ERR_FAILED, "their sizes add up beyond reason");
	}
	return 0;
}

int machine_read_devices(struct machine *m, struct json_object *reply, struct err *err)
{
	size_t count;

	devices_free(m);
	if (!json_object_is_type(reply, json_type_array))
		return err_set(err, ERR_FAILED, "query-memory-devices did not answer with a list");
	count = json_object_array_length(reply);
	if (read_list(m, reply, count, err))
		return err_wrap(err, "cannot read QEMU's list of memory devices");
	if (count)
		qsort(m->devices, count, sizeof(*m->devices), by_address);
	return 0;
}

int machine_query_devices(struct machine *m, struct qmp *q, struct err *err)
{
	_cleanup_json_ struct json_object *reply = NULL;

	if (qmp_execute(q, "query-memory-devices", NULL, &reply, err) ||
	    machine_read_devices(m, reply, err))
		return -1;
	memdev_complete(m->devices, m->devices_count, q);
	return 0;
}

static int read_status(struct machine *m, struct json_object *reply, struct err *err)
{
	const char *status;

	if (json_need_string(reply, "status", &status, err) ||
	    qom_copy_name(status, &m->status, err))
		return -1;
	m->is_running = false;
	json_get_bool(reply, "running", &m->is_running);
	return 0;
}

static int read_sizes(struct machine *m, struct json_object *reply, struct err *err)
{
	if (json_need_u64(reply, "base-memory", &m->base_memory_bytes, err))
		return -1;
	json_get_u64(reply, "plugged-memory", &m->plugged_memory_bytes);
	if (m->base_memory_bytes > SIZE_LIMIT_BYTES || m->plugged_memory_bytes > SIZE_LIMIT_BYTES)
		return err_set(err, ERR_FAILED, "sizes beyond reason");
	return 0;
}

/* Without slots QEMU reports neither slots nor maxmem (hw/core/machine.c, machine_get_mem). */
static int read_limits(struct machine *m, struct json_object *reply, struct err *err)
{
	uint64_t size_bytes;

	m->has_limits = json_get_u64(reply, "max-size", &m->max_memory_bytes) &&
			json_get_u64(reply, "slots", &m->slots);
	m->has_slots = m->has_limits || json_get_u64(reply, "size", &size_bytes);
	if (m->max_memory_bytes > SIZE_LIMIT_BYTES || m->slots > MEMDEV_MAX)
		return err_set(err, ERR_FAILED, "maxmem or slots beyond reason");
	return 0;
}

static int read_type(struct machine *m, struct json_object *reply, struct err *err)
{
	static const char suffix[] = "-machine";
	const char *text =
		json_object_is_type(reply, json_type_string) ? json_object_get_string(reply) : NULL;
	size_t len;

	if (!text)
		return 0;
	if (qom_copy_name(text, &m->type, err))
		return -1;
	len = strlen(text);
	if (len > sizeof(suffix) - 1 && !strcmp(text + len - (sizeof(suffix) - 1), suffix))
		m->type[len - (sizeof(suffix) - 1)] = '\0';
	return 0;
}

static int read_arch(struct machine *m, struct json_object *reply, struct err *err)
{
	const char *text;

	return json_get_string(reply, "arch", &text) ? qom_copy_name(text, &m->arch, err) : 0;
}

static int read_base_address(struct machine *m, struct json_object *reply, struct err *err)
{
	(void)err;
	m->has_base_address = json_object_is_type(reply, json_type_int) &&
			      json_object_get_uint64(reply) <= SIZE_LIMIT_BYTES;
	if (m->has_base_address)
		m->base_address = json_object_get_uint64(reply);
	return 0;
}

static int read_ost(struct machine *m, struct json_object *reply, struct err *err)
{
	(void)err;
	m->has_acpi_ost =
		json_object_is_type(reply, json_type_array) && json_object_array_length(reply) > 0;
	return 0;
}

static int read_objects(struct machine *m, struct json_object *reply, struct err *err)
{
	size_t i, count;

	if (!json_object_is_type(reply, json_type_array))
		return err_set(err, ERR_FAILED, "qom-list did not answer with a list");
	count = json_object_array_length(reply);
	if (count > OBJECTS_MAX)
		return err_set(err, ERR_FAILED, "more than %d objects", OBJECTS_MAX);
	m->objects = xcalloc(count, sizeof(*m->objects));
	m->backends = xcalloc(count, sizeof(*m->backends));
	for (i = 0; i < count; i++) {
		static const char backend[] = "child<memory-backend-";
		const char *name, *type;
		struct json_object *child = json_object_array_get_idx(reply, i);

		if (!json_get_string(child, "name", &name) ||
		    !json_get_string(child, "type", &type) || strncmp(type, "child<", 6) != 0)
			continue;
		if (qom_copy_name(name, &m->objects[m->objects_count], err))
			return -1;
		m->objects_count++;
		m->has_vhost_object |= !strcmp(type, "child<cryptodev-vhost-user>");
		if (!strncmp(type, backend, sizeof(backend) - 1))
			m->backends[m->backends_count++] = m->objects[m->objects_count - 1];
	}
	return 0;
}

/* In these states device_add and device_del are refused but object-add is not (migration.json). */
static int read_migration(struct machine *m, struct json_object *reply, struct err *err)
{
	static const char *const idle[] = { "none", "completed", "failed", "cancelled" };
	const char *status;
	size_t i;

	if (!json_get_string(reply, "status", &status))
		return 0;
	for (i = 0; i < ARRAY_SIZE(idle); i++)
		if (!strcmp(status, idle[i]))
			return 0;
	return qom_copy_name(status, &m->migration, err);
}

int machine_query_state(struct machine *m, struct qmp *q, struct err *err)
{
	_cleanup_json_ struct json_object *reply = NULL;

	if (qmp_execute(q, "query-status", NULL, &reply, err) || read_status(m, reply, err))
		return err_wrap(err, "cannot ask QEMU (query-status)");
	return 0;
}

static const struct query {
	const char *command;
	const char *path, *property; /* for qom-list and qom-get */
	int (*read)(struct machine *m, struct json_object *reply, struct err *err);
	bool is_optional; /* an old QEMU may lack it */
} queries[] = {
	{ "query-status", NULL, NULL, read_status, false },
	{ "query-memory-devices", NULL, NULL, machine_read_devices, false },
	{ "query-memory-size-summary", NULL, NULL, read_sizes, false },
	{ "qom-list", "/objects", NULL, read_objects, false },
	{ "qom-get", "/machine", "memory", read_limits, true },
	{ "qom-get", "/machine", "type", read_type, true },
	{ "qom-get", "/machine/device-memory[0]", "addr", read_base_address, true },
	{ "query-acpi-ospm-status", NULL, NULL, read_ost, true },
	{ "query-migrate", NULL, NULL, read_migration, true },
	{ "query-target", NULL, NULL, read_arch, true },
};

int machine_query(struct machine *m, struct qmp *q, struct err *err)
{
	uint64_t ids[ARRAY_SIZE(queries)];
	size_t i;

	machine_free(m);
	if (qmp_version(q))
		m->version = xstrdup(qmp_version(q));
	for (i = 0; i < ARRAY_SIZE(queries); i++) {
		const struct query *query = &queries[i];
		struct json_object *arguments =
			query->path ? qom_arguments(query->path, query->property) : NULL;

		if (qmp_send(q, qmp_request(query->command, arguments), &ids[i], err))
			return -1;
	}
	for (i = 0; i < ARRAY_SIZE(queries); i++) {
		_cleanup_json_ struct json_object *reply = NULL;

		if (qmp_receive(q, ids[i], &reply, err)) {
			if (err->code == ERR_QEMU_REFUSED && queries[i].is_optional)
				continue;
			return err_wrap(err, "cannot ask QEMU (%s)", queries[i].command);
		}
		if (queries[i].read(m, reply, err))
			return err_wrap(err, "cannot understand QEMU (%s)", queries[i].command);
	}
	memdev_complete(m->devices, m->devices_count, q);
	return 0;
}

const struct memdev *machine_device(const struct machine *m, const char *id)
{
	unsigned i;

	for (i = 0; i < m->devices_count; i++)
		if (m->devices[i].handle && !strcmp(m->devices[i].handle, id))
			return &m->devices[i];
	return NULL;
}

bool machine_has_object(const struct machine *m, const char *id)
{
	unsigned i;

	for (i = 0; i < m->objects_count; i++)
		if (!strcmp(m->objects[i], id))
			return true;
	return false;
}

unsigned machine_slots_used(const struct machine *m)
{
	unsigned i, used = 0;

	for (i = 0; i < m->devices_count; i++)
		used += !!(m->devices[i].has & MEMDEV_HAS_SLOT);
	return used;
}

uint64_t machine_devices_max_bytes(const struct machine *m)
{
	uint64_t bytes = 0;
	unsigned i;

	for (i = 0; i < m->devices_count; i++)
		bytes += m->devices[i].max_size_bytes;
	return bytes;
}

static int query_all(struct qmp *q, uint64_t *bytes, struct err *err)
{
	_cleanup_json_ struct json_object *reply = NULL;
	uint64_t base_bytes, plugged_bytes = 0;

	if (qmp_execute(q, "query-memory-size-summary", NULL, &reply, err) ||
	    json_need_u64(reply, "base-memory", &base_bytes, err))
		return err_wrap(err, "cannot ask QEMU (query-memory-size-summary)");
	json_get_u64(reply, "plugged-memory", &plugged_bytes);
	if (base_bytes > SIZE_LIMIT_BYTES || plugged_bytes > SIZE_LIMIT_BYTES)
		return err_set(err, ERR_FAILED, "QEMU reports sizes beyond reason");
	*bytes = base_bytes + plugged_bytes;
	return 0;
}

static int query_node(struct qmp *q, int node, uint64_t *bytes, struct err *err)
{
	struct machine_nodes nodes;

	if (machine_query_nodes(&nodes, q, err) || machine_check_node(&nodes, (uint64_t)node, err))
		return -1;
	if (node >= MACHINE_NODES_MAX || !nodes.list[node].is_there)
		return err_set(err, ERR_FAILED, "the VM has no NUMA node %d", node);
	*bytes = nodes.list[node].total_bytes;
	return 0;
}

int machine_query_total(struct qmp *q, int node, uint64_t *bytes, struct err *err)
{
	return node < 0 ? query_all(q, bytes, err) : query_node(q, node, bytes, err);
}

int machine_query_map(struct qmp *q, char **map, struct err *err)
{
	struct json_object *arguments = json_object_new_object();
	_cleanup_json_ struct json_object *reply = NULL;

	json_add_string(arguments, "command-line", "info mtree -f");
	if (qmp_execute(q, "human-monitor-command", arguments, &reply, err))
		return err_wrap(err, "cannot ask QEMU (info mtree)");
	if (!json_object_is_type(reply, json_type_string))
		return err_set(err, ERR_FAILED, "info mtree did not answer with text");
	if (json_object_get_string_len(reply) > MAP_MAX_BYTES)
		return err_set(err, ERR_FAILED, "info mtree answered with more than 4 MiB");
	*map = xstrdup(json_object_get_string(reply));
	return 0;
}

/* "  0000000100000000-000000011fffffff (prio 0, ram): memhp0-mem @0000000000000000" */
bool machine_map_has(const char *map, const char *backend_id)
{
	size_t len = strlen(backend_id);
	const char *at = map;

	while ((at = strstr(at, "): "))) {
		at += strlen("): ");
		if (!strncmp(at, backend_id, len) && strchr(" \r\n", at[len]))
			return true;
	}
	return false;
}
