/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The job "plug": a backend, a DIMM, its blocks in the guest, online in their zone. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hotplug.h"
#include "size.h"
#include "util.h"
#include "verdict.h"

#define OST_MS 1000 /* a guest that boots sends no OST: then look at its blocks instead */
#define TAKE_BACK_MS                                                                               \
	5000 /* a guest that has given the DIMM up on its own gets so long to let go               \
	      */
#define APPEAR_MS                                                                                  \
	2000 /* with less than this left, a look at the guest does not wait for blocks             \
	      */

void plug_release(struct plug *plug)
{
	dimm_request_release(&plug->dimm);
}

static void choose_zone(const struct hotplug *h, struct plug *plug)
{
	plug->zone_taken = plug->zone;
	if (plug->zone == ZONE_AUTO && h->has_guest)
		plug->zone_taken = hotplug_choose_zone(
			&h->before, plug->size_bytes, plug->zone_reason, sizeof(plug->zone_reason));
}

static void predict(const struct hotplug *h, struct plug *plug)
{
	uint64_t address = plug->address;

	if (!h->has_guest || (!plug->has_address &&
			      !machine_predict_address(&h->machine, plug->size_bytes, &address)))
		return;
	plug->has_prediction = sysfs_blocks_of(address, plug->size_bytes,
					       h->before.block_size_bytes, &plug->blocks);
}

static struct block_list list_of(const struct blocks *run)
{
	struct block_list list = { 0 };

	block_list_add(&list, run);
	return list;
}

/* Read the reply to object-add, device_add or query-memory-devices, whichever is @i. */
static int read_reply(struct hotplug *h, struct plug *plug, unsigned i, struct err *err)
{
	_cleanup_json_ struct json_object *reply = NULL;
	uint64_t id = plug->ids[i];

	if (!id)
		return 0;
	if (qmp_receive(h->vm->qmp, id, &reply, err)) {
		if (err->code == ERR_QEMU_REFUSED)
			plug->ids[i] = 0;
		return -1;
	}
	plug->ids[i] = 0;
	plug->is_object_there |= i == 0;
	plug->is_device_there |= i == 1;
	return i == 2 ? machine_read_devices(&h->machine, reply, err) : 0;
}

static int attach(struct hotplug *h, struct err *err)
{
	struct plug *plug = h->job;
	struct qmp *q = h->vm->qmp;
	unsigned i;

	plug->is_sent = true;
	if (qmp_send(q, machine_request_object_add(&plug->dimm), &plug->ids[0], err) ||
	    qmp_send(q, machine_request_device_add(&plug->dimm), &plug->ids[1], err) ||
	    qmp_send(q, qmp_request("query-memory-devices", NULL), &plug->ids[2], err))
		return -1;
	for (i = 0; i < 3; i++)
		if (read_reply(h, plug, i, err))
			return err_wrap(err, i == 0   ? "QEMU makes no backend"
					     : i == 1 ? "QEMU takes no DIMM"
						      : "cannot read the DIMM back");
	plug->device = (struct memdev *)machine_device(&h->machine, plug->dimm.device_id);
	if (!plug->device || plug->device->size_bytes != plug->size_bytes ||
	    !(plug->device->has & MEMDEV_HAS_ADDRESS))
		return err_set(err, ERR_FAILED, "QEMU does not list '%s' as it was asked for",
			       plug->dimm.device_id);
	if (!h->has_guest)
		return 0;
	plug->has_blocks = sysfs_blocks_of(plug->device->address, plug->size_bytes,
					   h->before.block_size_bytes, &plug->blocks);
	if (!plug->has_blocks)
		return err_set(err, ERR_FAILED,
			       "QEMU put the DIMM at 0x%llx, inside a memory block",
			       (unsigned long long)plug->device->address);
	return 0;
}

static void attach_show(struct hotplug *h)
{
	struct plug *plug = h->job;

	hotplug_plan_request(h, machine_request_object_add(&plug->dimm));
	hotplug_plan_request(h, machine_request_device_add(&plug->dimm));
}

/* What the guest shows of the DIMM's blocks; the caller releases it. */
static struct block_list found_blocks(const struct hotplug *h, const struct plug *plug)
{
	struct block_list wanted = list_of(&plug->blocks), found = { 0 };

	block_list_intersect(&found, &h->after.blocks, &wanted);
	block_list_release(&wanted);
	return found;
}

static uint64_t blocks_wanted(const struct plug *plug)
{
	return plug->blocks.last - plug->blocks.first + 1;
}

static bool is_complete(const struct hotplug *h, const struct plug *plug)
{
	struct block_list found = found_blocks(h, plug);
	uint64_t blocks = block_list_blocks(&found);

	block_list_release(&found);
	return blocks == blocks_wanted(plug);
}

