/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * resize: the job "resize": whatever devices it takes for the VM to have so much memory.
 */
#ifndef HOTPLUG_RESIZE_H
#define HOTPLUG_RESIZE_H

#include "hotplug/plug.h"
#include "hotplug/unplug.h"
#include "hotplug/vmem.h"

struct resize {
	/* asked for */
	const char *text;    /* as the user wrote it; borrowed */
	char sign;	     /* '+', '-': that much more or less; '\0': so much in all */
	uint64_t size_bytes; /* 0: of a node only */
	int node;	     /* only this guest node counts and changes; -1: all */
	enum zone zone;	     /* of what is added */
	uint64_t dimm_bytes; /* of each DIMM that is added; 0: chosen here */
	/* found out */
	bool has_before, has_target, has_after;
	uint64_t before_bytes, target_bytes, after_bytes; /* QEMU's base plus plugged */
	struct vmem vmem;
	struct plug plug;
	struct unplug unplug; /* its leaves() is the caller's */
};

/* hotplug_resize() - the whole command; nothing is sent when the VM has that much already */
int hotplug_resize(struct transaction *t, struct resize *r, struct err *err)
	__attribute__((warn_unused_result));

void resize_free(struct resize *r);

#endif
