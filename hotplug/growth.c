/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Have host and guest the room for what virtio-mem devices grow by? */
#include <stdlib.h>
#include <string.h>

#include "hotplug/check.h"
#include "hotplug/growth.h"
#include "lib/util.h"
#include "qemu/host-limits.h"
#include "qemu/qom.h"

uint64_t growth_bytes(const struct vmem *vmem)
{
	uint64_t bytes = 0;
	unsigned i;

	for (i = 0; i < vmem->units_count; i++)
		if (vmem->units[i].target_bytes > vmem->units[i].before_bytes)
			bytes += vmem->units[i].target_bytes - vmem->units[i].before_bytes;
	return bytes;
}

static struct json_object *property(const struct transaction *t, const char *path, const char *name)
{
	struct json_object *arguments = json_object_new_object(), *value = NULL;
	struct err ignored;

	json_add_string(arguments, "path", path);
	json_add_string(arguments, "property", name);
	return qmp_execute(t->view.qmp, "qom-get", arguments, &value, &ignored) ? NULL : value;
}

/* A property that is off where a QEMU does not have it. */
static bool is_on(const struct transaction *t, const char *path, const char *name)
{
	_cleanup_json_ struct json_object *value = property(t, path, name);

	return json_object_is_type(value, json_type_boolean) && json_object_get_boolean(value);
}

/* Is a device's memory ordinary memory of the host, neither huge pages nor a file? */
static bool is_ordinary(const struct transaction *t, const struct memdev *d)
{
	_cleanup_free_ char *path = xasprintf("/objects/%s", d->backend ? d->backend : "");
	_cleanup_json_ struct json_object *type = property(t, path, "type");

	return json_object_is_type(type, json_type_string) &&
	       strcmp(json_object_get_string(type), "memory-backend-file") != 0 &&
	       !is_on(t, path, "hugetlb");
}

/* What the devices take of ordinary memory, and whether at once (prealloc of virtio-mem). */
static uint64_t ordinary_bytes(const struct transaction *t, const struct vmem *vmem, bool *is_now)
{
	uint64_t bytes = 0;
	unsigned i;

	*is_now = false;
	for (i = 0; i < vmem->units_count; i++) {
		const struct vmem_unit *unit = &vmem->units[i];
		const struct memdev *d = machine_device(&t->view.machine, unit->handle);
		_cleanup_free_ char *path = qom_device_path(unit->handle);

		if (!d || unit->target_bytes <= unit->before_bytes || !is_ordinary(t, d))
			continue;
		bytes += unit->target_bytes - unit->before_bytes;
		*is_now |= is_on(t, path, "prealloc");
	}
	return bytes;
}

static bool is_short(struct demand *demand, struct err *err)
{
	return demand_complete(demand) && host_limits_check_taken(demand, err);
}

static void warn(void *context, const char *text)
{
	transaction_warn(context, text);
}

static void notice(void *context, const char *text)
{
	(void)text;
	*(bool *)context = true;
}

int growth_check(struct transaction *t, const struct vmem *vmem, struct err *err)
{
	static const struct backend_options ordinary = { .type = BACKEND_RAM };
	struct demand demand = { .pid = qmp_peer_pid(t->view.qmp),
				 .backend = &ordinary,
				 .size_bytes = growth_bytes(vmem),
				 .boot_bytes = t->view.machine.base_memory_bytes,
				 .guest_bytes = t->view.machine.base_memory_bytes +
						t->view.machine.plugged_memory_bytes };
	bool is_noticed = false, is_now;

	if (t->is_forced || !demand.size_bytes || !demand_complete(&demand))
		return 0;
	host_limits_foresee(&demand, notice, &is_noticed);
	if (!is_noticed)
		return 0;
	demand.size_bytes = ordinary_bytes(t, vmem, &is_now);
	if (!demand.size_bytes)
		return 0;
	if (is_short(&demand, err) && is_now)
		return -1;
	host_limits_foresee(&demand, warn, t);
	return 0;
}

/* Are there more blocks than this, fewer and larger pieces are checked in their place. */
#define PIECES_MAX 65536

int growth_check_headroom(struct transaction *t, const struct vmem *vmem, uint64_t bytes,
			  struct err *err)
{
	uint64_t movable_bytes = t->movable_added_bytes, kernel_bytes = t->kernel_added_bytes;
	uint64_t piece_bytes = t->view.before.block_size_bytes, count, i, kernels;
	_cleanup_free_ uint64_t *sizes = NULL;
	char reason[ZONE_REASON_MAX];

	if (!t->view.has_guest)
		return 0;
	while (bytes / piece_bytes >= PIECES_MAX)
		piece_bytes *= 2;
	count = bytes / piece_bytes + !!(bytes % piece_bytes);
	sizes = xcalloc(count + 1, sizeof(*sizes));
	for (i = 0; i < count; i++)
		sizes[i] = piece_bytes;
	kernels = zone_split_even(t, vmem->zone, piece_bytes, count, reason);
	t->movable_added_bytes = movable_bytes;
	t->kernel_added_bytes = kernel_bytes;
	return plug_check_blocks_headroom(t, sizes, (unsigned)count, (unsigned)kernels, err);
}