/* Replies that were not waited for tell what is there to be undone. */
static void collect_replies(struct hotplug *h, struct plug *plug)
{
	struct err ignored;
	unsigned i;

	for (i = 0; i < 2; i++)
		if (plug->ids[i])
			(void)!read_reply(h, plug, i, &ignored);
}

/* Have the DIMM released. A kernel that gave it up by itself may have no more to say about it. */
static int take_back(struct hotplug *h, const struct plug *plug, struct leaving *leaving,
		     struct err *err)
{
	int64_t final_ms = h->deadline->final_ms;
	int status;

	if (h->machine.has_acpi_ost || !h->has_guest || is_complete(h, plug))
		return hotplug_release_devices(h, leaving, 1, err);
	h->deadline->final_ms = deadline_within(h->deadline, TAKE_BACK_MS);
	status = hotplug_release_devices(h, leaving, 1, err);
	h->deadline->final_ms = final_ms;
	if (status && err->code == ERR_TIMEOUT)
		return err_set(err, ERR_PARTIAL,
			       "the guest, which has not added it, does not let go of it");
	return status;
}

static int detach(struct hotplug *h, struct err *err)
{
	struct plug *plug = h->job;
	struct leaving leaving = { 0 };

	if (!plug->is_sent)
		return 0;
	collect_replies(h, plug);
	if (plug->ids[0] || plug->ids[1])
		return err_set(err, ERR_PARTIAL, "QEMU did not say whether it made '%s' and '%s'",
			       plug->dimm.backend_id, plug->dimm.device_id);
	if (plug->is_device_there) {
		if (machine_query_devices(&h->machine, h->vm->qmp, err))
			return err_wrap(err, "'%s' may still be plugged", plug->dimm.device_id);
		leaving.device = machine_device(&h->machine, plug->dimm.device_id);
		if (leaving.device && take_back(h, plug, &leaving, err))
			return err_wrap(err, "'%s' is still plugged", plug->dimm.device_id);
		plug->is_device_there = false;
		plug->device = NULL;
	}
	if (plug->is_object_there &&
	    hotplug_request(h, machine_request_object_del(plug->dimm.backend_id), err))
		return err_wrap(err, "the backend '%s' is left", plug->dimm.backend_id);
	plug->is_object_there = false;
	return 0;
}

static bool is_answer(const char *name, struct json_object *data, void *context)
{
	struct plug *plug = context;
	char why[128];

	switch (verdict_read(name, data, plug->device, false, why, sizeof(why))) {
	case VERDICT_INSERTED:
		plug->is_inserted = true;
		return true;
	case VERDICT_REFUSED:
		snprintf(plug->refusal, sizeof(plug->refusal), "%s", why);
		return true;
	default:
		return false;
	}
}

/* Wait for the guest's answer to the DIMM, at most until @until_ms: without one its blocks will
 * tell. */
static int wait_answer(struct hotplug *h, struct plug *plug, int64_t until_ms, struct err *err)
{
	_cleanup_json_ struct json_object *event = NULL;

	if (qmp_wait_event(h->vm->qmp, is_answer, plug, until_ms, &event, err) < 0)
		return -1;
	if (plug->refusal[0])
		return err_set(err, ERR_GUEST_REFUSED, "the guest does not take the DIMM: %s",
			       plug->refusal);
	return 0;
}

static int appear(struct hotplug *h, struct err *err)
{
	struct plug *plug = h->job;

	if (!h->machine.has_acpi_ost)
		return 0;
	return wait_answer(h, plug, deadline_within(h->deadline, OST_MS), err);
}

/* "appear 1 32-35&&swift online_movable 32-35;scan", without "appear" when the guest has said it
 * took them */
static char *online_words(const struct hotplug *h, const struct plug *plug, bool is_swift)
{
	struct block_list list = list_of(&plug->blocks);
	_cleanup_free_ char *online =
		is_swift ? hotplug_swift_words(&list, plug->zone_taken)
			 : hotplug_raise_words(h, &list, plug->zone_taken, false);
	_cleanup_buf_ struct buf words = { 0 };

	block_list_release(&list);
	if (!plug->is_inserted)
		buf_addf(&words, "appear %d %llu-%llu&&",
			 deadline_left_ms(h->deadline) >= APPEAR_MS,
			 (unsigned long long)plug->blocks.first,
			 (unsigned long long)plug->blocks.last);
	buf_addf(&words, "%s;scan", plug->is_online_wanted && online ? online : ":");
	return xstrdup(words.data);
}

