/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The job "plug": name, place and check DIMMs, then add them and bring them online. */
#include <stdio.h>
#include <stdlib.h>

#include "hotplug/attach.h"
#include "hotplug/online.h"
#include "hotplug/plug.h"
#include "lib/util.h"

#define TRIES_MAX 4 /* when another client takes the chosen name or place first */

static int name_dimm(const struct machine *m, struct plug_dimm *dimm, const char *name,
		     struct err *err)
{
	return machine_name(m, name, "dimm", &dimm->request.backend_id, &dimm->request.device_id,
			    err);
}

/* A given name is the name of a single DIMM, or the prefix for several. */
static int name_dimms(const struct view *v, struct plug *plug, struct err *err)
{
	const char *base = plug->request.name ? plug->request.name : MACHINE_DEFAULT_NAME;
	uint64_t number = machine_next_number(&v->machine, base);
	unsigned i;

	if (plug->request.name && plug->dimms_count == 1)
		return name_dimm(&v->machine, &plug->dimms[0], base, err);
	for (i = 0; i < plug->dimms_count; i++) {
		_cleanup_free_ char *name =
			xasprintf("%s%llu", base, (unsigned long long)number + i);

		if (name_dimm(&v->machine, &plug->dimms[i], name, err))
			return -1;
	}
	return 0;
}

/* The blocks are predicted only for a dry run: those of a plugged DIMM are read back. */
static void place_dimm(const struct transaction *t, struct plug_dimm *dimm,
		       const struct device_place *place)
{
	struct dimm_request *request = &dimm->request;

	request->has_address = place->is_told;
	request->address = place->address;
	dimm->has_blocks = t->is_dry_run && t->view.has_guest && place->is_known &&
			   sysfs_blocks_of(place->address, request->size_bytes,
					   t->view.before.block_size_bytes, &dimm->blocks);
}

static void place_dimms(const struct transaction *t, struct plug *plug,
			const struct device_place *places)
{
	const struct plug_request *r = &plug->request;
	unsigned i;

	for (i = 0; i < plug->dimms_count; i++) {
		struct dimm_request *request = &plug->dimms[i].request;

		request->has_node = r->has_node;
		request->node = r->node;
		request->has_slot = r->has_slot;
		request->slot = r->slot;
		place_dimm(t, &plug->dimms[i], &places[i]);
	}
}

/* A requested node is read back: the guest may number nodes differently from QEMU. A dry run
 * reports a mismatch if it can be known beforehand. */
static int read_nodes(const struct transaction *t, struct plug *plug, struct err *err)
{
	uint64_t node = plug->request.node;

	if (!plug->request.has_node)
		return 0;
	plug->nodes = xcalloc(1, sizeof(*plug->nodes));
	if (node_map_read(plug->nodes, &t->view, err) ||
	    machine_check_node(&plug->nodes->nodes, node, err))
		return -1;
	if (!t->is_dry_run || !node_map_check_request(plug->nodes, &t->view, node, err))
		return 0;
	err->code = ERR_GUEST_REFUSED; /* as the plug itself would fail */
	return -1;
}

static int choose_zones(struct transaction *t, struct plug *plug, const uint64_t *sizes,
			struct err *err)
{
	unsigned i, kernels = zone_split(t, plug->request.zone, sizes, plug->dimms_count,
					 plug->zone_reason);

	for (i = 0; i < plug->dimms_count; i++)
		plug->dimms[i].zone = i < kernels ? ZONE_KERNEL : zone_of_others(&t->view);
	if (!plug->request.is_online_wanted)
		kernels = 0;
	return plug_check_headroom(t, sizes, plug->dimms_count, kernels, err);
}

static const struct step host_steps[] = {
	{ "attach", plug_attach_only, plug_detach, plug_attach_show, plug_leave },
};

static const struct step steps[] = {
	{ "attach", plug_attach, plug_detach, plug_attach_show, plug_leave },
	{ "appear", plug_appear, NULL, NULL, NULL },
	{ "online", plug_online, plug_offline, plug_online_show, NULL },
};

int plug_prepare(struct transaction *t, struct plug *plug, struct err *err)
{
	_cleanup_free_ uint64_t *sizes = plug_sizes(plug);
	_cleanup_free_ struct device_place *places =
		xcalloc(plug->dimms_count + 1, sizeof(*places));

	if (name_dimms(&t->view, plug, err) ||
	    sharing_apply(&t->view.sharing, &t->view.machine, &plug->request.backend, err) ||
	    plug_check(t, &plug->request, sizes, plug->dimms_count, places, err) ||
	    read_nodes(t, plug, err) || choose_zones(t, plug, sizes, err))
		return -1;
	place_dimms(t, plug, places);
	if (t->view.has_guest)
		transaction_add_steps(t, steps, ARRAY_SIZE(steps), plug);
	else
		transaction_add_steps(t, host_steps, ARRAY_SIZE(host_steps), plug);
	return 0;
}

static int plug_once(struct transaction *t, struct plug *plug, struct err *err)
{
	return transaction_query(t, QUERY_QEMU | QUERY_CHANGE, err) ||
			       zone_check(&t->view, plug->request.zone, err) ||
			       plug_prepare(t, plug, err) || transaction_run(t, err)
		       ? -1
		       : 0;
}

/* Has another client taken its name, or the address chosen for it? */
static bool is_taken(const struct view *v, const struct plug *plug,
		     const struct dimm_request *request)
{
	const struct machine *m = &v->machine;

	if (!plug->request.name && request->backend_id &&
	    (machine_has_object(m, request->backend_id) || machine_device(m, request->device_id)))
		return true;
	return !plug->request.has_address && request->has_address &&
	       machine_device_in(m, request->address, request->size_bytes);
}

/* After a rollback: was another client faster to take a name or address that was free? */
static bool is_overtaken(struct transaction *t, const struct plug *plug, const struct err *err)
{
	struct err ignored;
	unsigned i;

	if ((err->code != ERR_QEMU_REFUSED && !plug->is_misplaced) ||
	    (t->outcome != OUTCOME_ROLLED_BACK && t->outcome != OUTCOME_UNCHANGED) ||
	    machine_query(&t->view.machine, t->view.qmp, &ignored))
		return false;
	if (plug->is_misplaced)
		return true;
	for (i = 0; i < plug->dimms_count; i++)
		if (is_taken(&t->view, plug, &plug->dimms[i].request))
			return true;
	return false;
}

int hotplug_plug(struct transaction *t, struct plug *plug, struct err *err)
{
	unsigned tries = 1;
	int status;

	t->view.is_adding = true;
	t->view.preload = VERB_BIT(VERB_BLOCKS);
	if (plug->request.is_online_wanted)
		t->view.preload |= VERB_BIT(VERB_ONLINE_FAST);
	t->view.extra =
		plug->request.is_online_wanted && !t->is_dry_run ? VERB_FREEZE_POLICY : VERB_NONE;
	status = plug_once(t, plug, err);
	while (status && tries++ < TRIES_MAX && is_overtaken(t, plug, err)) {
		plug_reset(plug);
		transaction_restart(t);
		status = plug_once(t, plug, err);
	}
	if (!status)
		return 0;
	if (plug_count_kept(plug))
		plug_explain_kept(plug, err);
	return err_wrap(err, "cannot plug '%s'", plug->request.size_text);
}
