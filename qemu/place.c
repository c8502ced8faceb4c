/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The guest's address space for memory devices: what is taken, and where the next ones go. */
#include <stdlib.h>
#include <string.h>

#include "lib/util.h"
#include "qemu/machine.h"

#define PLACE_MAX                                                                                  \
	(UINT64_C(1) << 61) /* an address and a size up to this add up without overflow            \
			     */

/* The ranges taken, sorted by start; none is empty. */
struct taken {
	struct span {
		uint64_t start, end; /* the end is exclusive */
	} * list;
	unsigned count;
};

static uint64_t align_up(uint64_t address, uint64_t align_bytes)
{
	return (address + align_bytes - 1) / align_bytes * align_bytes;
}

static void take(struct taken *taken, uint64_t start, uint64_t bytes)
{
	unsigned i = taken->count;

	if (!bytes)
		return;
	while (i && taken->list[i - 1].start > start)
		i--;
	memmove(&taken->list[i + 1], &taken->list[i], (taken->count - i) * sizeof(*taken->list));
	taken->list[i] = (struct span){ start, start + bytes };
	taken->count++;
}

/* Collect the devices' ranges, with room for @more; false if they are not known. */
static bool take_devices(struct taken *taken, const struct machine *m, unsigned more)
{
	unsigned i;

	*taken = (struct taken){ 0 };
	for (i = 0; i < m->devices_count; i++)
		if (!(m->devices[i].has & MEMDEV_HAS_ADDRESS) ||
		    m->devices[i].address > PLACE_MAX || m->devices[i].max_size_bytes > PLACE_MAX)
			return false;
	taken->list = xcalloc((size_t)m->devices_count + more + 1, sizeof(*taken->list));
	for (i = 0; i < m->devices_count; i++)
		take(taken, m->devices[i].address, m->devices[i].max_size_bytes);
	return true;
}

/* The first gap from @start that is large enough, by QEMU's rule. */
static uint64_t find_gap(const struct taken *taken, uint64_t start, uint64_t bytes,
			 uint64_t align_bytes)
{
	uint64_t address = align_up(start, align_bytes);
	unsigned i;

	for (i = 0; i < taken->count && taken->list[i].start < address + bytes; i++)
		if (taken->list[i].end > address)
			address = align_up(taken->list[i].end, align_bytes);
	return address;
}

bool machine_place(const struct machine *m, const uint64_t *sizes, unsigned count,
		   uint64_t align_bytes, uint64_t *addresses)
{
	struct taken taken;
	unsigned i;

	if (!m->has_base_address || m->base_address > PLACE_MAX || !take_devices(&taken, m, count))
		return false;
	for (i = 0; i < count && sizes[i] <= PLACE_MAX; i++) {
		addresses[i] = find_gap(&taken, m->base_address, sizes[i], align_bytes);
		if (addresses[i] > PLACE_MAX)
			break;
		take(&taken, addresses[i], sizes[i]);
	}
	free(taken.list);
	return i == count;
}

uint64_t machine_largest_gap(const struct machine *m, uint64_t end, uint64_t align_bytes)
{
	uint64_t start = align_up(m->base_address, align_bytes), largest = 0;
	struct taken taken;
	unsigned i;

	if (!take_devices(&taken, m, 1))
		return 0;
	take(&taken, end, 1);
	for (i = 0; i < taken.count; i++) {
		if (taken.list[i].start > start && taken.list[i].start - start > largest)
			largest = taken.list[i].start - start;
		if (taken.list[i].end > start)
			start = align_up(taken.list[i].end, align_bytes);
	}
	free(taken.list);
	return largest / align_bytes * align_bytes;
}

const struct memdev *machine_device_in(const struct machine *m, uint64_t address, uint64_t bytes)
{
	unsigned i;

	for (i = 0; i < m->devices_count; i++) {
		const struct memdev *d = &m->devices[i];

		if ((d->has & MEMDEV_HAS_ADDRESS) && d->max_size_bytes &&
		    (d->address > address ? d->address - address < bytes
					  : address - d->address < d->max_size_bytes))
			return d;
	}
	return NULL;
}

bool machine_query_end(const struct machine *m, struct qmp *q, uint64_t *end)
{
	struct json_object *arguments = json_object_new_object();
	_cleanup_json_ struct json_object *reply = NULL;
	struct err ignored;
	int64_t bytes;

	json_add_string(arguments, "path", "/machine/device-memory[0]");
	json_add_string(arguments, "property", "size");
	if (qmp_execute(q, "qom-get", arguments, &reply, &ignored) ||
	    !json_object_is_type(reply, json_type_int))
		return false;
	bytes = json_object_get_int64(reply);
	if (!m->has_base_address || m->base_address > PLACE_MAX || bytes < 0 ||
	    (uint64_t)bytes > PLACE_MAX)
		return false;
	*end = m->base_address + (uint64_t)bytes;
	return true;
}
