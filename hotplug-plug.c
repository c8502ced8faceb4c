/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The job "plug": backends, DIMMs, their blocks in the guest, online in their zone. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hotplug-guest.h"
#include "hotplug-plug.h"
#include "hotplug-release.h"
#include "util.h"
#include "verdict.h"

#define DEFAULT_NAME "memhp"
#define OST_MS	     1000 /* a guest that boots sends no OST: then look at its blocks instead */
#define APPEAR_MS                                                                                  \
	2000 /* with less than this left, a look at the guest does not wait for blocks             \
	      */

void plug_add_units(struct plug *plug, uint64_t size_bytes, unsigned count)
{
	for (; count; count--) {
		plug->units = xgrow(plug->units, plug->units_count, sizeof(*plug->units));
		plug->units[plug->units_count++] =
			(struct plug_unit){ .dimm.size_bytes = size_bytes };
	}
}

void plug_release(struct plug *plug)
{
	unsigned i;

	for (i = 0; i < plug->units_count; i++)
		dimm_request_release(&plug->units[i].dimm);
	free(plug->units);
}

const struct memdev *plug_unit_device(const struct hotplug *h, const struct plug_unit *unit)
{
	return machine_device(&h->machine, unit->dimm.device_id);
}

/* Each DIMM's size, as the checks take them; the caller frees the array. */
static uint64_t *sizes_of(const struct plug *plug)
{
	uint64_t *sizes = xcalloc(plug->units_count, sizeof(*sizes));
	unsigned i;

	for (i = 0; i < plug->units_count; i++)
		sizes[i] = plug->units[i].dimm.size_bytes;
	return sizes;
}

/*
 * The number after the highest in use behind @base: the highest is then always the one plugged
 * last, which is what "unplug" without a name takes.
 */
static uint64_t next_number(const struct machine *m, const char *base)
{
	uint64_t number = 0, used;
	unsigned i;

	for (i = 0; i < m->devices_count + m->objects_count; i++) {
		const char *id =
			i < m->devices_count ? m->devices[i].id : m->objects[i - m->devices_count];
		_cleanup_free_ char *digits = NULL;

		if (!id || strncmp(id, base, strlen(base)) != 0)
			continue;
		id += strlen(base);
		digits = xstrndup(id, strspn(id, "0123456789"));
		if (parse_u64(digits, 10, &used) && used >= number && used < UINT32_MAX)
			number = used + 1;
	}
	return number;
}

static int name_unit(const struct machine *m, struct plug_unit *unit, const char *name,
		     struct err *err)
{
	unit->dimm.backend_id = xasprintf("%s-mem", name);
	unit->dimm.device_id = xasprintf("%s-dimm", name);
	if (!machine_has_object(m, unit->dimm.backend_id) &&
	    !machine_device(m, unit->dimm.device_id))
		return 0;
	err_set(err, ERR_FAILED, "the name '%s' is in use", name);
	return err_hint(err, "see memhp list; without --name the next free one is taken");
}

/* A name that was given is a single DIMM's own, and the beginning of the names of several. */
static int name_units(const struct hotplug *h, struct plug *plug, struct err *err)
{
	const char *base = plug->request.name ? plug->request.name : DEFAULT_NAME;
	uint64_t number = next_number(&h->machine, base);
	unsigned i;

	if (plug->request.name && plug->units_count == 1)
		return name_unit(&h->machine, &plug->units[0], base, err);
	for (i = 0; i < plug->units_count; i++) {
		_cleanup_free_ char *name =
			xasprintf("%s%llu", base, (unsigned long long)number + i);

		if (name_unit(&h->machine, &plug->units[i], name, err))
			return -1;
	}
	return 0;
}

static void place_units(struct plug *plug)
{
	const struct plug_request *r = &plug->request;
	unsigned i;

	for (i = 0; i < plug->units_count; i++) {
		struct dimm_request *dimm = &plug->units[i].dimm;

		dimm->has_node = r->has_node;
		dimm->node = r->node;
		dimm->has_slot = r->has_slot;
		dimm->slot = r->slot;
		dimm->has_address = r->has_address;
		dimm->address = r->address;
	}
}

static int choose_zones(struct hotplug *h, struct plug *plug, const uint64_t *sizes,
			struct err *err)
{
	unsigned i, kernels = zone_split(h, plug->request.zone, sizes, plug->units_count,
					 plug->zone_reason);

