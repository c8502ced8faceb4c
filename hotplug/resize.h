/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * resize: the job "resize": plug, unplug and resize devices until the VM has the requested total.
 */
#ifndef HOTPLUG_RESIZE_H
#define HOTPLUG_RESIZE_H

#include "hotplug/plug.h"
#include "hotplug/unplug.h"
#include "hotplug/vmem.h"

struct resize {
	/* asked for */
	const char *text;    /* as the user wrote it; borrowed */
	char sign;	     /* '+', '-': relative; '\0': the total */
	uint64_t size_bytes; /* 0: only with a node */
	int node;	     /* count and change only this guest node; -1: all */
	enum zone zone;	     /* of what is added */
	uint64_t dimm_bytes; /* of each DIMM added; 0: chosen here */
	/* found out */
	bool has_before, has_target, has_after;
	uint64_t before_bytes, target_bytes, after_bytes; /* QEMU's base plus plugged */
	struct vmem vmem;
	struct plug plug;
	struct unplug unplug; /* the caller sets leaves() */
};

/* hotplug_resize() - the whole command; sends nothing if the VM already has that total */
int hotplug_resize(struct transaction *t, struct resize *r, struct err *err)
	__attribute__((warn_unused_result));

void resize_free(struct resize *r);

#endif
