/* SPDX-License-Identifier: GPL-3.0-or-later */
/* unplug: the job "unplug": which devices to unplug, and which of them stay. */
#ifndef HOTPLUG_UNPLUG_H
#define HOTPLUG_UNPLUG_H

#include "hotplug/device-del.h"
#include "hotplug/pick.h"
#include "hotplug/stayers.h"

struct unplug {
	/* called for each device to be unplugged while it still exists; may be NULL */
	void (*leaves)(struct unplug *unplug, const struct transaction *t, const struct memdev *d);
	struct leaving *leaving;
	unsigned leaving_count;
	struct block_list blocks; /* of all of them, as before */
	uint64_t size_bytes;	  /* of all of them */
	/* devices that cannot be unplugged stay, the others go */
	bool is_keep_going;
	struct stayers stayers;
	uint64_t short_bytes; /* the part of the requested sizes still to be made up for those that
				 stay */
	bool is_short;	      /* it could not be made up */
};

/*
 * unplug_stay() - with is_keep_going, record that @name stays, for the reason in @err
 * Return: 0; -1 without is_keep_going: the job fails with @err
 */
int unplug_stay(struct unplug *unplug, const char *name, const struct err *err)
	__attribute__((warn_unused_result));

/* unplug_keep() - the device leaving[i] stays, for the reason in @err */
void unplug_keep(struct unplug *unplug, unsigned i, const struct err *err);

/* unplug_find_blocks() - find the guest's blocks of the devices to be unplugged */
void unplug_find_blocks(const struct view *v, struct unplug *unplug);

/* unplug_check_offline() - read back: is every block of @wanted offline? */
int unplug_check_offline(const struct view *v, const struct block_list *wanted, struct err *err)
	__attribute__((warn_unused_result));

/* unplug_replace() - replace devices chosen for a size that stay */
void unplug_replace(const struct transaction *t, struct unplug *unplug);

/* unplug_add() - add a device, unless added already. ERR_FAILED if it cannot be unplugged */
int unplug_add(struct unplug *unplug, const struct memdev *d, struct err *err)
	__attribute__((warn_unused_result));

/* unplug_add_args() - add what the user named: devices, memhp's base names, sizes */
int unplug_add_args(const struct transaction *t, struct unplug *unplug, char *const *args,
		    unsigned count, struct err *err) __attribute__((warn_unused_result));

/* unplug_add_last(), unplug_add_all() - add the DIMM plugged last; every hotplugged DIMM */
int unplug_add_last(const struct view *v, struct unplug *unplug, struct err *err)
	__attribute__((warn_unused_result));
int unplug_add_all(const struct view *v, struct unplug *unplug, struct err *err)
	__attribute__((warn_unused_result));

/*
 * unplug_add_sum() - add further DIMMs whose sizes add up to between @least_bytes and @most_bytes,
 * the smallest such sum; prefers DIMMs in Movable, then the newest
 * @node:	only DIMMs of this guest node; -1: any
 * @out:	the sum, or the sums that can be reached instead
 * Return: true if there is such a sum
 */
bool unplug_add_sum(const struct transaction *t, struct unplug *unplug, int node,
		    uint64_t least_bytes, uint64_t most_bytes, struct choice *out);

void unplug_free(struct unplug *unplug);

#endif
