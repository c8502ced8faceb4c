/* SPDX-License-Identifier: GPL-3.0-or-later */
/* QEMU's half of a plug: backends and DIMMs are added, read back, and removed again. */
#include <stdio.h>
#include <stdlib.h>

#include "hotplug/attach.h"
#include "hotplug/device-del.h"
#include "lib/util.h"
#include "qemu/refusal.h"

/* how long a guest that gave a DIMM up by itself may take to release it */
#define TAKE_BACK_MS 5000

static struct json_object *object_add(const struct plug *plug, const struct plug_dimm *dimm)
{
	return backend_request(&plug->request.backend, dimm->request.backend_id,
			       dimm->request.size_bytes);
}

/* Wait for the reply to object-add (0) or device_add (1), if one is due. */
static int take_reply(struct transaction *t, struct plug_dimm *dimm, unsigned i, struct err *err)
{
	if (!dimm->ids[i])
		return 0;
	if (transaction_take_reply(t, &dimm->ids[i], err))
		return -1;
	dimm->is_object_there |= i == 0;
	dimm->is_device_there |= i == 1;
	return 0;
}

/*
 * The smallest DIMM size with which the memory fits into as many pieces as QEMU accepted; 0 if
 * there is none. QEMU accepts that many again once these have been removed.
 */
static uint64_t larger_dimm(const struct plug *plug)
{
	uint64_t bytes = plug->request.size_bytes, dimm_bytes = 0;
	unsigned i, taken = 0;

	for (i = 0; i < plug->dimms_count; i++) {
		taken += plug->dimms[i].is_device_there;
		if (plug->dimms[i].request.size_bytes > dimm_bytes)
			dimm_bytes = plug->dimms[i].request.size_bytes;
	}
	if (!taken || !dimm_bytes)
		return 0;
	while (dimm_bytes < bytes && (bytes % dimm_bytes || bytes / dimm_bytes > taken))
		dimm_bytes = dimm_bytes > bytes / 2 ? bytes : dimm_bytes * 2;
	return dimm_bytes;
}

/* Hint at what to do when QEMU accepts no further DIMM. */
static void hint_refusal(const struct plug *plug, struct err *err)
{
	uint64_t dimm_bytes = refusal_is_of_slots(err) ? larger_dimm(plug) : 0;
	bool is_mib = !(dimm_bytes & ((UINT64_C(1) << 20) - 1));

	if (dimm_bytes)
		err_hint(err, "take fewer and larger DIMMs: --dimm %llu%c",
			 (unsigned long long)(is_mib ? dimm_bytes >> 20 : dimm_bytes),
			 is_mib ? 'M' : 'B');
	else
		refusal_hint(err);
}

/* Collect the replies to all object-add (0) or device_add (1) of this round. */
static int take_replies(struct transaction *t, struct plug *plug, unsigned which, struct err *err)
{
	enum plug_stage stage = which ? STAGE_DEVICE : STAGE_OBJECT;
	unsigned i;

	plug_expect(t, plug, stage);
	for (i = plug->from; i < plug->to; i++) {
		struct plug_dimm *dimm = &plug->dimms[i];

		if (dimm->is_failed)
			continue;
		if (!take_reply(t, dimm, which, err)) {
			plug_show(t, plug, stage);
			continue;
		}
		dimm->is_failed = true;
		if (transaction_guest_has_ended(t))
			return -1;
		hint_refusal(plug, err);
		if (which)
			err_wrap(err, "QEMU refuses the DIMM '%s'", dimm->request.device_id);
		else
			err_wrap(err, "QEMU refuses the backend '%s'", dimm->request.backend_id);
		if (plug_fail(plug, err))
			return -1;
	}
	return 0;
}

/* Only a single DIMM can have a named file: several need a directory. */
static void expect_file(const struct view *v, struct plug *plug)
{
	if (plug->request.backend.mem_path && plug->dimms_count == 1)
		mem_file_expect(&plug->file, qmp_peer_pid(v->qmp), plug->request.backend.mem_path,
				plug->dimms[0].request.size_bytes);
}

static int add_backends(struct transaction *t, struct plug *plug, struct err *err)
{
	unsigned i;

	expect_file(&t->view, plug);
	for (i = plug->from; i < plug->to; i++) {
		struct plug_dimm *dimm = &plug->dimms[i];

		if (qmp_send(t->view.qmp, object_add(plug, dimm), &dimm->ids[0], err))
			return -1;
	}
	return take_replies(t, plug, 0, err);
}

