/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * vmem: the job of resizing virtio-mem devices. QEMU takes a requested size; the guest's driver
 * works towards it and may stop short (QEMU's virtio-mem documentation; drivers/virtio/virtio_mem.c
 * in Linux). memhp brings online what the driver adds.
 */
#ifndef HOTPLUG_VMEM_H
#define HOTPLUG_VMEM_H

#include "hotplug/node.h"
#include "hotplug/transaction.h"
#include "hotplug/zone.h"

/* One device. */
struct vmem_device {
	char *handle;				/* id or QOM path; owned */
	uint64_t requested_bytes, before_bytes; /* before: the size requested, the size reached */
	uint64_t target_bytes;			/* to be requested */
	uint64_t size_bytes;			/* as last read */
	struct blocks span;			/* valid with has_span */
	bool has_span;
	bool is_asked; /* QEMU has accepted the target, or has not answered */
};

struct vmem {
	struct vmem_device *devices;
	unsigned devices_count;
	enum zone zone;		/* requested */
	uint64_t kernel_blocks; /* how many of the added blocks, from the first, go to kernel zones
				 */
	char zone_reason[ZONE_REASON_MAX];
	struct node_map *nodes; /* if a node was asked for and the guest shows nodes; owned */
	uint64_t node;		/* QEMU's; valid with nodes */
};

/* vmem_add() - resize the device to @target_bytes, a multiple of its block size */
void vmem_add(const struct view *v, struct vmem *vmem, const struct memdev *d,
	      uint64_t target_bytes);

/* vmem_require_node() - require added memory to be on that QEMU node, which is read back; 0, or -1
 */
int vmem_require_node(const struct view *v, struct vmem *vmem, uint64_t node, struct err *err)
	__attribute__((warn_unused_result));

/* vmem_prepare() - with all devices added: choose zones, add the step */
void vmem_prepare(struct transaction *t, struct vmem *vmem);

/* vmem_choose_zones() - the part of vmem_prepare() that needs the devices */
void vmem_choose_zones(struct transaction *t, struct vmem *vmem);

/* vmem_is_growing() - does any device grow? */
bool vmem_is_growing(const struct vmem *vmem);

void vmem_free(struct vmem *vmem);

#endif