	for (i = 0; i < plug->units_count; i++)
		plug->units[i].zone = i < kernels ? ZONE_KERNEL : ZONE_MOVABLE;
	if (!plug->request.is_online_wanted)
		kernels = 0;
	return plug_check_headroom(h, sizes, plug->units_count, kernels, err);
}

/* For the dry run: where the DIMMs would go. */
static void predict(const struct hotplug *h, struct plug *plug, const uint64_t *sizes)
{
	_cleanup_free_ uint64_t *addresses = xcalloc(plug->units_count, sizeof(*addresses));
	bool is_known = plug->request.has_address;
	unsigned i;

	if (is_known)
		addresses[0] = plug->request.address;
	else
		is_known =
			machine_predict_addresses(&h->machine, sizes, plug->units_count, addresses);
	for (i = 0; h->has_guest && is_known && i < plug->units_count; i++)
		plug->units[i].has_blocks = sysfs_blocks_of(
			addresses[i], sizes[i], h->before.block_size_bytes, &plug->units[i].blocks);
}

static int send_unit(struct hotplug *h, const struct plug *plug, struct plug_unit *unit,
		     struct err *err)
{
	struct json_object *add = backend_request(&plug->request.backend, unit->dimm.backend_id,
						  unit->dimm.size_bytes);

	return qmp_send(h->vm->qmp, add, &unit->ids[0], err) ||
			       qmp_send(h->vm->qmp, machine_request_device_add(&unit->dimm),
					&unit->ids[1], err)
		       ? -1
		       : 0;
}

/* Wait for the reply to object-add (0) or device_add (1), if it is under way. */
static int take_reply(struct hotplug *h, struct plug_unit *unit, unsigned i, struct err *err)
{
	if (!unit->ids[i])
		return 0;
	if (qmp_receive(h->vm->qmp, unit->ids[i], NULL, err)) {
		if (err->code == ERR_QEMU_REFUSED)
			unit->ids[i] = 0;
		return -1;
	}
	unit->ids[i] = 0;
	unit->is_object_there |= i == 0;
	unit->is_device_there |= i == 1;
	return 0;
}

static int take_replies(struct hotplug *h, struct plug_unit *unit, struct err *err)
{
	if (take_reply(h, unit, 0, err))
		return err_wrap(err, "QEMU makes no backend '%s'", unit->dimm.backend_id);
	if (take_reply(h, unit, 1, err))
		return err_wrap(err, "QEMU takes no DIMM '%s'", unit->dimm.device_id);
	return 0;
}

/* Something has failed: the first time is remembered when what can go on is to go on. */
static int fail(struct plug *plug, const struct err *err)
{
	if (!plug->is_keep_going || err->code == ERR_TIMEOUT || err->code == ERR_INTERRUPTED ||
	    err->code == ERR_QEMU_UNREACHABLE)
		return -1;
	if (!plug->failure.code)
		plug->failure = *err;
	return 0;
}

/* Is the DIMM in QEMU's list as it was asked for, at blocks that the guest can use? */
static int read_unit(const struct hotplug *h, struct plug_unit *unit, struct err *err)
{
	const struct memdev *d = plug_unit_device(h, unit);

	if (!d || d->size_bytes != unit->dimm.size_bytes || !(d->has & MEMDEV_HAS_ADDRESS))
		return err_set(err, ERR_FAILED, "QEMU does not list '%s' as it was asked for",
			       unit->dimm.device_id);
	if (!h->has_guest)
		return 0;
	unit->has_blocks = hotplug_device_blocks(h, d, &unit->blocks);
	if (!unit->has_blocks)
		return err_set(err, ERR_FAILED, "QEMU put '%s' at 0x%llx, inside a memory block",
			       unit->dimm.device_id, (unsigned long long)d->address);
	return 0;
}

