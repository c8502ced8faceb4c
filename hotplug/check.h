/* SPDX-License-Identifier: GPL-3.0-or-later */
/* check: what must be true before DIMMs are plugged. Changes nothing. */
#ifndef HOTPLUG_CHECK_H
#define HOTPLUG_CHECK_H

#include "hotplug/place.h"
#include "hotplug/transaction.h"
#include "qemu/backend.h"

/* What the user asked to plug. */
struct plug_request {
	const char *name;	/* base name; NULL: the next free memhpN; borrowed */
	const char *size_text;	/* the size as the user wrote it, for messages; borrowed */
	uint64_t size_bytes;	/* of all DIMMs in total */
	uint64_t growing_bytes; /* by which other devices grow in the same command */
	enum zone zone;
	bool is_online_wanted;
	bool has_slot, has_node, has_address; /* slot and address: only with a single DIMM */
	uint64_t slot, node, address;
	struct backend_options backend;
};

/* plug_check_request() - check what needs no query; ERR_USAGE */
int plug_check_request(struct plug_request *r, struct err *err) __attribute__((warn_unused_result));

/*
 * plug_check() - check what can be known about the machine before anything is changed
 * @sizes:	bytes of each DIMM
 * @places:	receives the place of each
 */
int plug_check(struct transaction *t, const struct plug_request *r, const uint64_t *sizes,
	       unsigned count, struct device_place *places, struct err *err)
	__attribute__((warn_unused_result));

/* plug_check_device() - the same for one device that takes no slot, such as virtio-mem */
int plug_check_device(struct transaction *t, const struct plug_request *r,
		      struct device_place *place, struct err *err)
	__attribute__((warn_unused_result));

/*
 * plug_count_fitting() - how many of the DIMMs, from the first, the guest has room for: before its
 * kernel can use them, it takes 1/64 of their size from its present memory for the memory map
 * Return: 0 to @count; -1 when the guest cannot be asked
 */
int plug_count_fitting(struct transaction *t, const uint64_t *sizes, unsigned count,
		       struct err *err) __attribute__((warn_unused_result));

/*
 * plug_check_headroom() - will the guest have that room for all DIMMs if they come one by one?
 * @kernels:	how many, from the first, go to kernel zones and then make room for the others
 * Return: 0; -1 with ERR_GUEST_REFUSED and what would fit
 */
int plug_check_headroom(struct transaction *t, const uint64_t *sizes, unsigned count,
			unsigned kernels, struct err *err) __attribute__((warn_unused_result));

/* plug_check_blocks_headroom() - the same for memory blocks that virtio-mem is to add */
int plug_check_blocks_headroom(struct transaction *t, const uint64_t *sizes, unsigned count,
			       unsigned kernels, struct err *err)
	__attribute__((warn_unused_result));

#endif
