/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * growth: have host and guest the room for what virtio-mem devices grow by? Changes
 * nothing.
 */
#ifndef HOTPLUG_GROWTH_H
#define HOTPLUG_GROWTH_H

#include "hotplug/vmem.h"

/*
 * growth_check() - a device that takes its memory at once is refused what is not there, for others
 * there is a warning. What their backends are, of which file or huge pages, QEMU is asked.
 * Return: 0; -1 with ERR_FAILED
 */
int growth_check(struct transaction *t, const struct vmem *vmem, struct err *err)
	__attribute__((warn_unused_result));

/*
 * growth_check_headroom() - will the guest have room for the memory map of @bytes more, block after
 * block, in vmem->zone?
 * Return: 0; -1 with ERR_GUEST_REFUSED and what would fit
 */
int growth_check_headroom(struct transaction *t, const struct vmem *vmem, uint64_t bytes,
			  struct err *err) __attribute__((warn_unused_result));

/* growth_bytes() - how much the devices grow by in all */
uint64_t growth_bytes(const struct vmem *vmem);

#endif