/* Only for backends that this plug made: another client may have just made one of the same name. */
static int send_devices(struct view *v, struct plug *plug, struct err *err)
{
	unsigned i;

	for (i = plug->from; i < plug->to; i++) {
		struct plug_dimm *dimm = &plug->dimms[i];

		if (!dimm->is_failed && qmp_send(v->qmp, machine_request_device_add(&dimm->request),
						 &dimm->ids[1], err))
			return -1;
	}
	return 0;
}

/* Does QEMU list the DIMM as requested, at an address that the guest can use? */
static int read_dimm(const struct view *v, struct plug *plug, struct plug_dimm *dimm,
		     struct err *err)
{
	const struct memdev *d = plug_device(v, dimm);

	if (!d || d->size_bytes != dimm->request.size_bytes || !(d->has & MEMDEV_HAS_ADDRESS))
		return err_set(err, ERR_FAILED, "QEMU does not list '%s' as requested",
			       dimm->request.device_id);
	if (!v->has_guest)
		return 0;
	dimm->has_blocks = view_device_blocks(v, d, &dimm->blocks);
	if (dimm->has_blocks)
		return 0;
	plug->is_misplaced = true;
	err_set(err, ERR_FAILED, "QEMU put '%s' at 0x%llx, inside a memory block",
		dimm->request.device_id, (unsigned long long)d->address);
	return err_hint(err, "another device was added at the same time: try again");
}

/* Read back the devices and, if they have options, the backends. */
static int read_back(struct view *v, struct plug *plug, const uint64_t *ids, struct err *err)
{
	_cleanup_json_ struct json_object *devices = NULL;
	_cleanup_json_ struct json_object *backends = NULL;
	unsigned i;

	if (qmp_receive(v->qmp, ids[0], &devices, err) ||
	    machine_read_devices(&v->machine, devices, err) ||
	    (ids[1] && qmp_receive(v->qmp, ids[1], &backends, err)))
		return err_wrap(err, "cannot read the DIMMs back");
	for (i = plug->from; i < plug->to; i++) {
		struct plug_dimm *dimm = &plug->dimms[i];

		if (dimm->is_failed)
			continue;
		if (read_dimm(v, plug, dimm, err) ||
		    (backends && backend_verify(&plug->request.backend, dimm->request.backend_id,
						dimm->request.size_bytes, backends, err)))
			return -1;
	}
	return 0;
}

/* Choose the DIMMs of the next round: as many as the guest has room for. */
static int choose_round(struct transaction *t, struct plug *plug, struct err *err)
{
	_cleanup_free_ uint64_t *sizes = plug_sizes(plug);
	int fitting;

	plug->from = plug->to;
	fitting = plug_count_fitting(t, sizes + plug->from, plug->dimms_count - plug->from, err);
	if (fitting < 0)
		return -1;
	if (!fitting)
		return plug_check_headroom(t, sizes + plug->from, 1, 0, err);
	plug->to = plug->from + (unsigned)fitting;
	return 0;
}

static int attach_round(struct transaction *t, struct plug *plug, struct err *err)
{
	uint64_t ids[2] = { 0 };

	if (choose_round(t, plug, err) || add_backends(t, plug, err) ||
	    send_devices(&t->view, plug, err))
		return -1;
	if (qmp_send(t->view.qmp, qmp_request("query-memory-devices", NULL), &ids[0], err) ||
	    (!backend_is_plain(&plug->request.backend) &&
	     qmp_send(t->view.qmp, qmp_request("query-memdev", NULL), &ids[1], err)))
		return -1;
	return take_replies(t, plug, 1, err) || read_back(&t->view, plug, ids, err) ? -1 : 0;
}

int plug_attach(struct transaction *t, void *job, struct err *err)
{
	return attach_round(t, job, err) ? plug_stop(job, err) : 0;
}

/* Without a guest this step ends the round. */
int plug_attach_only(struct transaction *t, void *job, struct err *err)
{
	struct plug *plug = job;
	unsigned i;

	if (plug_attach(t, plug, err))
		return -1;
	for (i = 0; i < plug->dimms_count; i++)
		plug->dimms[i].is_complete = !plug->dimms[i].is_failed;
	return plug_finish(plug, err);
}

void plug_attach_show(struct transaction *t, void *job)
{
	struct plug *plug = job;
	unsigned i;

	for (i = 0; i < plug->dimms_count; i++)
		transaction_plan_request(t, object_add(plug, &plug->dimms[i]));
	for (i = 0; i < plug->dimms_count; i++)
		transaction_plan_request(t, machine_request_device_add(&plug->dimms[i].request));
}