/* Read the devices and, where that says more, the backends back. */
static int read_back(struct hotplug *h, struct plug *plug, const uint64_t *ids, struct err *err)
{
	_cleanup_json_ struct json_object *devices = NULL;
	_cleanup_json_ struct json_object *backends = NULL;
	unsigned i;

	if (qmp_receive(h->vm->qmp, ids[0], &devices, err) ||
	    machine_read_devices(&h->machine, devices, err) ||
	    (ids[1] && qmp_receive(h->vm->qmp, ids[1], &backends, err)))
		return err_wrap(err, "cannot read the DIMMs back");
	for (i = plug->from; i < plug->to; i++) {
		struct plug_unit *unit = &plug->units[i];

		if (unit->is_failed)
			continue;
		if (read_unit(h, unit, err) ||
		    (backends && backend_verify(&plug->request.backend, unit->dimm.backend_id,
						unit->dimm.size_bytes, backends, err)))
			return -1;
	}
	return 0;
}

/* Which DIMMs are next: as many as the guest has room for. */
static int choose_round(struct hotplug *h, struct plug *plug, struct err *err)
{
	_cleanup_free_ uint64_t *sizes = sizes_of(plug);
	int fitting;

	plug->from = plug->to;
	fitting = plug_count_fitting(h, sizes + plug->from, plug->units_count - plug->from, err);
	if (fitting < 0)
		return -1;
	if (!fitting)
		return plug_check_headroom(h, sizes + plug->from, 1, 0, err);
	plug->to = plug->from + (unsigned)fitting;
	return 0;
}

static int attach(struct hotplug *h, void *job, struct err *err)
{
	struct plug *plug = job;
	uint64_t ids[2] = { 0 };
	unsigned i;

	if (choose_round(h, plug, err))
		return -1;
	for (i = plug->from; i < plug->to; i++)
		if (send_unit(h, plug, &plug->units[i], err))
			return -1;
	if (qmp_send(h->vm->qmp, qmp_request("query-memory-devices", NULL), &ids[0], err) ||
	    (!backend_is_plain(&plug->request.backend) &&
	     qmp_send(h->vm->qmp, qmp_request("query-memdev", NULL), &ids[1], err)))
		return -1;
	for (i = plug->from; i < plug->to; i++) {
		struct plug_unit *unit = &plug->units[i];

		unit->is_failed = take_replies(h, unit, err);
		if (unit->is_failed && fail(plug, err))
			return -1;
	}
	return read_back(h, plug, ids, err);
}

static void attach_show(struct hotplug *h, void *job)
{
	struct plug *plug = job;
	unsigned i;

	for (i = 0; i < plug->units_count; i++) {
		const struct dimm_request *dimm = &plug->units[i].dimm;

		hotplug_plan_request(h, backend_request(&plug->request.backend, dimm->backend_id,
							dimm->size_bytes));
		hotplug_plan_request(h, machine_request_device_add(dimm));
	}
}

/* What stays although something failed: complete DIMMs, if others were to go on. */
static bool is_kept(const struct plug *plug, const struct plug_unit *unit)
{
	return plug->failure.code && unit->is_complete;
}

static unsigned count_kept(const struct plug *plug)
{
	unsigned i, kept = 0;

	for (i = 0; i < plug->units_count; i++)
		kept += is_kept(plug, &plug->units[i]);
	return kept;
}

/* Replies that were not waited for tell what is there to be undone. */
static int collect_replies(struct hotplug *h, struct plug *plug, struct err *err)
{
	struct err ignored;
	unsigned i;

	for (i = 0; i < plug->units_count; i++) {
		struct plug_unit *unit = &plug->units[i];

		(void)!take_reply(h, unit, 0, &ignored);
		(void)!take_reply(h, unit, 1, &ignored);
		if (unit->ids[0] || unit->ids[1])
			return err_set(err, ERR_PARTIAL,
				       "QEMU did not say whether it made '%s' and '%s'",
				       unit->dimm.backend_id, unit->dimm.device_id);
	}
	return 0;
}

static int detach_devices(struct hotplug *h, struct plug *plug, struct err *err)
{
	struct leaving *leaving = NULL;
	unsigned i, count = 0;
	int status = 0;

	for (i = 0; i < plug->units_count; i++) {
		struct plug_unit *unit = &plug->units[i];
		const struct memdev *d = unit->is_device_there && !is_kept(plug, unit)
						 ? plug_unit_device(h, unit)
						 : NULL;

		unit->is_device_there &= is_kept(plug, unit);
		if (d)
			leaving_add(&leaving, &count, d);
	}
	if (count && hotplug_release_devices(h, leaving, count, err))
		status = err_wrap(err, "'%s'%s may still be plugged",
				  memdev_name(leaving[0].device), count > 1 ? " and others" : "");
	leaving_release(&leaving, &count);
	return status;
}

