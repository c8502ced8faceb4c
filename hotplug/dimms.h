/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dimms: the DIMMs of a plug, and the stage each has reached. */
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
	struct blocks blocks; /* valid with has_blocks: expected, then as read */
	bool has_blocks;
	uint64_t ids[2]; /* of object-add and device_add while unanswered; 0: none */
	bool is_object_there, is_device_there;
	bool is_inserted; /* the guest has reported that it took the DIMM */
	bool is_failed;	  /* QEMU or the guest refuses it */
	bool is_complete; /* read back: everything is as requested */
};

/* The stages of a DIMM. */
enum plug_stage { STAGE_OBJECT, STAGE_DEVICE, STAGE_INSERTED };

struct plug {
	struct plug_request request;
	bool is_misplaced;  /* another device was added, and now one of ours lies inside a block */
	bool is_keep_going; /* complete DIMMs stay when another fails */
	struct plug_dimm *dimms;
	unsigned dimms_count;
	char zone_reason[ZONE_REASON_MAX]; /* why auto chose it; "" otherwise */
	struct node_map *nodes; /* if a node was asked for and the guest shows nodes; owned */
	/* the current round: dimms[from] to dimms[to - 1] */
	unsigned from, to;
	struct err failure;   /* with is_keep_going: the first failure */
	struct mem_file file; /* of --mem-path */
};

/* plug_add_dimms() - append @count DIMMs of @size_bytes each */
void plug_add_dimms(struct plug *plug, uint64_t size_bytes, unsigned count);

/* plug_reset() - put all DIMMs back to how they were added: without names and not started */
void plug_reset(struct plug *plug);

void plug_free(struct plug *plug);

/* plug_sizes() - each DIMM's size, for the checks; the caller frees the array */
uint64_t *plug_sizes(const struct plug *plug);

/* plug_device() - the DIMM in QEMU's list; NULL before it is there */
const struct memdev *plug_device(const struct view *v, const struct plug_dimm *dimm);

/* plug_expect(), plug_show() - progress counts the DIMMs that have reached @stage: begin, and
 * update */
void plug_expect(struct transaction *t, const struct plug *plug, enum plug_stage stage);
void plug_show(struct transaction *t, const struct plug *plug, enum plug_stage stage);

/*
 * plug_fail() - note a failure: the first is kept when complete DIMMs are to stay
 * Return: 0 to go on; -1 to stop and undo what is not kept
 */
int plug_fail(struct plug *plug, const struct err *err) __attribute__((warn_unused_result));

/* plug_stop() - the same where nothing can continue; returns -1 */
int plug_stop(struct plug *plug, const struct err *err);

/* plug_finish() - after the last round: 0, or -1 with the failure that plug_fail() kept */
int plug_finish(const struct plug *plug, struct err *err) __attribute__((warn_unused_result));

/* plug_is_kept(), plug_count_kept() - which DIMMs stay although another failed: with is_keep_going,
 * those that are complete */
bool plug_is_kept(const struct plug *plug, const struct plug_dimm *dimm);
unsigned plug_count_kept(const struct plug *plug);

/* plug_explain_kept() - after the undo, prefix @err with the DIMMs that stay, those that do not,
 * and those whose state is unknown */
void plug_explain_kept(const struct plug *plug, struct err *err);

#endif
