/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The job of adding a virtio-mem device and growing it to its size. */
#include <stdio.h>
#include <stdlib.h>

#include "hotplug/blocks.h"
#include "hotplug/device-del.h"
#include "hotplug/growth.h"
#include "hotplug/vmem-plug.h"
#include "lib/util.h"
#include "qemu/refusal.h"

void vmem_plug_free(struct vmem_plug *plug)
{
	dimm_request_free(&plug->device);
	vmem_free(&plug->vmem);
	free(plug->bus);
	mem_file_free(&plug->file);
}

static struct json_object *object_add(const struct vmem_plug *plug)
{
	return backend_request(&plug->request.backend, plug->device.backend_id,
			       plug->device.size_bytes);
}

static int read_back(struct transaction *t, struct vmem_plug *plug, struct err *err)
{
	const struct memdev *d;

	if (machine_query_devices(&t->view.machine, t->view.qmp, err))
		return -1;
	d = machine_device(&t->view.machine, plug->device.device_id);
	if (!d || d->max_size_bytes != plug->device.size_bytes)
		return err_set(err, ERR_FAILED, "QEMU does not list '%s' as requested",
			       plug->device.device_id);
	vmem_add(&t->view, &plug->vmem, d, plug->device.size_bytes);
	vmem_choose_zones(t, &plug->vmem);
	return 0;
}

static int verify_backend(struct view *v, const struct vmem_plug *plug, struct err *err)
{
	_cleanup_json_ struct json_object *list = NULL;

	if (backend_is_plain(&plug->request.backend))
		return 0;
	return qmp_execute(v->qmp, "query-memdev", NULL, &list, err) ||
			       backend_verify(&plug->request.backend, plug->device.backend_id,
					      plug->device.size_bytes, list, err)
		       ? -1
		       : 0;
}

/* Wait for the reply to object-add (0) or device_add (1), if one is due. */
static int take_reply(struct transaction *t, struct vmem_plug *plug, unsigned i, struct err *err)
{
	bool is_asked = plug->ids[i];

	if (transaction_take_reply(t, &plug->ids[i], err))
		return -1;
	plug->is_object_there |= is_asked && i == 0;
	plug->is_device_there |= is_asked && i == 1;
	return 0;
}

static int ask(struct transaction *t, struct vmem_plug *plug, unsigned i,
	       struct json_object *request, struct err *err)
{
	if (qmp_send(t->view.qmp, request, &plug->ids[i], err))
		return -1;
	if (!take_reply(t, plug, i, err))
		return 0;
	refusal_hint(err);
	return i ? err_wrap(err, "QEMU refuses the device '%s'", plug->device.device_id)
		 : err_wrap(err, "QEMU refuses the backend '%s'", plug->device.backend_id);
}

static int attach(struct transaction *t, void *job, struct err *err)
{
	struct vmem_plug *plug = job;

	if (plug->request.backend.mem_path)
		mem_file_expect(&plug->file, qmp_peer_pid(t->view.qmp),
				plug->request.backend.mem_path, plug->device.size_bytes);
	return ask(t, plug, 0, object_add(plug), err) ||
			       ask(t, plug, 1, machine_request_vmem_add(&plug->device, plug->bus),
				   err) ||
			       verify_backend(&t->view, plug, err) || read_back(t, plug, err)
		       ? -1
		       : 0;
}

/* Collect outstanding replies: they tell what there is to undo. */
static int collect_replies(struct transaction *t, struct vmem_plug *plug, struct err *err)
{
	struct err ignored;
	unsigned i;

	for (i = 0; i < 2; i++) {
		(void)!take_reply(t, plug, i, &ignored);
		if (plug->ids[i])
			return err_set(err, ERR_PARTIAL, "QEMU did not say whether it made '%s'",
				       i ? plug->device.device_id : plug->device.backend_id);
	}
	return 0;
}

