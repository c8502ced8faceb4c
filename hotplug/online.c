/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The guest's half of a plug: the blocks of its DIMMs appear, go online, and on undo offline
 * again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest/by-hand.h"
#include "hotplug/ask.h"
#include "hotplug/blocks.h"
#include "hotplug/online.h"
#include "lib/util.h"
#include "qemu/device-event.h"

/* A booting guest sends no OST: after this its blocks are read instead. Between many DIMMs a guest
 * may be silent for longer. */
#define OST_MS	    1000
#define OST_EACH_MS 25

/* The events to wait for: the guest's answer to any DIMM of the round. */
struct answers {
	const struct transaction *t;
	struct plug *plug;
	const struct plug_dimm *refused;
	char why[128];
};

static bool is_awaited(const struct plug_dimm *dimm)
{
	return !dimm->is_failed && !dimm->is_inserted;
}

/* The DIMM of the round that an event is about, and its device in QEMU; NULL: none. */
static struct plug_dimm *dimm_of(const struct answers *a, const char *name,
				 struct json_object *data, const struct memdev **d)
{
	const struct machine *m = &a->t->view.machine;
	struct device_event_subject subject;
	unsigned i, j;

	if (!device_event_subject(name, data, &subject))
		return NULL;
	for (i = 0; i < m->devices_count; i++) {
		*d = &m->devices[i];
		if (!(*d)->id || !device_event_is_about(&subject, *d))
			continue;
		for (j = a->plug->from; j < a->plug->to; j++)
			if (!strcmp(a->plug->dimms[j].request.device_id, (*d)->id))
				return &a->plug->dimms[j];
	}
	return NULL;
}

static bool is_answer(const char *name, struct json_object *data, void *context)
{
	struct answers *a = context;
	const struct memdev *d;
	struct plug_dimm *dimm = dimm_of(a, name, data, &d);
	enum device_event event;

	if (!dimm || !is_awaited(dimm))
		return false;
	event = device_event_read(name, data, d, false, a->why, sizeof(a->why));
	dimm->is_inserted |= event == DEVICE_EVENT_INSERTED;
	dimm->is_failed |= event == DEVICE_EVENT_REFUSED;
	if (event == DEVICE_EVENT_REFUSED)
		a->refused = dimm;
	return event != DEVICE_EVENT_NONE;
}

static bool is_answered(const struct plug *plug)
{
	unsigned i;

	for (i = plug->from; i < plug->to; i++)
		if (is_awaited(&plug->dimms[i]))
			return false;
	return true;
}

/* Wait for the guest's answers to the DIMMs while they keep coming; without one, its blocks
 * tell. */
static int wait_answers(struct transaction *t, struct plug *plug, int64_t patience_ms,
			struct err *err)
{
	int ready = 1;

	plug_expect(t, plug, STAGE_INSERTED);
	while (ready > 0 && !is_answered(plug)) {
		struct answers a = { .t = t, .plug = plug };
		_cleanup_json_ struct json_object *event = NULL;

		ready = qmp_wait_event(t->view.qmp, is_answer, &a,
				       deadline_within(t->deadline, patience_ms), &event, err);
		plug_show(t, plug, STAGE_INSERTED);
		if (!a.refused)
			continue;
		err_set(err, ERR_GUEST_REFUSED, "the guest does not take '%s': %s",
			a.refused->request.device_id, a.why);
		if (plug_fail(plug, err))
			return -1;
	}
	return ready < 0 ? -1 : 0;
}

int plug_appear(struct transaction *t, void *job, struct err *err)
{
	struct plug *plug = job;
	int64_t patience_ms = OST_MS + (int64_t)OST_EACH_MS * (plug->to - plug->from);

	if (t->view.machine.has_acpi_ost && wait_answers(t, plug, patience_ms, err))
		return plug_stop(plug, err);
	return 0;
}

/* The blocks of this round's DIMMs: of those that the guest has not reported as taken (@is_waited),
 * or else of those for @zone. The caller frees the list. */
static struct block_list round_blocks(const struct plug *plug, bool is_waited, enum zone zone)
{
	struct block_list list = { 0 };
	unsigned i;

	for (i = plug->from; i < plug->to; i++) {
		const struct plug_dimm *dimm = &plug->dimms[i];

		if (dimm->has_blocks && !dimm->is_failed &&
		    (is_waited ? !dimm->is_inserted : dimm->zone == zone))
			block_list_add(&list, &dimm->blocks);
	}
	block_list_sort(&list);
	return list;
}