/* Read back: every block of the DIMM is there, and online in the zone that was asked for. */
static int check_online(const struct hotplug *h, const struct plug *plug, struct err *err)
{
	struct block_list found = found_blocks(h, plug);
	uint64_t block = plug->blocks.first;
	const struct blocks *wrong = NULL;
	unsigned i;

	while (block <= plug->blocks.last && block_list_has(&found, block))
		block++;
	for (i = 0; plug->is_online_wanted && i < found.count && !wrong; i++)
		if (!blocks_are_online(&found.runs[i]) ||
		    blocks_zone(&found.runs[i]) != plug->zone_taken)
			wrong = &found.runs[i];
	if (block <= plug->blocks.last)
		err_set(err, ERR_GUEST_REFUSED,
			"the guest has not added the memory: it shows no 'memory%llu'",
			(unsigned long long)block);
	else if (wrong)
		err_set(err, ERR_GUEST_REFUSED, "'memory%llu' is %s in zone '%s', not %s",
			(unsigned long long)wrong->first, wrong->state, wrong->zones,
			sysfs_zone_word(plug->zone_taken));
	i = wrong || block <= plug->blocks.last;
	block_list_release(&found);
	return i ? -1 : 0;
}

/* One round trip; 0: all is online, or may be after the long way; 1: the blocks are not there yet.
 */
static int try_online(struct hotplug *h, struct plug *plug, bool is_swift, struct err *err)
{
	_cleanup_free_ char *words = online_words(h, plug, is_swift);
	int status = hotplug_guest(h, words, "bring", "online", err);

	if (status > 0 && wait_answer(h, plug, 0, err))
		status = -1;
	if (status < 0 && err->code == ERR_TIMEOUT && !plug->is_inserted)
		return err_wrap(err, "the guest has not shown the DIMM's blocks");
	return status;
}

static int online(struct hotplug *h, struct err *err)
{
	struct plug *plug = h->job;
	struct err ignored;
	int status;

	do
		status = try_online(h, plug, true, err);
	while (status > 0);
	if (!status && is_complete(h, plug) && check_online(h, plug, &ignored))
		status = try_online(h, plug, false, err);
	return status ? -1 : check_online(h, plug, err);
}

static void online_show(struct hotplug *h)
{
	struct plug *plug = h->job;

	if (!h->has_guest)
		return;
	plug->is_inserted = h->machine.has_acpi_ost; /* as the guest would say */
	if (plug->has_prediction)
		hotplug_plan(h, "guest", online_words(h, plug, true));
	else if (plug->is_online_wanted)
		hotplug_plan(h, "guest",
			     xasprintf("bring the DIMM's blocks online in zone %s",
				       sysfs_zone_word(plug->zone_taken)));
}

static int offline(struct hotplug *h, struct err *err)
{
	struct plug *plug = h->job;
	struct block_list list = list_of(&plug->blocks), there = { 0 };
	struct answer late = { 0 };
	int status = guest_cancel(h->vm->guest, &late, err);

	answer_release(&late);
	if (!status)
		status = hotplug_guest(h, "scan", "read", "", err);
	if (!status)
		block_list_intersect(&there, &h->after.blocks, &list);
	if (!status && there.count) {
		_cleanup_free_ char *words = hotplug_lower_words(h, &there);

		status = hotplug_guest(h, words, "take", "offline", err);
	}
	block_list_release(&list);
	block_list_release(&there);
	return status ? err_wrap(err, "the blocks of '%s' are not offline", plug->dimm.device_id)
		      : 0;
}

static const struct step host_steps[] = {
	{ "attach", attach, detach, attach_show },
};

static const struct step steps[] = {
	{ "attach", attach, detach, attach_show },
	{ "appear", appear, NULL, NULL },
	{ "online", online, offline, online_show },
};

int hotplug_plug(struct hotplug *h, struct plug *plug, struct err *err)
{
	int status;

	h->job = plug;
	h->ahead = plug->is_online_wanted ? "swift" : NULL;
	h->is_holding = plug->is_online_wanted && !h->is_dry_run;
	if (plug_check_name(plug, err))
		return -1;
	if (hotplug_look(h, LOOK_QMP | LOOK_CHANGE, err) || plug_check(h, plug, err))
		return err_wrap(err, "cannot plug '%s'", plug->size_text);
	choose_zone(h, plug);
	predict(h, plug);
	status = h->has_guest ? hotplug_execute(h, steps, ARRAY_SIZE(steps), err)
			      : hotplug_execute(h, host_steps, ARRAY_SIZE(host_steps), err);
	return status ? err_wrap(err, "cannot plug '%s'", plug->size_text) : 0;
}
