/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What was left half done, found and finished or undone. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hotplug-repair.h"
#include "util.h"

static void findings_release(struct repair *r)
{
	unsigned i;

	for (i = 0; i < r->findings_count; i++)
		free(r->findings[i].id);
	free(r->findings);
	r->findings = NULL;
	r->findings_count = 0;
}

void repair_release(struct repair *r)
{
	findings_release(r);
	change_release(&r->change);
	unplug_release(&r->unplug);
	vmem_release(&r->vmem);
}

static void add_finding(struct repair *r, enum finding_kind kind, enum finding_action action,
			const char *id)
{
	r->findings = xgrow(r->findings, r->findings_count, sizeof(*r->findings));
	r->findings[r->findings_count++] =
		(struct finding){ .kind = kind, .action = action, .id = xstrdup(id) };
}

unsigned repair_due(const struct repair *r)
{
	unsigned i, due = 0;

	for (i = 0; i < r->findings_count; i++)
		due += r->findings[i].action != ACTION_NONE;
	return due;
}

static bool has_device(const struct machine *m, const char *backend)
{
	unsigned i;

	for (i = 0; i < m->devices_count; i++)
		if (m->devices[i].backend && !strcmp(m->devices[i].backend, backend))
			return true;
	return false;
}

/* The VM's own memory has no device either: it is mapped all the same. */
static int find_backends(const struct hotplug *h, struct repair *r, struct err *err)
{
	_cleanup_free_ char *map = NULL;
	unsigned i;

	for (i = 0; i < h->machine.backends_count; i++) {
		const char *id = h->machine.backends[i];
		const char *suffix = strrchr(id, '-');
		bool is_ours = suffix && !strcmp(suffix, "-mem");

		if (has_device(&h->machine, id))
			continue;
		if (!map && machine_query_map(h->vm->qmp, &map, err))
			return -1;
		if (!machine_map_has(map, id))
			add_finding(r, FINDING_BACKEND,
				    is_ours || r->is_all ? ACTION_REMOVE : ACTION_NONE, id);
	}
	return 0;
}

static uint64_t count_online(const struct block_list *list)
{
	uint64_t blocks = 0;
	unsigned i;

	for (i = 0; i < list->count; i++)
		if (blocks_are_online(&list->runs[i]))
			blocks += list->runs[i].last - list->runs[i].first + 1;
	return blocks;
}

/* A DIMM whose blocks are not all there, or not all online. */
static void find_blocks(const struct hotplug *h, struct repair *r, const struct memdev *d)
{
	struct block_list found = hotplug_found_blocks(h, &h->before, d);
	uint64_t shown = block_list_blocks(&found), online = count_online(&found);
	struct blocks whole;
	bool is_dimm = memdev_is_dimm(d);

	if (!hotplug_device_blocks(h, d, &whole))
		whole = (struct blocks){ .first = 1 }; /* none */
	if (is_dimm && shown < whole.last - whole.first + 1)
		add_finding(r, FINDING_ABSENT, ACTION_UNPLUG, memdev_name(d));
	else if (online < shown)
		add_finding(r, online ? FINDING_PARTLY : FINDING_OFFLINE,
			    r->direction == REPAIR_BACK && is_dimm ? ACTION_UNPLUG : ACTION_ONLINE,
			    memdev_name(d));
	block_list_release(&found);
}

int repair_find(const struct hotplug *h, struct repair *r, struct err *err)
{
	unsigned i;

	findings_release(r);
	for (i = 0; i < h->machine.devices_count; i++) {
		const struct memdev *d = &h->machine.devices[i];

		if (!d->handle)
			continue;
		if (memdev_is_virtio_mem(d) && d->requested_bytes != d->size_bytes)
			add_finding(r, FINDING_SIZE,
				    r->direction == REPAIR_FORWARD ? ACTION_RESIZE : ACTION_SETTLE,
				    memdev_name(d));
		if (h->has_guest &&
		    (memdev_is_virtio_mem(d) || (memdev_is_dimm(d) && d->is_hotplugged)))
			find_blocks(h, r, d);
	}
	return find_backends(h, r, err);
}

