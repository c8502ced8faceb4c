/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The state of QEMU and of the guest, queried and combined. */
#include <stdlib.h>
#include <string.h>

#include "hotplug/memory.h"
#include "hotplug/view.h"
#include "lib/text.h"
#include "lib/util.h"
#include "qemu/demand.h"

void view_free(struct view *v)
{
	machine_free(&v->machine);
	sharing_free(&v->sharing);
	guest_memory_free(&v->before);
	guest_memory_free(&v->after);
}

void view_clear(struct view *v)
{
	guest_memory_free(&v->after);
	v->has_machine = v->has_guest = false;
}

/* All queries go to QEMU in one batch. */
int view_query_machine(struct view *v, struct err *err)
{
	bool is_asking = v->is_adding && !v->sharing.is_known;

	if (v->opener.open_qmp(v, v->opener.context, err) ||
	    (is_asking && sharing_send(&v->sharing, v->qmp, err)) ||
	    machine_query(&v->machine, v->qmp, err) ||
	    (is_asking && sharing_receive(&v->sharing, &v->machine, v->qmp, err)))
		return -1;
	v->has_machine = true;
	v->qemu_pid = qmp_peer_pid(v->qmp);
	if (!demand_is_of(v->qemu_pid, v->machine.base_memory_bytes))
		v->qemu_pid = 0;
	return 0;
}

/* The first request to the guest. */
static void make_request(const struct view *v, struct request *r)
{
	/* if the guest sends no ACPI answer for a DIMM, its kernel's device events tell */
	if (v->extra && v->has_machine && !v->machine.has_acpi_ost)
		request_add(r, VERB_MARK);
	if (v->is_scope_devices)
		memory_request_devices(r, &v->machine);
	else
		memory_request_first(r, v->scope);
	if (v->is_taking)
		request_add(r, VERB_POOLS);
	if (v->extra)
		request_add(r, v->extra);
}

int view_query_guest(struct view *v, struct err *err)
{
	_cleanup_request_ struct request r = { 0 };
	struct answer answer = { 0 };
	int status;

	if (v->opener.open_guest(v, v->opener.context, err))
		return -1;
	if (!v->guest)
		return 0;
	if (v->goal_bytes && v->has_machine)
		v->is_taking = v->machine.base_memory_bytes + v->machine.plugged_memory_bytes >
			       v->goal_bytes;
	make_request(v, &r);
	/* send what the job will need later while the guest is busy with the scan */
	status = guest_send(v->guest, &r, err);
	if (!status && v->preload)
		status = guest_load(v->guest, v->preload, err);
	if (!status)
		status = guest_receive(v->guest, &answer, err);
	if (!status)
		status = memory_read(&v->before, &r, &answer, err);
	answer_free(&answer);
	if (status)
		return err->code == ERR_TIMEOUT ? err_wrap(err, "the guest does not answer") : -1;
	v->has_guest = true;
	if (!v->before.block_size_bytes)
		return err_set(err, ERR_GUEST_UNREACHABLE,
			       "the guest has no /sys/devices/system/memory: no memory hotplug");
	return 0;
}

const struct guest_memory *view_now(const struct view *v)
{
	return v->after.has || v->after.blocks.count ? &v->after : &v->before;
}

const struct memdev *view_find_device(const struct view *v, const char *name)
{
	const struct memdev *d = machine_device(&v->machine, name);
	_cleanup_free_ char *dimm = xasprintf("%s-dimm", name);
	_cleanup_free_ char *vmem = xasprintf("%s-vmem", name);

	if (!d)
		d = machine_device(&v->machine, dimm);
	return d ? d : machine_device(&v->machine, vmem);
}

int view_hint_device(const struct view *v, const char *name, const char *otherwise, struct err *err)
{
	struct nearest nearest = { .word = name };
	unsigned i;

	for (i = 0; i < v->machine.devices_count; i++)
		nearest_offer(&nearest, v->machine.devices[i].id);
	return nearest_hint(&nearest, otherwise, err);
}

bool view_device_blocks(const struct view *v, const struct memdev *d, struct blocks *out)
{
	uint64_t block_bytes = v->before.block_size_bytes, end;

	if (!(d->has & MEMDEV_HAS_ADDRESS) || !block_bytes)
		return false;
	if (!memdev_is_virtio_mem(d))
		return sysfs_blocks_of(d->address, d->size_bytes, block_bytes, out);
	/* virtio-mem: the guest uses every whole block in its part of the address space */
	end = (d->address + d->max_size_bytes) / block_bytes;
	*out = (struct blocks){ .first = (d->address + block_bytes - 1) / block_bytes,
				.last = end - 1,
				.node = -1 };
	return end > out->first;
}

struct block_list view_found_blocks(const struct view *v, const struct guest_memory *g,
				    const struct memdev *d)
{
	struct block_list found = { 0 }, wanted = { 0 };
	struct blocks run;

	if (view_device_blocks(v, d, &run)) {
		block_list_add(&wanted, &run);
		block_list_intersect(&found, &g->blocks, &wanted);
		block_list_free(&wanted);
	}
	return found;
}

char *view_absent_command(const struct memdev *d)
{
	return d->is_hotplugged ? xstrdup("memhp repair")
				: xasprintf("memhp unplug %s", memdev_name(d));
}

enum added view_added(const struct view *v, const struct guest_memory *g, const struct memdev *d)
{
	uint64_t block_bytes = v->before.block_size_bytes, shown;
	struct block_list wanted = { 0 }, found = { 0 };
	struct blocks inner = { .node = -1 };

	if (!v->has_guest || !block_bytes || !memdev_is_dimm(d) || !(d->has & MEMDEV_HAS_ADDRESS))
		return ADDED_UNKNOWN;
	inner.first = (d->address + block_bytes - 1) / block_bytes;
	inner.last = (d->address + d->size_bytes) / block_bytes - 1;
	if (inner.last + 1 > inner.first)
		block_list_add(&wanted, &inner);
	block_list_intersect(&found, &g->blocks, &wanted);
	shown = block_list_blocks(&found);
	block_list_free(&wanted);
	block_list_free(&found);
	if (!shown)
		return ADDED_NOT;
	return shown * block_bytes == d->size_bytes ? ADDED_WHOLE : ADDED_PARTLY;
}
