/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * place: where new memory devices go, so that the guest can use all of them: at multiples
 * of its memory block size. Checks, plans and what is sent have it from here. Changes nothing.
 */
#ifndef HOTPLUG_PLACE_H
#define HOTPLUG_PLACE_H

#include "hotplug/transaction.h"
#include "qemu/backend.h"

/* The place of one memory device that is to be made. */
struct device_place {
	bool is_known;	  /* where it will be */
	bool is_told;	  /* by itself QEMU would take another: it has to be told */
	uint64_t address; /* guest-physical, bytes; valid with is_known or is_told */
};

/* place_block_bytes() - the guest's memory block size; without a guest the smallest that its
 * architecture has; 0 when that is not known */
uint64_t place_block_bytes(const struct view *v);

/*
 * place_choose() - a place for each device, in the first gap that is large enough
 * @b:		their backend, whose pages may be larger than the guest's blocks
 * @sizes:	bytes of each
 * @places:	receives @count places; none is known where it is not known what is taken
 * Return: 0; -1 with ERR_FAILED when there is no gap for one of them
 */
int place_choose(const struct view *v, const struct backend_options *b, const uint64_t *sizes,
		 unsigned count, struct device_place *places, struct err *err)
	__attribute__((warn_unused_result));

/* place_check() - can a device be at this address? 0; -1 with ERR_FAILED and the reason */
int place_check(const struct view *v, uint64_t address, uint64_t size_bytes, struct err *err)
	__attribute__((warn_unused_result));

#endif