/* List the blocks to read back: those plugged so far. True if all must be read: before another
 * round, or if a DIMM's blocks are unknown. The caller frees the list. */
static bool is_read_back_whole(const struct plug *plug, struct block_list *list)
{
	bool is_whole = plug->to < plug->dimms_count;
	unsigned i;

	for (i = 0; i < plug->to; i++) {
		is_whole |= !plug->dimms[i].has_blocks;
		block_list_add(list, &plug->dimms[i].blocks);
	}
	return is_whole;
}

static void add_zone(struct block_change *c, const struct plug *plug, enum zone zone)
{
	struct block_list list = round_blocks(plug, false, zone);

	block_change_add(c, &list, BLOCK_ONLINE, zone);
	block_list_free(&list);
}

/* The change of this round: blocks appear and go online. Those of DIMMs reported as taken need no
 * wait. @list receives the blocks to read back; the caller frees both. */
static struct block_change online_change(const struct view *v, const struct plug *plug,
					 struct block_list *list)
{
	struct block_change c = { .awaited = round_blocks(plug, true, ZONE_ANY) };

	if (plug->request.is_online_wanted) {
		add_zone(&c, plug, ZONE_KERNEL);
		add_zone(&c, plug, zone_of_others(v));
	}
	c.read_back = is_read_back_whole(plug, list) ? NULL : list;
	return c;
}

/* The DIMM's blocks as the guest shows them; the caller frees the list. */
static struct block_list found_blocks(const struct view *v, const struct plug_dimm *dimm)
{
	struct block_list wanted = { 0 }, found = { 0 };

	block_list_add(&wanted, &dimm->blocks);
	block_list_intersect(&found, &v->after.blocks, &wanted);
	block_list_free(&wanted);
	return found;
}

static int not_added(uint64_t block, struct err *err)
{
	err_set(err, ERR_GUEST_REFUSED,
		"the guest has not added the memory: it shows no 'memory%llu'",
		(unsigned long long)block);
	return err_hint(err, "the guest's dmesg may tell why; a kernel without memory hotplug, or "
			     "with acpi_no_memhotplug, adds none");
}

/* If the guest shows no block of a DIMM, report that instead of the shell's error for the write. */
static void explain_absent(const struct view *v, const struct plug *plug, struct err *err)
{
	unsigned i;

	for (i = plug->from; i < plug->to && err->code == ERR_GUEST_REFUSED; i++) {
		const struct plug_dimm *dimm = &plug->dimms[i];
		struct block_list found = found_blocks(v, dimm);
		bool is_absent = dimm->has_blocks && !dimm->is_failed && !found.count;

		block_list_free(&found);
		if (is_absent) {
			(void)not_added(dimm->blocks.first, err);
			return;
		}
	}
}

/* Are all blocks on the requested node? */
static int check_node(const struct plug *plug, const struct block_list *found, struct err *err)
{
	unsigned i;

	for (i = 0; plug->nodes && i < found->count; i++)
		if (node_map_check(plug->nodes, plug->request.node, &found->runs[i], err))
			return -1;
	return 0;
}

/* Read back: does every block of the DIMM exist, on the requested node and online in the requested
 * zone? */
static int check_dimm(const struct view *v, const struct plug *plug, struct plug_dimm *dimm,
		      struct err *err)
{
	struct block_list found = found_blocks(v, dimm);
	uint64_t block;
	bool is_absent = block_list_lacks(&found, dimm->blocks.first, dimm->blocks.last, &block);
	const struct blocks *wrong = NULL;
	char state[STATE_TEXT_MAX];
	unsigned i;

	for (i = 0; plug->request.is_online_wanted && i < found.count && !wrong; i++)
		if (!blocks_are_online(&found.runs[i]) || blocks_zone(&found.runs[i]) != dimm->zone)
			wrong = &found.runs[i];
	if (is_absent)
		(void)not_added(block, err);
	else if (wrong)
		err_set(err, ERR_GUEST_REFUSED, "'memory%llu' is %s, not %s",
			(unsigned long long)wrong->first, blocks_format_state(state, wrong),
			dimm->zone == ZONE_ANY ? "online" : sysfs_zone_word(dimm->zone));
	dimm->is_complete = !wrong && !is_absent && !check_node(plug, &found, err);
	block_list_free(&found);
	return dimm->is_complete ? 0 : -1;
}

