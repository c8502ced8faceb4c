/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * vmem: the job of giving virtio-mem devices another size. QEMU is told a requested size,
 * the guest's driver works towards it, and may stop short (docs of virtio-mem in QEMU; the driver
 * is drivers/virtio/virtio_mem.c of Linux). What the driver adds, memhp brings online.
 */
#ifndef HOTPLUG_VMEM_H
#define HOTPLUG_VMEM_H

#include "hotplug/node.h"
#include "hotplug/transaction.h"
#include "hotplug/zone.h"

/* One device. */
struct vmem_device {
	char *handle;				/* id or QOM path; owned */
	uint64_t requested_bytes, before_bytes; /* before: asked for, and taken */
	uint64_t target_bytes;			/* to be asked for */
	uint64_t size_bytes;			/* as seen last */
	struct blocks span;			/* valid with has_span */
	bool has_span;
	bool is_asked; /* QEMU has taken the target, or has not said that it has not */
};

struct vmem {
	struct vmem_device *devices;
	unsigned devices_count;
	enum zone zone;		/* asked for */
	uint64_t kernel_blocks; /* of what is added, the first so many go to the kernel's zones */
	char zone_reason[ZONE_REASON_MAX];
	struct node_map *nodes; /* where a node was asked for, and the guest can tell; owned */
	uint64_t node;		/* QEMU's; valid with nodes */
};

/* vmem_add() - let the device have @target_bytes, a multiple of its step */
void vmem_add(const struct view *v, struct vmem *vmem, const struct memdev *d,
	      uint64_t target_bytes);

/* vmem_wish() - what is added is to be on that node of QEMU's, as will be read back; 0, or -1 */
int vmem_wish(const struct view *v, struct vmem *vmem, uint64_t node, struct err *err)
	__attribute__((warn_unused_result));

/* vmem_prepare() - after devices were added: choose zones, add the step */
void vmem_prepare(struct transaction *t, struct vmem *vmem);

/* vmem_choose_zones() - the part of vmem_prepare() that needs the devices */
void vmem_choose_zones(struct transaction *t, struct vmem *vmem);

/* vmem_is_growing() - is any device to have more than before? */
bool vmem_is_growing(const struct vmem *vmem);

void vmem_free(struct vmem *vmem);

#endif
