/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What was left half done, found. */
#include <stdlib.h>
#include <string.h>

#include "hotplug-finding.h"
#include "util.h"
#include "verdict.h"

void findings_release(struct findings *f)
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

static bool has_device(const struct machine *m, const char *backend)
{
	unsigned i;

	for (i = 0; i < m->devices_count; i++)
		if (m->devices[i].backend && !strcmp(m->devices[i].backend, backend))
			return true;
	return false;
}

/* The VM's own memory has no device either: it is mapped all the same. */
static int find_backends(const struct hotplug *h, struct findings *f, bool is_all, struct err *err)
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
		/* the map may be long, and the backends many */
		if (deadline_poll(h->deadline, NULL, 0, monotonic_ms(), err) < 0)
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

/* A DIMM whose blocks are not all there, or not all online. */
static void find_blocks(const struct hotplug *h, struct findings *f, const struct memdev *d,
			bool is_back)
{
	struct block_list found = hotplug_found_blocks(h, &h->before, d);
	uint64_t shown = block_list_blocks(&found), online = count_online(&found);
	struct blocks whole;
	bool is_dimm = memdev_is_dimm(d);

	if (!hotplug_device_blocks(h, d, &whole))
		whole = (struct blocks){ .first = 1 }; /* none */
	if (is_dimm && shown < whole.last - whole.first + 1)
		add(f, FINDING_ABSENT, ACTION_UNPLUG, memdev_name(d));
	else if (online < shown)
		add(f, online ? FINDING_PARTLY : FINDING_OFFLINE,
		    is_back && is_dimm ? ACTION_UNPLUG : ACTION_ONLINE, memdev_name(d));
	block_list_release(&found);
}

/* Of DIMMs that the guest makes no use of, those that it is letting go of. Only ACPI remembers. */
static int find_pending(const struct hotplug *h, struct findings *f, struct err *err)
{
	_cleanup_json_ struct json_object *slots = NULL;
	unsigned i;

	for (i = 0; i < f->count; i++) {
		struct finding *finding = &f->list[i];
		const struct memdev *d = machine_device(&h->machine, finding->id);

		if (!d || !memdev_is_dimm(d) || !h->machine.has_acpi_ost ||
		    (finding->kind != FINDING_OFFLINE && finding->kind != FINDING_ABSENT))
			continue;
		if (!slots && qmp_execute(h->vm->qmp, "query-acpi-ospm-status", NULL, &slots, err))
			return err_wrap(err, "cannot ask QEMU (query-acpi-ospm-status)");
		if (!verdict_is_pending(slots, d))
			continue;
		finding->kind = FINDING_PENDING;
		finding->action = ACTION_UNPLUG;
	}
	return 0;
}

int findings_look(struct findings *f, const struct hotplug *h, enum repair_direction direction,
		  bool is_all, struct err *err)
{
	unsigned i;

	findings_release(f);
	for (i = 0; i < h->machine.devices_count; i++) {
		const struct memdev *d = &h->machine.devices[i];

		if (!d->handle)
			continue;
		if (memdev_is_virtio_mem(d) && d->requested_bytes != d->size_bytes)
			add(f, FINDING_SIZE,
			    direction == REPAIR_FORWARD ? ACTION_RESIZE : ACTION_SETTLE,
			    memdev_name(d));
		if (h->has_guest &&
		    (memdev_is_virtio_mem(d) || (memdev_is_dimm(d) && d->is_hotplugged)))
			find_blocks(h, f, d, direction == REPAIR_BACK);
	}
	return find_pending(h, f, err) || find_backends(h, f, is_all, err) ? -1 : 0;
}
