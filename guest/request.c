/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a guest is asked to do. */
#include <stdlib.h>

#include "guest/request.h"
#include "lib/util.h"

_Static_assert(VERBS <= 8 * sizeof(verb_set), "a verb needs a bit");

#define ONLINE_VERBS                                                                               \
	(VERB_BIT(VERB_ONLINE_FAST) | VERB_BIT(VERB_ONLINE) | VERB_BIT(VERB_MOVE) |                \
	 VERB_BIT(VERB_ONLINE_IF_OFFLINE))
#define OFFLINE_VERBS (VERB_BIT(VERB_OFFLINE_FAST) | VERB_BIT(VERB_OFFLINE))

void request_free(struct request *r)
{
	while (r->count) {
		struct command *c = &r->list[--r->count];

		free(c->ranges);
		free(c->refills);
	}
	free(r->list);
	*r = (struct request){ 0 };
}

struct command *request_add(struct request *r, enum verb verb)
{
	r->list = xgrow(r->list, r->count, sizeof(*r->list));
	r->list[r->count] = (struct command){ .verb = verb, .zone = ZONE_ANY };
	return &r->list[r->count++];
}

void command_add_range(struct command *c, uint64_t from, uint64_t to)
{
	c->ranges = xgrow(c->ranges, c->ranges_count, sizeof(*c->ranges));
	c->ranges[c->ranges_count++] = (struct range){ from, to };
}

void command_add_refill(struct command *c, const struct refill *refill)
{
	c->refills = xgrow(c->refills, c->refills_count, sizeof(*c->refills));
	c->refills[c->refills_count++] = *refill;
}

void request_copy(struct request *to, const struct request *from)
{
	unsigned i, j;

	for (i = 0; i < from->count; i++) {
		const struct command *c = &from->list[i];
		struct command *copy = request_add(to, c->verb);

		copy->zone = c->zone;
		copy->seconds = c->seconds;
		copy->is_condition = c->is_condition;
		for (j = 0; j < c->ranges_count; j++)
			command_add_range(copy, c->ranges[j].from, c->ranges[j].to);
		for (j = 0; j < c->refills_count; j++)
			command_add_refill(copy, &c->refills[j]);
	}
}

verb_set request_verbs(const struct request *r)
{
	verb_set verbs = 0;
	unsigned i;

	for (i = 0; i < r->count; i++)
		verbs |= VERB_BIT(r->list[i].verb);
	return verbs;
}

bool request_has(const struct request *r, enum verb verb)
{
	return request_verbs(r) & VERB_BIT(verb);
}

bool verb_changes(enum verb verb)
{
	return (ONLINE_VERBS | OFFLINE_VERBS) & VERB_BIT(verb);
}

bool verb_is_online(enum verb verb)
{
	return ONLINE_VERBS & VERB_BIT(verb);
}

static bool is_counted(const struct command *c)
{
	return verb_changes(c->verb) && c->verb != VERB_ONLINE_FAST;
}

static uint64_t blocks_of(const struct range *range)
{
	return (range->from <= range->to ? range->to - range->from : range->from - range->to) + 1;
}

static uint64_t command_blocks(const struct command *c)
{
	uint64_t blocks = 0;
	unsigned i;

	for (i = 0; i < c->ranges_count; i++)
		blocks += blocks_of(&c->ranges[i]);
	return blocks;
}

uint64_t request_blocks(const struct request *r)
{
	uint64_t blocks = 0;
	unsigned i;

	for (i = 0; i < r->count; i++)
		if (is_counted(&r->list[i]))
			blocks += command_blocks(&r->list[i]);
	return blocks;
}

/* The same in one command. */
static uint64_t command_position(const struct command *c, uint64_t block)
{
	uint64_t before = 0;
	unsigned i;

	for (i = 0; i < c->ranges_count; i++) {
		const struct range *range = &c->ranges[i];

		if (block >= range->from && block <= range->to)
			return before + (block - range->from) + 1;
		if (block <= range->from && block >= range->to)
			return before + (range->from - block) + 1;
		before += blocks_of(range);
	}
	return 0;
}

uint64_t request_position(const struct request *r, uint64_t block)
{
	uint64_t before = 0, position;
	unsigned i;

	for (i = 0; i < r->count; i++) {
		if (!is_counted(&r->list[i]))
			continue;
		position = command_position(&r->list[i], block);
		if (position)
			return before + position;
		before += command_blocks(&r->list[i]);
	}
	return 0;
}

enum zone request_zone(const struct request *r)
{
	enum zone zone = ZONE_AUTO;
	unsigned i;

	for (i = 0; i < r->count; i++) {
		if (!is_counted(&r->list[i]))
			continue;
		if (zone != ZONE_AUTO && zone != r->list[i].zone)
			return ZONE_ANY;
		zone = r->list[i].zone;
	}
	return zone == ZONE_AUTO ? ZONE_ANY : zone;
}
