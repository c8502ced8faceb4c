/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * place: the addresses of new memory devices: multiples of the guest's memory block size, so that
 * it can use all of them. Checks, plans and requests take them from here. Changes nothing.
 */
#ifndef HOTPLUG_PLACE_H
#define HOTPLUG_PLACE_H

#include "hotplug/transaction.h"
#include "qemu/backend.h"

/* The place of one new memory device. */
struct device_place {
	bool is_known;	  /* the address is known */
	bool is_told;	  /* QEMU would choose another: the request must give the address */
	uint64_t address; /* guest-physical, bytes; valid with is_known or is_told */
};

/* place_block_bytes() - the guest's memory block size; without a guest the smallest of its
 * architecture; 0 if not known */
uint64_t place_block_bytes(const struct view *v);

/*
 * place_choose() - choose a place for each device, in the first gap that is large enough
 * @b:	their backend: its pages may be larger than the guest's blocks
 * @sizes:	bytes of each
 * @places:	receives @count places; none is known if the occupied ranges are not
 * Return: 0; -1 with ERR_FAILED when one of them has no gap
 */
int place_choose(const struct view *v, const struct backend_options *b, const uint64_t *sizes,
		 unsigned count, struct device_place *places, struct err *err)
	__attribute__((warn_unused_result));

/* place_check() - can a device be at this address? 0; -1 with ERR_FAILED and the reason */
int place_check(const struct view *v, uint64_t address, uint64_t size_bytes, struct err *err)
	__attribute__((warn_unused_result));

#endif