static int remove_objects(struct hotplug *h, struct plug *plug, struct err *err)
{
	unsigned i;

	for (i = 0; i < plug->units_count; i++) {
		struct plug_unit *unit = &plug->units[i];

		if (!unit->is_object_there || is_kept(plug, unit))
			continue;
		if (hotplug_request(h, machine_request_object_del(unit->dimm.backend_id), err))
			return err_wrap(err, "the backend '%s' is left", unit->dimm.backend_id);
		unit->is_object_there = false;
	}
	return 0;
}

static bool has_devices(const struct plug *plug)
{
	unsigned i;

	for (i = 0; i < plug->units_count; i++)
		if (plug->units[i].is_device_there)
			return true;
	return false;
}

static int detach(struct hotplug *h, void *job, struct err *err)
{
	struct plug *plug = job;

	if (collect_replies(h, plug, err))
		return -1;
	if (has_devices(plug) && machine_query_devices(&h->machine, h->vm->qmp, err))
		return err_wrap(err, "'%s' may still be plugged", plug->units[0].dimm.device_id);
	if (detach_devices(h, plug, err) || remove_objects(h, plug, err))
		return -1;
	if (count_kept(plug))
		h->outcome = OUTCOME_PARTIAL;
	return 0;
}

/* What qmp_wait_event() looks for: the guest's answer to any DIMM of the round. */
struct answers {
	const struct hotplug *h;
	struct plug *plug;
	const struct plug_unit *refused;
	char why[128];
};

static bool is_awaited(const struct plug_unit *unit)
{
	return !unit->is_failed && !unit->is_inserted;
}

static bool is_answer(const char *name, struct json_object *data, void *context)
{
	struct answers *a = context;
	unsigned i;

	for (i = a->plug->from; i < a->plug->to; i++) {
		struct plug_unit *unit = &a->plug->units[i];
		const struct memdev *d = is_awaited(unit) ? plug_unit_device(a->h, unit) : NULL;
		enum verdict verdict =
			d ? verdict_read(name, data, d, false, a->why, sizeof(a->why))
			  : VERDICT_NONE;

		unit->is_inserted |= verdict == VERDICT_INSERTED;
		unit->is_failed |= verdict == VERDICT_REFUSED;
		if (verdict == VERDICT_REFUSED)
			a->refused = unit;
		if (verdict != VERDICT_NONE)
			return true;
	}
	return false;
}

static bool is_answered(const struct plug *plug)
{
	unsigned i;

	for (i = plug->from; i < plug->to; i++)
		if (is_awaited(&plug->units[i]))
			return false;
	return true;
}

/* Wait for the guest's answers to the DIMMs while they come: without one its blocks will tell. */
static int wait_answers(struct hotplug *h, struct plug *plug, int64_t patience_ms, struct err *err)
{
	int ready = 1;

	while (ready > 0 && !is_answered(plug)) {
		struct answers a = { .h = h, .plug = plug };
		_cleanup_json_ struct json_object *event = NULL;

		ready = qmp_wait_event(h->vm->qmp, is_answer, &a,
				       deadline_within(h->deadline, patience_ms), &event, err);
		if (!a.refused)
			continue;
		err_set(err, ERR_GUEST_REFUSED, "the guest does not take '%s': %s",
			a.refused->dimm.device_id, a.why);
		if (fail(plug, err))
			return -1;
	}
	return ready < 0 ? -1 : 0;
}

static int appear(struct hotplug *h, void *job, struct err *err)
{
	return h->machine.has_acpi_ost ? wait_answers(h, job, OST_MS, err) : 0;
}

/* The blocks of DIMMs of this round that are there: of those that go to @zone, or (ZONE_ANY) of
 * those that the guest has not said it took. The caller releases the list. */
static struct block_list round_blocks(const struct plug *plug, enum zone zone)
{
	struct block_list list = { 0 };
	unsigned i;

	for (i = plug->from; i < plug->to; i++) {
		const struct plug_unit *unit = &plug->units[i];

		if (unit->has_blocks && !unit->is_failed &&
		    (zone == ZONE_ANY ? !unit->is_inserted : unit->zone == zone))
			block_list_add(&list, &unit->blocks);
	}
	block_list_sort(&list);
	return list;
}

