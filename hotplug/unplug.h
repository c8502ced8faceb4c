/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * unplug: the job "unplug": which devices are to leave, and which of them stay.
 */
#ifndef HOTPLUG_UNPLUG_H
#define HOTPLUG_UNPLUG_H

#include "hotplug/device-del.h"
#include "hotplug/pick.h"
#include "hotplug/stayers.h"

struct unplug {
	/* told of each device that is to leave, while it is there; may be NULL */
	void (*leaves)(struct unplug *unplug, const struct transaction *t, const struct memdev *d);
	struct leaving *leaving;
	unsigned leaving_count;
	struct block_list blocks; /* of all of them, as they were */
	uint64_t size_bytes;	  /* of all of them */
	/* what cannot leave stays, and the others go */
	bool is_keep_going;
	struct stayers stayers;
	uint64_t short_bytes; /* of sizes: what those that stay have left to be made up */
	bool is_short;	      /* and could not be made up */
};

/*
 * unplug_stay() - with is_keep_going remember that @name stays, for the reason in @err
 * Return: 0; -1 without it: then @err is what the job fails with
 */
int unplug_stay(struct unplug *unplug, const char *name, const struct err *err)
	__attribute__((warn_unused_result));

/* unplug_keep() - the device leaving[i] stays, for the reason in @err */
void unplug_keep(struct unplug *unplug, unsigned i, const struct err *err);

/* unplug_find_blocks() - which of the guest's blocks are those of what is to leave */
void unplug_find_blocks(const struct view *v, struct unplug *unplug);

/* unplug_check_offline() - read back: every block of @wanted is offline */
int unplug_check_offline(const struct view *v, const struct block_list *wanted, struct err *err)
	__attribute__((warn_unused_result));

/* unplug_make_up() - choose others in the place of those that a size stood for and that stay */
void unplug_make_up(const struct transaction *t, struct unplug *unplug);

/* unplug_add() - take a device; once is enough. ERR_FAILED when it cannot be unplugged */
int unplug_add(struct unplug *unplug, const struct memdev *d, struct err *err)
	__attribute__((warn_unused_result));

/* unplug_add_args() - take what the user named: devices, memhp's base names, sizes */
int unplug_add_args(const struct transaction *t, struct unplug *unplug, char *const *args,
		    unsigned count, struct err *err) __attribute__((warn_unused_result));

/* unplug_add_last(), unplug_add_all() - take the DIMM that was plugged last; every hotplugged one
 */
int unplug_add_last(const struct view *v, struct unplug *unplug, struct err *err)
	__attribute__((warn_unused_result));
int unplug_add_all(const struct view *v, struct unplug *unplug, struct err *err)
	__attribute__((warn_unused_result));

/*
 * unplug_add_sum() - take DIMMs that were not taken yet, whose sizes add up to @least_bytes to
 * @most_bytes, and as little as that allows; of equals first those in Movable, then the newest
 * @node:	only those of this guest node; -1: any
 * @out:	the sum, or the sums that can be reached instead
 * Return: true when there are such
 */
bool unplug_add_sum(const struct transaction *t, struct unplug *unplug, int node,
		    uint64_t least_bytes, uint64_t most_bytes, struct choice *out);

void unplug_free(struct unplug *unplug);

#endif