static void add_online(const struct hotplug *h, struct repair *r, const struct memdev *d)
{
	struct block_list found = hotplug_found_blocks(h, &h->before, d);
	unsigned i;

	for (i = 0; i < found.count; i++)
		if (blocks_are_offline(&found.runs[i]))
			block_list_add(&r->change.blocks, &found.runs[i]);
	block_list_release(&found);
}

static int prepare_device(struct hotplug *h, struct repair *r, const struct finding *f,
			  struct err *err)
{
	const struct memdev *d = machine_device(&h->machine, f->id);

	if (!d)
		return err_set(err, ERR_FAILED, "'%s' has gone meanwhile", f->id);
	switch (f->action) {
	case ACTION_ONLINE:
		add_online(h, r, d);
		return 0;
	case ACTION_UNPLUG:
		return unplug_add(&r->unplug, d, err);
	case ACTION_SETTLE:
		vmem_add(h, &r->vmem, d, d->size_bytes);
		return 0;
	case ACTION_RESIZE:
		vmem_add(h, &r->vmem, d, d->requested_bytes);
		return 0;
	case ACTION_NONE:
	case ACTION_REMOVE:
		break;
	}
	return 0;
}

static int remove_backends(struct hotplug *h, void *job, struct err *err)
{
	const struct repair *r = job;
	unsigned i;

	for (i = 0; i < r->findings_count; i++)
		if (r->findings[i].action == ACTION_REMOVE &&
		    hotplug_request(h, machine_request_object_del(r->findings[i].id), err))
			return err_wrap(err, "the backend '%s' is left", r->findings[i].id);
	return 0;
}

static void remove_show(struct hotplug *h, void *job)
{
	const struct repair *r = job;
	unsigned i;

	for (i = 0; i < r->findings_count; i++)
		if (r->findings[i].action == ACTION_REMOVE)
			hotplug_plan_request(h, machine_request_object_del(r->findings[i].id));
}

/* What is repaired stays, also when something else cannot be. */
static int settle(struct hotplug *h, void *job, struct err *err)
{
	(void)job, (void)err;
	hotplug_settle(h);
	return 0;
}

static const struct step remove_steps[] = { { "remove", remove_backends, NULL, remove_show } };
static const struct step settle_steps[] = { { "settle", settle, NULL, NULL } };

static bool has_removals(const struct repair *r)
{
	unsigned i;

	for (i = 0; i < r->findings_count; i++)
		if (r->findings[i].action == ACTION_REMOVE)
			return true;
	return false;
}

static int prepare(struct hotplug *h, struct repair *r, struct err *err)
{
	unsigned i;

	for (i = 0; i < r->findings_count; i++)
		if (r->findings[i].kind != FINDING_BACKEND &&
		    prepare_device(h, r, &r->findings[i], err))
			return -1;
	if (has_removals(r)) {
		hotplug_add_steps(h, remove_steps, ARRAY_SIZE(remove_steps), r);
		hotplug_add_steps(h, settle_steps, ARRAY_SIZE(settle_steps), r);
	}
	if (r->vmem.units_count) {
		vmem_prepare(h, &r->vmem);
		hotplug_add_steps(h, settle_steps, ARRAY_SIZE(settle_steps), r);
	}
	if (r->change.blocks.count) {
		change_prepare(h, &r->change);
		hotplug_add_steps(h, settle_steps, ARRAY_SIZE(settle_steps), r);
	}
	return r->unplug.leaving_count ? unplug_prepare(h, &r->unplug, err) : 0;
}

int hotplug_repair(struct hotplug *h, struct repair *r, struct err *err)
{
	h->ahead = "change";
	r->change.is_online = true;
	if (!hotplug_look(h, LOOK_QMP | LOOK_CHANGE, err) && !repair_find(h, r, err) &&
	    (!repair_due(r) || !prepare(h, r, err)) && !hotplug_execute(h, err))
		return 0;
	return err_wrap(err, "cannot repair");
}
