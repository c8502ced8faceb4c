/* SPDX-License-Identifier: GPL-3.0-or-later */
/* growth: do host and guest have room for the growth of virtio-mem devices? Changes nothing. */
#ifndef HOTPLUG_GROWTH_H
#define HOTPLUG_GROWTH_H

#include "hotplug/vmem.h"

/*
 * growth_check() - refuse growth that the host has no memory for if the device takes it at once,
 * else warn. Asks QEMU for the kind of each backend: which file, which huge pages.
 * Return: 0; -1 with ERR_FAILED
 */
int growth_check(struct transaction *t, const struct vmem *vmem, struct err *err)
	__attribute__((warn_unused_result));

/*
 * growth_check_headroom() - will the guest have room for the memory map of @bytes more, block by
 * block, in vmem->zone?
 * Return: 0; -1 with ERR_GUEST_REFUSED and what would fit
 */
int growth_check_headroom(struct transaction *t, const struct vmem *vmem, uint64_t bytes,
			  struct err *err) __attribute__((warn_unused_result));

/* growth_bytes() - by how much the devices grow in total */
uint64_t growth_bytes(const struct vmem *vmem);

#endif