/* Collect outstanding replies: they tell what there is to undo. */
static int collect_replies(struct transaction *t, struct plug *plug, struct err *err)
{
	struct err ignored;
	unsigned i;

	for (i = 0; i < plug->dimms_count; i++) {
		struct plug_dimm *dimm = &plug->dimms[i];

		(void)!take_reply(t, dimm, 0, &ignored);
		(void)!take_reply(t, dimm, 1, &ignored);
		if (dimm->ids[0] || dimm->ids[1])
			return err_set(err, ERR_PARTIAL,
				       "QEMU did not say whether it made '%s' and '%s'",
				       dimm->request.backend_id, dimm->request.device_id);
	}
	return 0;
}

/* Has a kernel that sends no ACPI answer given a DIMM up by itself? */
static bool is_given_up(const struct view *v, const struct leaving *leaving, unsigned count)
{
	unsigned i;

	for (i = 0; v->has_guest && !v->machine.has_acpi_ost && i < count; i++) {
		const struct memdev *d = &leaving[i].device;
		struct block_list shown = view_found_blocks(v, view_now(v), d);
		uint64_t bytes = block_list_blocks(&shown) * v->before.block_size_bytes;

		block_list_free(&shown);
		if (bytes < d->size_bytes)
			return true;
	}
	return false;
}

/* Unplug the DIMMs. A kernel that gave one up may not report it again. */
static int take_back(struct transaction *t, struct leaving *leaving, unsigned count,
		     struct err *err)
{
	int64_t final_ms = t->deadline->final_ms;
	int status;

	if (!is_given_up(&t->view, leaving, count))
		return hotplug_device_del(t, leaving, count, err);
	t->deadline->final_ms = deadline_within(t->deadline, TAKE_BACK_MS);
	status = hotplug_device_del(t, leaving, count, err);
	t->deadline->final_ms = final_ms;
	if (status && err->code == ERR_TIMEOUT)
		return err_set(err, ERR_PARTIAL,
			       "the guest, which has not added it, does not let go of it");
	return status;
}

static int detach_devices(struct transaction *t, struct plug *plug, struct err *err)
{
	struct leaving *leaving = NULL;
	unsigned i, count = 0;
	int status = 0;

	for (i = 0; i < plug->dimms_count; i++) {
		struct plug_dimm *dimm = &plug->dimms[i];
		const struct memdev *d = dimm->is_device_there && !plug_is_kept(plug, dimm)
						 ? plug_device(&t->view, dimm)
						 : NULL;

		dimm->is_device_there &= plug_is_kept(plug, dimm);
		if (d)
			leaving_add(&leaving, &count, d);
	}
	if (count && take_back(t, leaving, count, err))
		status = err_wrap(err, "'%s'%s may still be plugged",
				  memdev_name(&leaving[0].device), count > 1 ? " and others" : "");
	leaving_free(&leaving, &count);
	return status;
}

static int remove_objects(struct transaction *t, struct plug *plug, struct err *err)
{
	unsigned i;

	if (plug_count_kept(plug))
		mem_file_free(&plug->file);
	mem_file_identify(&plug->file, plug->dimms[0].is_object_there, t->deadline);
	for (i = 0; i < plug->dimms_count; i++) {
		struct plug_dimm *dimm = &plug->dimms[i];

		if (!dimm->is_object_there || plug_is_kept(plug, dimm))
			continue;
		if (transaction_request(t, machine_request_object_del(dimm->request.backend_id),
					err))
			return err_wrap(err, "the backend '%s' is left", dimm->request.backend_id);
		dimm->is_object_there = false;
	}
	return mem_file_remove(&plug->file, t->deadline, err);
}

/* The first DIMM that is to be removed from QEMU, or NULL. */
static const struct plug_dimm *first_device(const struct plug *plug)
{
	unsigned i;

	for (i = 0; i < plug->dimms_count; i++)
		if (plug->dimms[i].is_device_there && !plug_is_kept(plug, &plug->dimms[i]))
			return &plug->dimms[i];
	return NULL;
}

int plug_detach(struct transaction *t, void *job, struct err *err)
{
	struct plug *plug = job;
	const struct plug_dimm *first;

	if (collect_replies(t, plug, err))
		return -1;
	first = first_device(plug);
	if (first && machine_query_devices(&t->view.machine, t->view.qmp, err))
		return err_wrap(err, "'%s' may still be plugged", first->request.device_id);
	if (detach_devices(t, plug, err) || remove_objects(t, plug, err))
		return -1;
	if (plug_count_kept(plug))
		t->outcome = OUTCOME_PARTIAL;
	return 0;
}

void plug_leave(struct transaction *t, void *job)
{
	struct plug *plug = job;

	mem_file_clean_up(&plug->file, t->deadline);
}