/* Add the command that brings the blocks of one zone online. */
static void add_online(const struct hotplug *h, const struct plug *plug, enum zone zone,
		       bool is_swift, struct buf *words)
{
	struct block_list list = round_blocks(plug, zone);
	_cleanup_free_ char *swift = is_swift ? hotplug_swift_words(&list, zone) : NULL;
	_cleanup_free_ char *raise = swift ? NULL : hotplug_raise_words(h, &list, zone, false);

	if (list.count)
		buf_addf(words, "%s;", swift ? swift : raise);
	block_list_release(&list);
}

/* "appear 1 32-35&&swift online_movable 32-35;scan", without "appear" where the guest has said that
 * it took the DIMMs; the caller frees it */
static char *online_words(const struct hotplug *h, const struct plug *plug, bool is_swift)
{
	struct block_list waited = round_blocks(plug, ZONE_ANY);
	struct buf words = { 0 };

	if (waited.count) {
		buf_addf(&words, "appear %d", deadline_left_ms(h->deadline) >= APPEAR_MS);
		hotplug_add_ranges(&words, &waited, false);
		buf_addf(&words, "%s", plug->request.is_online_wanted ? "&&" : ";");
	}
	if (plug->request.is_online_wanted) {
		add_online(h, plug, ZONE_KERNEL, is_swift, &words);
		add_online(h, plug, ZONE_MOVABLE, is_swift, &words);
	}
	buf_addf(&words, "scan");
	block_list_release(&waited);
	return words.data;
}

/* What the guest shows of the DIMM's blocks; the caller releases it. */
static struct block_list found_blocks(const struct hotplug *h, const struct plug_unit *unit)
{
	struct block_list wanted = { 0 }, found = { 0 };

	block_list_add(&wanted, &unit->blocks);
	block_list_intersect(&found, &h->after.blocks, &wanted);
	block_list_release(&wanted);
	return found;
}

/* Read back: every block of the DIMM is there, and online in the zone that was asked for. */
static int check_unit(const struct hotplug *h, const struct plug *plug, struct plug_unit *unit,
		      struct err *err)
{
	struct block_list found = found_blocks(h, unit);
	uint64_t block = unit->blocks.first;
	const struct blocks *wrong = NULL;
	unsigned i;

	while (block <= unit->blocks.last && block_list_has(&found, block))
		block++;
	for (i = 0; plug->request.is_online_wanted && i < found.count && !wrong; i++)
		if (!blocks_are_online(&found.runs[i]) || blocks_zone(&found.runs[i]) != unit->zone)
			wrong = &found.runs[i];
	if (block <= unit->blocks.last)
		err_set(err, ERR_GUEST_REFUSED,
			"the guest has not added the memory: it shows no 'memory%llu'",
			(unsigned long long)block);
	else if (wrong)
		err_set(err, ERR_GUEST_REFUSED, "'memory%llu' is %s in zone '%s', not %s",
			(unsigned long long)wrong->first, wrong->state, wrong->zones,
			sysfs_zone_word(unit->zone));
	unit->is_complete = !wrong && block > unit->blocks.last;
	block_list_release(&found);
	return unit->is_complete ? 0 : -1;
}

/* Read the whole round back; all units are looked at, the first error is kept. */
static int check_round(const struct hotplug *h, struct plug *plug, struct err *err)
{
	struct err other;
	int status = 0;
	unsigned i;

	for (i = plug->from; i < plug->to; i++)
		if (!plug->units[i].is_failed &&
		    check_unit(h, plug, &plug->units[i], status ? &other : err))
			status = -1;
	return status;
}

/* One round trip; 0: all is online, or may be after the long way; 1: the blocks are not there yet.
 */
static int try_online(struct hotplug *h, struct plug *plug, bool is_swift, struct err *err)
{
	_cleanup_free_ char *words = online_words(h, plug, is_swift);
	int status = hotplug_guest(h, words, "bring", "online", err);

	if (status > 0 && h->machine.has_acpi_ost && wait_answers(h, plug, 0, err))
		status = -1;
	if (status < 0 && err->code == ERR_TIMEOUT && !is_answered(plug))
		return err_wrap(err, "the guest has not shown the DIMM's blocks");
	return status;
}

