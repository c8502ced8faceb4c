/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What there is: QEMU and the guest asked, and what they say joined. */
#include <stdlib.h>
#include <string.h>

#include "hotplug/memory.h"
#include "hotplug/transaction.h"
#include "lib/nearest.h"
#include "lib/util.h"
#include "qemu/demand.h"

static int check_machine(const struct hotplug *h, struct err *err)
{
	const struct machine *m = &h->machine;

	if (machine_check_runs(m, err))
		return -1;
	if (m->migration) {
		err_set(err, ERR_FAILED, "the VM is migrating (%s): QEMU refuses hotplug meanwhile",
			m->migration);
		return err_hint(err,
				"wait for the end of the migration, or memhp qmp migrate_cancel");
	}
	return 0;
}

static int cannot_change(const struct hotplug *h, struct err *err)
{
	if (h->before.is_limited) {
		err_set(err, ERR_GUEST_UNREACHABLE,
			"the guest agent allows neither guest-exec nor guest-set-memory-blocks");
		return err_hint(err, "allow one in the guest's /etc/qemu/qemu-ga.conf, or use "
				     "--guest serial:PATH or ssh:HOST");
	}
	err_set(err, ERR_GUEST_UNREACHABLE, "the guest's shell is not root");
	return err_hint(err, "memory blocks can be changed only by root in the guest");
}

/* What the guest is asked first. */
static void make_request(const struct hotplug *h, struct request *r)
{
	/* where the guest does not answer to a DIMM, its device events tell */
	if (h->also && h->has_machine && !h->machine.has_acpi_ost)
		request_add(r, VERB_MARK);
	if (h->is_about_devices)
		memory_ask_devices(r, &h->machine);
	else
		memory_ask_first(r, h->about);
	if (h->is_taking)
		request_add(r, VERB_POOLS);
	if (h->also)
		request_add(r, h->also);
}

static int look_at_guest(struct hotplug *h, unsigned what, struct err *err)
{
	_cleanup_request_ struct request r = { 0 };
	struct answer answer = { 0 };
	int status;

	if (vm_open_guest(h->vm, err))
		return -1;
	if (!h->vm->guest)
		return 0;
	if (h->goal_bytes && h->has_machine)
		h->is_taking = h->machine.base_memory_bytes + h->machine.plugged_memory_bytes >
			       h->goal_bytes;
	make_request(h, &r);
	/* what the job will need goes over while the guest is busy with the scan */
	status = guest_send(h->vm->guest, &r, err);
	if (!status && h->ahead)
		status = guest_load(h->vm->guest, h->ahead, err);
	if (!status)
		status = guest_receive(h->vm->guest, &answer, err);
	if (!status)
		status = memory_read(&h->before, &r, &answer, err);
	answer_release(&answer);
	if (status)
		return err->code == ERR_TIMEOUT ? err_wrap(err, "the guest does not answer") : -1;
	h->has_guest = true;
	if (!h->before.block_size_bytes)
		return err_set(err, ERR_GUEST_UNREACHABLE,
			       "the guest has no /sys/devices/system/memory: no memory hotplug");
	return (what & LOOK_CHANGE) && !h->before.is_root ? cannot_change(h, err) : 0;
}

/* The guest is not there, as *err says: QEMU may have ended itself, or stopped the VM meanwhile. */
static int ask_why(struct hotplug *h, struct err *err)
{
	struct err answer = { 0 };

	if (err->code != ERR_GUEST_UNREACHABLE || !h->has_machine || hotplug_guest_has_ended(h))
		return -1;
	if (machine_query_state(&h->machine, h->vm->qmp, &answer)) {
		if (answer.code == ERR_TIMEOUT)
			return -1;
		h->has_machine = false;
		*err = answer;
	} else if (machine_check_runs(&h->machine, &answer)) {
		*err = answer;
	}
	return -1;
}

/* All that is asked of QEMU goes to it together. */
static int look_at_machine(struct hotplug *h, struct err *err)
{
	bool is_asking = h->is_adding && !h->sharing.is_known;

	if (vm_open_qmp(h->vm, err) || (is_asking && sharing_send(&h->sharing, h->vm->qmp, err)) ||
	    machine_query(&h->machine, h->vm->qmp, err))
		return -1;
	return is_asking ? sharing_receive(&h->sharing, &h->machine, h->vm->qmp, err) : 0;
}