/* QEMU can unplug virtio-mem devices since 8.2; before that, an empty one stays. */
static int detach(struct transaction *t, void *job, struct err *err)
{
	struct vmem_plug *plug = job;
	struct leaving *leaving = NULL;
	const struct memdev *d;
	unsigned count = 0;
	int status = 0;

	if (collect_replies(t, plug, err) ||
	    (plug->is_device_there && machine_query_devices(&t->view.machine, t->view.qmp, err)))
		return -1;
	d = plug->is_device_there ? machine_device(&t->view.machine, plug->device.device_id) : NULL;
	if (d) {
		leaving_add(&leaving, &count, d);
		if (hotplug_device_del(t, leaving, count, err))
			status = err_wrap(err, "'%s' stays plugged", plug->device.device_id);
		leaving_free(&leaving, &count);
	}
	if (status)
		return -1;
	mem_file_identify(&plug->file, plug->is_object_there, t->deadline);
	if (plug->is_object_there &&
	    transaction_request(t, machine_request_object_del(plug->device.backend_id), err))
		return err_wrap(err, "the backend '%s' is left", plug->device.backend_id);
	return mem_file_remove(&plug->file, t->deadline, err);
}

static void leave(struct transaction *t, void *job)
{
	struct vmem_plug *plug = job;

	mem_file_clean_up(&plug->file, t->deadline);
}

static void attach_show(struct transaction *t, void *job)
{
	struct vmem_plug *plug = job;

	transaction_plan_request(t, object_add(plug));
	transaction_plan_request(t, machine_request_vmem_add(&plug->device, plug->bus));
	transaction_plan_request(
		t, machine_request_size(plug->device.device_id, plug->device.size_bytes));
}

/* Read the device back; the report shows it too. */
static int verify(struct transaction *t, void *job, struct err *err)
{
	const struct vmem_plug *plug = job;
	const struct memdev *d;

	if (machine_query_devices(&t->view.machine, t->view.qmp, err))
		return -1;
	d = machine_device(&t->view.machine, plug->device.device_id);
	return d && d->size_bytes == plug->device.size_bytes
		       ? 0
		       : err_set(err, ERR_FAILED, "'%s' has a different size now",
				 plug->device.device_id);
}

static const struct step attach_steps[] = { { "attach", attach, detach, attach_show, leave } };
static const struct step verify_steps[] = { { "verify", verify, NULL, NULL, NULL } };

/* Check the node before the device exists: QEMU may not be able to unplug it. */
static int check_node(const struct view *v, struct vmem_plug *plug, struct err *err)
{
	uint64_t node = plug->request.node;

	return vmem_require_node(v, &plug->vmem, node, err) ||
			       node_map_check_request(plug->vmem.nodes, v, node, err)
		       ? -1
		       : 0;
}

static int prepare(struct transaction *t, struct vmem_plug *plug, struct err *err)
{
	struct plug_request *r = &plug->request;
	_cleanup_free_ char *name = NULL;
	struct device_place place;

	name = r->name ? xstrdup(r->name)
		       : xasprintf(MACHINE_DEFAULT_NAME "%llu",
				   (unsigned long long)machine_next_number(&t->view.machine,
									   MACHINE_DEFAULT_NAME));
	plug->device = (struct dimm_request){ .size_bytes = r->size_bytes,
					      .has_node = r->has_node,
					      .node = r->node };
	if (machine_name(&t->view.machine, name, "vmem", &plug->device.backend_id,
			 &plug->device.device_id, err) ||
	    sharing_apply(&t->view.sharing, &t->view.machine, &r->backend, err) ||
	    plug_check_device(t, r, &place, err) ||
	    (r->has_node && check_node(&t->view, plug, err)))
		return -1;
	plug->device.has_address = place.is_told;
	plug->device.address = place.address;
	plug->vmem.zone = r->zone;
	if (growth_check_headroom(t, &plug->vmem, r->size_bytes, err) ||
	    machine_find_port(&t->view.machine, t->view.qmp, &plug->bus, err))
		return -1;
	transaction_add_steps(t, attach_steps, ARRAY_SIZE(attach_steps), plug);
	vmem_prepare(t, &plug->vmem);
	transaction_add_steps(t, verify_steps, ARRAY_SIZE(verify_steps), plug);
	return 0;
}

int hotplug_vmem_plug(struct transaction *t, struct vmem_plug *plug, struct err *err)
{
	t->view.is_adding = true;
	t->view.preload = VERB_BIT(VERB_ONLINE_FAST);
	t->view.extra = t->is_dry_run ? VERB_NONE : VERB_FREEZE_POLICY;
	if (!transaction_query(t, QUERY_QEMU | QUERY_CHANGE, err) &&
	    !zone_check(&t->view, plug->request.zone, err) && !prepare(t, plug, err) &&
	    !transaction_run(t, err))
		return 0;
	return err_wrap(err, "cannot plug '%s'", plug->request.size_text);
}
