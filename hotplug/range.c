/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which blocks commands of guest.sh change. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hotplug/range.h"

/* Is this the beginning of a command that changes blocks? Then the reader goes on with its ranges.
 */
static bool read_command(struct range_reader *r)
{
	struct range *range = &r->range;
	unsigned seconds;
	char verb[8];
	int used = 0;

	snprintf(range->zone, sizeof(range->zone), "any");
	if (sscanf(r->commands, "change %u %7s %7s%n", &seconds, verb, range->zone, &used) == 3 &&
	    used)
		range->is_online = strcmp(verb, "lower") != 0;
	else if (sscanf(r->commands, "ease %u%n", &seconds, &used) == 1 && used)
		range->is_online = false;
	else
		return false;
	r->ranges = r->commands + used;
	return true;
}

/* " 32-35": not by sscanf(3), which measures all that follows each time. */
static bool read_range(struct range_reader *r)
{
	const char *at = r->ranges + strspn(r->ranges, " ");
	char *end;

	if (*at < '0' || *at > '9')
		return false;
	r->range.from = strtoull(at, &end, 10);
	if (*end != '-')
		return false;
	r->range.to = strtoull(end + 1, &end, 10);
	r->ranges = end;
	return true;
}

bool range_next(struct range_reader *r, struct range *range)
{
	while (*r->commands) {
		if (!r->ranges && !read_command(r))
			r->ranges = "";
		if (read_range(r)) {
			*range = r->range;
			return true;
		}
		r->ranges = NULL;
		r->commands += strcspn(r->commands, ";&");
		r->commands += strspn(r->commands, ";&");
	}
	return false;
}

static uint64_t blocks_of(const struct range *range)
{
	return (range->from <= range->to ? range->to - range->from : range->from - range->to) + 1;
}

uint64_t range_blocks(const char *commands)
{
	struct range_reader reader = { .commands = commands };
	struct range range;
	uint64_t blocks = 0;

	while (range_next(&reader, &range))
		blocks += blocks_of(&range);
	return blocks;
}

uint64_t range_place(const char *commands, uint64_t block)
{
	struct range_reader reader = { .commands = commands };
	struct range range;
	uint64_t before = 0;

	while (range_next(&reader, &range)) {
		if (block >= range.from && block <= range.to)
			return before + (block - range.from) + 1;
		if (block <= range.from && block >= range.to)
			return before + (range.from - block) + 1;
		before += blocks_of(&range);
	}
	return 0;
}

const char *range_zone(const char *commands)
{
	struct range_reader reader = { .commands = commands };
	const char *zone = NULL;
	struct range range;

	while (range_next(&reader, &range)) {
		const char *other = !strcmp(range.zone, "movable")  ? "Movable"
				    : !strcmp(range.zone, "kernel") ? "kernel"
								    : NULL;

		if (!other || (zone && strcmp(zone, other) != 0))
			return NULL;
		zone = other;
	}
	return zone;
}