int hotplug_look(struct hotplug *h, unsigned what, struct err *err)
{
	guest_memory_release(&h->after);
	h->has_machine = h->has_guest = false;
	if ((what & LOOK_QMP) || vm_has_monitor(h->vm)) {
		if (look_at_machine(h, err))
			return -1;
		h->has_machine = true;
		h->qemu_pid = qmp_peer_pid(h->vm->qmp);
		if (!demand_is_of(h->qemu_pid, h->machine.base_memory_bytes))
			h->qemu_pid = 0;
		if (watch_begin(&h->watch, h->vm, &h->machine, &h->progress, err))
			return -1;
		if ((what & LOOK_CHANGE) && check_machine(h, err))
			return -1;
	}
	hotplug_phase(h, "look");
	if (h->has_machine && !h->machine.is_running)
		return what & LOOK_GUEST ? check_machine(h, err) : 0;
	if (look_at_guest(h, what, err))
		return ask_why(h, err);
	return (what & LOOK_GUEST) && !h->has_guest ? vm_no_channel(h->vm, err) : 0;
}

const struct guest_memory *hotplug_now(const struct hotplug *h)
{
	return h->after.has || h->after.blocks.count ? &h->after : &h->before;
}

const struct memdev *hotplug_find_device(const struct hotplug *h, const char *name)
{
	const struct memdev *d = machine_device(&h->machine, name);
	_cleanup_free_ char *dimm = xasprintf("%s-dimm", name);
	_cleanup_free_ char *vmem = xasprintf("%s-vmem", name);

	if (!d)
		d = machine_device(&h->machine, dimm);
	return d ? d : machine_device(&h->machine, vmem);
}

int hotplug_hint_device(const struct hotplug *h, const char *name, const char *otherwise,
			struct err *err)
{
	struct nearest nearest = { .word = name };
	unsigned i;

	for (i = 0; i < h->machine.devices_count; i++)
		nearest_offer(&nearest, h->machine.devices[i].id);
	return nearest_hint(&nearest, otherwise, err);
}

bool hotplug_device_blocks(const struct hotplug *h, const struct memdev *d, struct blocks *out)
{
	uint64_t block_bytes = h->before.block_size_bytes, end;

	if (!(d->has & MEMDEV_HAS_ADDRESS) || !block_bytes)
		return false;
	if (!memdev_is_virtio_mem(d))
		return sysfs_blocks_of(d->address, d->size_bytes, block_bytes, out);
	/* virtio-mem: the guest uses whatever whole blocks lie in its part of the address space */
	end = (d->address + d->span_bytes) / block_bytes;
	*out = (struct blocks){ .first = (d->address + block_bytes - 1) / block_bytes,
				.last = end - 1,
				.node = -1,
				.is_removable = -1 };
	return end > out->first;
}

struct block_list hotplug_found_blocks(const struct hotplug *h, const struct guest_memory *g,
				       const struct memdev *d)
{
	struct block_list found = { 0 }, wanted = { 0 };
	struct blocks run;

	if (hotplug_device_blocks(h, d, &run)) {
		block_list_add(&wanted, &run);
		block_list_intersect(&found, &g->blocks, &wanted);
		block_list_release(&wanted);
	}
	return found;
}

char *hotplug_absent_command(const struct memdev *d)
{
	return d->is_hotplugged ? xstrdup("memhp repair")
				: xasprintf("memhp unplug %s", memdev_name(d));
}

enum added hotplug_added(const struct hotplug *h, const struct guest_memory *g,
			 const struct memdev *d)
{
	uint64_t block_bytes = h->before.block_size_bytes, shown;
	struct block_list wanted = { 0 }, found = { 0 };
	struct blocks inner = { .node = -1, .is_removable = -1 };

	if (!h->has_guest || !block_bytes || !memdev_is_dimm(d) || !(d->has & MEMDEV_HAS_ADDRESS))
		return ADDED_UNKNOWN;
	inner.first = (d->address + block_bytes - 1) / block_bytes;
	inner.last = (d->address + d->size_bytes) / block_bytes - 1;
	if (inner.last + 1 > inner.first)
		block_list_add(&wanted, &inner);
	block_list_intersect(&found, &g->blocks, &wanted);
	shown = block_list_blocks(&found);
	block_list_release(&wanted);
	block_list_release(&found);
	if (!shown)
		return ADDED_NOT;
	return shown * block_bytes == d->size_bytes ? ADDED_WHOLE : ADDED_PARTLY;
}
