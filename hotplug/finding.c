/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Find what was left half done. */
#include <stdlib.h>
#include <string.h>

#include "hotplug/finding.h"
#include "lib/util.h"
#include "qemu/device-event.h"

void findings_free(struct findings *f)
{
	unsigned i;

	for (i = 0; i < f->count; i++)
		free(f->list[i].id);
	free(f->list);
	*f = (struct findings){ 0 };
}

static void add(struct findings *f, enum finding_kind kind, enum finding_action action,
		const char *id)
{
	f->list = xgrow(f->list, f->count, sizeof(*f->list));
	f->list[f->count++] = (struct finding){ .kind = kind, .action = action, .id = xstrdup(id) };
}

void findings_add(struct findings *f, const struct finding *finding)
{
	unsigned i = 0;

	while (i < f->count && strcmp(f->list[i].id, finding->id) != 0)
		i++;
	if (i == f->count) {
		add(f, finding->kind, finding->action, finding->id);
		return;
	}
	f->list[i].kind = finding->kind;
	f->list[i].action = finding->action;
}

bool findings_equal(const struct findings *a, const struct findings *b)
{
	unsigned i;

	for (i = 0; i < a->count && i < b->count; i++)
		if (a->list[i].kind != b->list[i].kind || a->list[i].action != b->list[i].action ||
		    strcmp(a->list[i].id, b->list[i].id) != 0)
			return false;
	return a->count == b->count;
}

unsigned findings_due(const struct findings *f)
{
	unsigned i, due = 0;

	for (i = 0; i < f->count; i++)
		due += f->list[i].action != ACTION_NONE;
	return due;
}

bool findings_is_absent(const struct finding *f)
{
	return f->kind == FINDING_ABSENT || f->kind == FINDING_SHORT;
}

static bool has_device(const struct machine *m, const char *backend)
{
	unsigned i;

	for (i = 0; i < m->devices_count; i++)
		if (m->devices[i].backend && !strcmp(m->devices[i].backend, backend))
			return true;
	return false;
}

/* A backend without a device may be the VM's boot memory: then it is mapped. */
static int find_backends(const struct transaction *t, struct findings *f, bool is_all,
			 struct err *err)
{
	_cleanup_free_ char *map = NULL;
	unsigned i;

	for (i = 0; i < t->view.machine.backends_count; i++) {
		const char *id = t->view.machine.backends[i];
		const char *suffix = strrchr(id, '-');
		bool is_ours = suffix && !strcmp(suffix, "-mem");

		if (has_device(&t->view.machine, id))
			continue;
		if (!map && machine_query_map(t->view.qmp, &map, err))
			return -1;
		/* the map can be long and the backends many */
		if (deadline_poll(t->deadline, NULL, 0, monotonic_ms(), err) < 0)
			return -1;
		if (!machine_map_has(map, id))
			add(f, FINDING_BACKEND, is_ours || is_all ? ACTION_REMOVE : ACTION_NONE,
			    id);
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

/* What to do about an unused device: those from QEMU's command line belong to the user. */
static enum finding_action unplug_action(const struct memdev *d, bool is_all)
{
	return d->is_hotplugged || is_all ? ACTION_UNPLUG : ACTION_NONE;
}

/* A device that the guest has added but whose blocks are offline. */
static void find_offline(struct findings *f, const struct memdev *d, uint64_t online, bool is_back)
{
	add(f, online ? FINDING_PARTLY : FINDING_OFFLINE,
	    is_back && memdev_is_dimm(d) ? ACTION_UNPLUG : ACTION_ONLINE, memdev_name(d));
}

/* A DIMM with missing blocks, or a device with offline blocks. */
static void find_blocks(const struct view *v, struct findings *f, const struct memdev *d,
			bool is_back, bool is_all)
{
	struct block_list found = view_found_blocks(v, &v->before, d);
	uint64_t shown = block_list_blocks(&found), online = count_online(&found);
	enum added added = view_added(v, &v->before, d);
	bool is_ours = memdev_is_virtio_mem(d) || (memdev_is_dimm(d) && d->is_hotplugged);

	block_list_free(&found);
	if (added == ADDED_NOT)
		add(f, FINDING_ABSENT, unplug_action(d, is_all), memdev_name(d));
	else if (added == ADDED_PARTLY && (!online || is_back))
		add(f, FINDING_SHORT, unplug_action(d, is_all), memdev_name(d));
	else if (added == ADDED_PARTLY)
		add(f, FINDING_SHORT, online < shown && is_ours ? ACTION_ONLINE : ACTION_NONE,
		    memdev_name(d));
	else if (online < shown && is_ours)
		find_offline(f, d, online, is_back);
}

/* Which unused DIMMs is the guest about to release? Only ACPI keeps that. */
static int find_pending(const struct view *v, struct findings *f, struct err *err)
{
	_cleanup_json_ struct json_object *slots = NULL;
	unsigned i;

	for (i = 0; i < f->count; i++) {
		struct finding *finding = &f->list[i];
		const struct memdev *d = machine_device(&v->machine, finding->id);

		if (!d || !memdev_is_dimm(d) || !v->machine.has_acpi_ost ||
		    (finding->kind != FINDING_OFFLINE && !findings_is_absent(finding)))
			continue;
		if (!slots && qmp_execute(v->qmp, "query-acpi-ospm-status", NULL, &slots, err))
			return err_wrap(err, "cannot ask QEMU (query-acpi-ospm-status)");
		if (!device_event_is_pending(slots, d))
			continue;
		finding->kind = FINDING_PENDING;
		finding->action = ACTION_UNPLUG;
	}
	return 0;
}

int findings_collect(struct findings *f, const struct transaction *t,
		     enum repair_direction direction, bool is_all, struct err *err)
{
	unsigned i;

	findings_free(f);
	for (i = 0; i < t->view.machine.devices_count; i++) {
		const struct memdev *d = &t->view.machine.devices[i];

		if (!d->handle)
			continue;
		if (memdev_is_virtio_mem(d) && d->requested_bytes != d->size_bytes)
			add(f, FINDING_SIZE,
			    direction == REPAIR_FORWARD ? ACTION_RESIZE : ACTION_ACCEPT_SIZE,
			    memdev_name(d));
		if (t->view.has_guest)
			find_blocks(&t->view, f, d, direction == REPAIR_BACK, is_all);
	}
	return find_pending(&t->view, f, err) || find_backends(t, f, is_all, err) ? -1 : 0;
}