static int online_round(struct hotplug *h, struct plug *plug, struct err *err)
{
	struct err ignored;
	int status;

	do
		status = try_online(h, plug, true, err);
	while (status > 0);
	if (!status && plug->request.is_online_wanted && check_round(h, plug, &ignored))
		status = try_online(h, plug, false, err);
	return status ? -1 : check_round(h, plug, err);
}

/* All rounds are over. */
static int finish(const struct plug *plug, struct err *err)
{
	if (!plug->failure.code)
		return 0;
	*err = plug->failure;
	return -1;
}

static int online(struct hotplug *h, void *job, struct err *err)
{
	struct plug *plug = job;

	if (online_round(h, plug, err)) {
		struct err ignored;

		(void)!check_round(h, plug, &ignored); /* what is complete may be kept */
		if (fail(plug, err))
			return -1;
	}
	return plug->to < plug->units_count ? 1 : finish(plug, err);
}

static void online_show(struct hotplug *h, void *job)
{
	struct plug *plug = job;
	unsigned i;

	plug->from = 0;
	plug->to = plug->units_count;
	for (i = 0; i < plug->units_count; i++) {
		plug->units[i].is_inserted = h->machine.has_acpi_ost; /* as the guest would say */
		if (!plug->units[i].has_blocks) {
			hotplug_plan(h, "guest",
				     xasprintf("bring the DIMMs' blocks online in zone %s",
					       sysfs_zone_word(plug->request.zone)));
			return;
		}
	}
	hotplug_plan(h, "guest", online_words(h, plug, true));
}

/* The blocks of what is to be undone go offline, as far as they are there. */
static int offline(struct hotplug *h, void *job, struct err *err)
{
	struct plug *plug = job;
	struct block_list list = { 0 }, there = { 0 };
	struct answer late = { 0 };
	int status = guest_cancel(h->vm->guest, &late, err);
	unsigned i;

	for (i = 0; i < plug->to; i++)
		if (plug->units[i].has_blocks && !is_kept(plug, &plug->units[i]))
			block_list_add(&list, &plug->units[i].blocks);
	block_list_sort(&list);
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
	return status ? err_wrap(err, "the blocks of '%s' are not offline",
				 plug->units[0].dimm.device_id)
		      : 0;
}

/* Without a guest the rounds end here. */
static int attach_only(struct hotplug *h, void *job, struct err *err)
{
	struct plug *plug = job;
	unsigned i;

	if (attach(h, plug, err))
		return -1;
	for (i = 0; i < plug->units_count; i++)
		plug->units[i].is_complete = !plug->units[i].is_failed;
	return finish(plug, err);
}

static const struct step host_steps[] = {
	{ "attach", attach_only, detach, attach_show },
};

static const struct step steps[] = {
	{ "attach", attach, detach, attach_show },
	{ "appear", appear, NULL, NULL },
	{ "online", online, offline, online_show },
};

int plug_prepare(struct hotplug *h, struct plug *plug, struct err *err)
{
	_cleanup_free_ uint64_t *sizes = sizes_of(plug);

	if (name_units(h, plug, err) ||
	    plug_check(h, &plug->request, sizes, plug->units_count, err) ||
	    choose_zones(h, plug, sizes, err))
		return -1;
	place_units(plug);
	if (h->is_dry_run)
		predict(h, plug, sizes);
	if (h->has_guest)
		hotplug_add_steps(h, steps, ARRAY_SIZE(steps), plug);
	else
		hotplug_add_steps(h, host_steps, ARRAY_SIZE(host_steps), plug);
	return 0;
}

int hotplug_plug(struct hotplug *h, struct plug *plug, struct err *err)
{
	h->ahead = plug->request.is_online_wanted ? "swift" : NULL;
	h->is_holding = plug->request.is_online_wanted && !h->is_dry_run;
	if (!hotplug_look(h, LOOK_QMP | LOOK_CHANGE, err) && !plug_prepare(h, plug, err) &&
	    !hotplug_execute(h, err))
		return 0;
	if (count_kept(plug)) {
		err_wrap(err, "%u of %u DIMMs are plugged", count_kept(plug), plug->units_count);
		err->code = ERR_PARTIAL;
	}
	return err_wrap(err, "cannot plug '%s'", plug->request.size_text);
}
