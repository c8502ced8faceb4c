/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * range: which blocks commands of guest.sh change, in their order: read back from the
 * commands themselves.
 */
#ifndef HOTPLUG_RANGE_H
#define HOTPLUG_RANGE_H

#include <stdbool.h>
#include <stdint.h>

/* "FROM-TO": one block after the other, downwards where from is above to. */
struct range {
	uint64_t from, to;
	bool is_online; /* what they are to be afterwards */
	char zone[8];	/* the zone's word in guest.sh */
};

/* What is left to be read. Begin with { .commands = ... }, borrowed. */
struct range_reader {
	const char *commands;
	const char *ranges; /* of the command that is being read; NULL: of none */
	struct range range;
};

/* range_next() - the next range of a "change" or an "ease"; false when there is none */
bool range_next(struct range_reader *reader, struct range *range);

/* range_blocks() - how many blocks the commands change */
uint64_t range_blocks(const char *commands);

/* range_place() - the how manieth of them @block is, counted from 1; 0: it is none of them */
uint64_t range_place(const char *commands, uint64_t block);

/* range_zone() - where they all go: "Movable", "kernel"; NULL when not all go to one zone */
const char *range_zone(const char *commands);

#endif
