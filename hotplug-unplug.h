/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * hotplug-unplug: the job "unplug": blocks offline, DIMMs released, backends removed.
 * May call: choose, hotplug, hotplug-guest, hotplug-release, hotplug-room, machine, sysfs, qmp,
 * size, err, util.
 */
#ifndef HOTPLUG_UNPLUG_H
#define HOTPLUG_UNPLUG_H

#include "choose.h"
#include "hotplug-release.h"

struct unplug {
	/* told of each device that is to leave, while it is there; may be NULL */
	void (*leaves)(struct unplug *unplug, const struct hotplug *h, const struct memdev *d);
	struct leaving *leaving;
	unsigned leaving_count;
	struct block_list blocks; /* of all of them, as they were */
	uint64_t size_bytes;	  /* of all of them */
};

/* unplug_add() - take a device; once is enough. ERR_FAILED when it cannot be unplugged */
int unplug_add(struct unplug *unplug, const struct memdev *d, struct err *err)
	__attribute__((warn_unused_result));

/* unplug_add_words() - take what the user named: devices, memhp's base names, sizes */
int unplug_add_words(const struct hotplug *h, struct unplug *unplug, char *const *words,
		     unsigned count, struct err *err) __attribute__((warn_unused_result));

/* unplug_add_last(), unplug_add_all() - take the DIMM that was plugged last; every hotplugged one
 */
int unplug_add_last(const struct hotplug *h, struct unplug *unplug, struct err *err)
	__attribute__((warn_unused_result));
int unplug_add_all(const struct hotplug *h, struct unplug *unplug, struct err *err)
	__attribute__((warn_unused_result));

/*
 * unplug_add_sum() - take DIMMs that were not taken yet, whose sizes add up to @least_bytes to
 * @most_bytes, and as little as that allows; of equals first those in Movable, then the newest
 * @node:	only those of this guest node; -1: any
 * @out:	the sum, or the sums that can be reached instead
 * Return: true when there are such
 */
bool unplug_add_sum(const struct hotplug *h, struct unplug *unplug, int node, uint64_t least_bytes,
		    uint64_t most_bytes, struct choice *out);

/* unplug_prepare() - after devices were added: check, add the steps */
int unplug_prepare(struct hotplug *h, struct unplug *unplug, struct err *err)
	__attribute__((warn_unused_result));

void unplug_release(struct unplug *unplug);

#endif