/* Read back the whole round: all DIMMs are checked, the first error is kept. */
static int check_round(const struct view *v, struct plug *plug, struct err *err)
{
	struct err other;
	int status = 0;
	unsigned i;

	for (i = plug->from; i < plug->to; i++)
		if (!plug->dimms[i].is_failed && plug->dimms[i].has_blocks &&
		    check_dimm(v, plug, &plug->dimms[i], status ? &other : err))
			status = -1;
	return status;
}

/* 0: everything is online, or may be; 1: blocks have not appeared yet */
static int try_online(struct transaction *t, struct plug *plug, struct err *err)
{
	struct block_list list = { 0 };
	struct block_change c = online_change(&t->view, plug, &list);
	int status = blocks_change(t, &c, err);

	block_change_free(&c);
	block_list_free(&list);
	if (status > 0 && t->view.machine.has_acpi_ost && wait_answers(t, plug, 0, err))
		status = -1;
	if (status < 0 && err->code == ERR_TIMEOUT && !is_answered(plug))
		return err_wrap(err, "the guest has not shown the DIMM's blocks");
	return status;
}

static int online_round(struct transaction *t, struct plug *plug, struct err *err)
{
	int status;

	do
		status = try_online(t, plug, err);
	while (status > 0);
	if (status)
		explain_absent(&t->view, plug, err);
	return status ? -1 : check_round(&t->view, plug, err);
}

/* Did the last round complete after all, just as the time ran out? */
static bool is_late(const struct plug *plug, bool is_complete, const struct err *err)
{
	return plug->is_keep_going && is_complete && plug->to == plug->dimms_count &&
	       err->code == ERR_TIMEOUT;
}

int plug_online(struct transaction *t, void *job, struct err *err)
{
	struct plug *plug = job;

	if (online_round(t, plug, err)) {
		struct err ignored;
		bool is_complete =
			!check_round(&t->view, plug, &ignored); /* complete DIMMs may be kept */

		if (!is_late(plug, is_complete, err) && plug_fail(plug, err))
			return -1;
	}
	return plug->to < plug->dimms_count ? 1 : plug_finish(plug, err);
}

void plug_online_show(struct transaction *t, void *job)
{
	struct plug *plug = job;
	struct block_list list = { 0 };
	struct block_change c;
	unsigned i;

	plug->from = 0;
	plug->to = plug->dimms_count;
	for (i = 0; i < plug->dimms_count; i++) {
		plug->dimms[i].is_inserted =
			t->view.machine.has_acpi_ost; /* as the guest would report */
		if (!plug->dimms[i].has_blocks) {
			transaction_plan(t, "guest", by_hand_for_each(plug->request.zone));
			return;
		}
	}
	c = online_change(&t->view, plug, &list);
	blocks_change_show(t, &c);
	block_change_free(&c);
	block_list_free(&list);
}

/* Stop the current work and read what it has done: DIMMs that are complete by now may be kept. */
static int rescan(struct transaction *t, struct plug *plug, struct err *err)
{
	struct answer late = { 0 };
	struct err ignored;
	int status = hotplug_cancel(t, &late, err);

	answer_free(&late);
	if (!status)
		status = hotplug_scan(t, err);
	if (!status && plug->failure.code)
		(void)!check_round(&t->view, plug, &ignored);
	return status;
}

/* Take the blocks of the DIMMs to undo offline, as far as they exist. */
int plug_offline(struct transaction *t, void *job, struct err *err)
{
	struct plug *plug = job;
	struct block_list list = { 0 }, there = { 0 };
	char range[BLOCKS_TEXT_MAX];
	bool is_silent = rescan(t, plug, err);
	int status = is_silent ? -1 : 0;
	unsigned i;

	if (transaction_guest_has_ended(
		    t)) /* its blocks go with the DIMM, or are reported with it */
		return 0;

	for (i = 0; i < plug->to; i++)
		if (plug->dimms[i].has_blocks && !plug_is_kept(plug, &plug->dimms[i]))
			block_list_add(&list, &plug->dimms[i].blocks);
	block_list_sort(&list);
	if (!status)
		block_list_intersect(&there, &t->view.after.blocks, &list);
	if (!status && there.count)
		status = hotplug_take_offline(t, &there, err);
	if (status && transaction_guest_has_ended(t))
		status = 0;
	if (status && list.count)
		err_wrap(err,
			 is_silent ? "the guest does not say whether all of %s is offline"
				   : "some of %s may not be offline",
			 blocks_format(range, list.runs[0].first, list.runs[list.count - 1].last));
	block_list_free(&list);
	block_list_free(&there);
	return status ? -1 : 0;
}
