/* SPDX-License-Identifier: GPL-3.0-or-later */
/* device-del: remove devices and their backends from QEMU. */
#ifndef HOTPLUG_DEVICE_DEL_H
#define HOTPLUG_DEVICE_DEL_H

#include "hotplug/transaction.h"
#include "qemu/memdev.h"

/* A device that is being unplugged. */
struct leaving {
	struct memdev device; /* a copy from before; owned */
	char *backend;	      /* owned; NULL when unknown or already removed */
	bool is_asked, is_gone, is_refused;
	bool is_chosen; /* chosen for a size: another device will do as well */
	char why[128];	/* the reason of a refusal */
};

/* leaving_drop() - remove the element at @i from a list */
void leaving_drop(struct leaving *list, unsigned *count, unsigned i);

/* leaving_add() - append @d to a list; leaving_free() frees the list */
void leaving_add(struct leaving **list, unsigned *count, const struct memdev *d);
void leaving_free(struct leaving **list, unsigned *count);

/*
 * hotplug_device_del() - send device_del for each and wait until each is gone or refused
 * Return: 0 when all are gone; -1 with ERR_GUEST_REFUSED, ERR_TIMEOUT (still pending), ...
 */
int hotplug_device_del(struct transaction *t, struct leaving *leaving, unsigned count,
		       struct err *err) __attribute__((warn_unused_result));

/* hotplug_notice_gone() - mark those that QEMU reports as deleted until @until_ms (CLOCK_MONOTONIC;
 * 0: do not wait), or until all have been answered */
int hotplug_notice_gone(struct transaction *t, struct leaving *leaving, unsigned count,
			int64_t until_ms, struct err *err) __attribute__((warn_unused_result));

/* hotplug_read_gone() - mark those that QEMU no longer lists */
int hotplug_read_gone(struct view *v, struct leaving *leaving, unsigned count, struct err *err)
	__attribute__((warn_unused_result));

/*
 * hotplug_remove_backends() - object-del the backend of each device that is gone, once
 * Return: 0; -1 when one is left; @err names it
 */
int hotplug_remove_backends(struct view *v, struct leaving *leaving, unsigned count,
			    struct err *err) __attribute__((warn_unused_result));

#endif
