/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * dimms: the DIMMs of a plug, and how far each has come.
 */
#ifndef HOTPLUG_DIMMS_H
#define HOTPLUG_DIMMS_H

#include "hotplug/check.h"
#include "hotplug/node.h"
#include "hotplug/zone.h"
#include "qemu/mem-path.h"

#define PLUG_DIMMS_MAX 1024 /* more slots than any machine has */

/* One DIMM of a plug. */
struct plug_dimm {
	struct dimm_request request;
	enum zone zone;	      /* where its memory goes */
	struct blocks blocks; /* valid with has_blocks: foreseen, then as it is */
	bool has_blocks;
	uint64_t ids[2]; /* of object-add and device_add while unanswered; 0: not under way */
	bool is_object_there, is_device_there;
	bool is_inserted; /* the guest has said that it took the DIMM */
	bool is_failed;	  /* QEMU or the guest does not take it */
	bool is_complete; /* read back: all of it is as requested */
};

/* How far a DIMM has come. */
enum plug_stage { STAGE_OBJECT, STAGE_DEVICE, STAGE_INSERTED };

struct plug {
	struct plug_request request;
	bool is_misplaced;  /* another device has come, and one of ours lies inside a block */
	bool is_keep_going; /* what is complete stays when another DIMM fails */
	struct plug_dimm *dimms;
	unsigned dimms_count;
	char zone_reason[ZONE_REASON_MAX]; /* why auto took it; "" otherwise */
	struct node_map *nodes; /* where a node was asked for, and the guest can tell; owned */
	/* the round under way: dimms[from] to dimms[to - 1] */
	unsigned from, to;
	struct err failure;   /* with is_keep_going: the first */
	struct mem_file file; /* that a --mem-path means */
};

/* plug_add_dimms() - @count DIMMs of @size_bytes each, behind those that were added before */
void plug_add_dimms(struct plug *plug, uint64_t size_bytes, unsigned count);

/* plug_reset() - all DIMMs are as they were added: nameless, and not begun */
void plug_reset(struct plug *plug);

void plug_free(struct plug *plug);

/* plug_sizes() - each DIMM's size, as the checks take them; the caller frees the array */
uint64_t *plug_sizes(const struct plug *plug);

/* plug_device() - the DIMM in QEMU's list; NULL before it is there */
const struct memdev *plug_device(const struct view *v, const struct plug_dimm *dimm);

/* plug_expect(), plug_show() - of all DIMMs, those that have come so far are the work that is
 * shown: from now on, and when one more may have */
void plug_expect(struct transaction *t, const struct plug *plug, enum plug_stage stage);
void plug_show(struct transaction *t, const struct plug *plug, enum plug_stage stage);

/*
 * plug_fail() - something has failed: the first time is remembered when what is complete is to stay
 * Return: 0 to go on; -1 to undo what is not kept: all that is not to stay, or time is up
 */
int plug_fail(struct plug *plug, const struct err *err) __attribute__((warn_unused_result));

/* plug_stop() - the same where nothing can go on; returns -1 */
int plug_stop(struct plug *plug, const struct err *err);

/* plug_finish() - all is over: 0, or -1 with what plug_fail() remembered */
int plug_finish(const struct plug *plug, struct err *err) __attribute__((warn_unused_result));

/* plug_is_kept(), plug_count_kept() - what stays although something failed: complete DIMMs, if
 * others were to go on */
bool plug_is_kept(const struct plug *plug, const struct plug_dimm *dimm);
unsigned plug_count_kept(const struct plug *plug);

/* plug_explain_kept() - after the undoing, put in front of @err which DIMMs stay, which do not, and
 * of which nobody knows */
void plug_explain_kept(const struct plug *plug, struct err *err);

#endif
