/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * hotplug-plug: the job "plug": backends, DIMMs, their blocks in the guest, online in their zone.
 * Several DIMMs go in together, or in rounds where the guest has no room for the memory map of all:
 * those that are online then pay for the next.
 * May call: hotplug, hotplug-*, backend, machine, verdict, sysfs, qmp, size, err, util.
 */
#ifndef HOTPLUG_PLUG_H
#define HOTPLUG_PLUG_H

#include "hotplug-check.h"
#include "hotplug-zone.h"

/* One DIMM of a plug. */
struct plug_unit {
	struct dimm_request dimm;
	enum zone zone;	      /* where its memory goes */
	struct blocks blocks; /* valid with has_blocks: foreseen, then as it is */
	bool has_blocks;
	uint64_t ids[2]; /* of object-add and device_add while unanswered; 0: not under way */
	bool is_object_there, is_device_there;
	bool is_inserted; /* the guest has said that it took the DIMM */
	bool is_failed;	  /* QEMU or the guest does not take it */
	bool is_complete; /* read back: all of it is as it was asked for */
};

struct plug {
	struct plug_request request;
	bool is_keep_going; /* what is complete stays when another DIMM fails */
	struct plug_unit *units;
	unsigned units_count;
	char zone_reason[ZONE_REASON_MAX]; /* why auto took it; "" otherwise */
	/* the round under way: units[from] to units[to - 1] */
	unsigned from, to;
	struct err failure; /* with is_keep_going: the first */
};

/* plug_add_units() - @count DIMMs of @size_bytes each, behind those that were added before */
void plug_add_units(struct plug *plug, uint64_t size_bytes, unsigned count);

/* plug_prepare() - after hotplug_look(): check, name the DIMMs, choose zones, add the steps */
int plug_prepare(struct hotplug *h, struct plug *plug, struct err *err)
	__attribute__((warn_unused_result));

/* hotplug_plug() - the whole command */
int hotplug_plug(struct hotplug *h, struct plug *plug, struct err *err)
	__attribute__((warn_unused_result));

/* plug_unit_device() - the DIMM in QEMU's list; NULL before it is there */
const struct memdev *plug_unit_device(const struct hotplug *h, const struct plug_unit *unit);

void plug_release(struct plug *plug);

#endif
