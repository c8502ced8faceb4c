/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A request as commands for a person to type. */
#include "guest/by-hand.h"
#include "lib/util.h"

#define MEMORY "/sys/devices/system/memory/memory"

/* The commands for one block, whose number replaces each %s. */
static const char *const lines[VERBS] = {
	[VERB_APPEAR] = "until [ -e " MEMORY "%s/valid_zones ]; do sleep 1; done",
	[VERB_ONLINE_FAST] = "echo %z >" MEMORY "%s/state",
	[VERB_ONLINE] = "echo %z >" MEMORY "%s/state",
	[VERB_ONLINE_IF_OFFLINE] = "echo %z >" MEMORY "%s/state",
	[VERB_MOVE] = "grep -q offline " MEMORY "%s/state || echo offline >" MEMORY
		      "%s/state; echo %z >" MEMORY "%s/state",
	[VERB_OFFLINE_FAST] = "echo offline >" MEMORY "%s/state",
	[VERB_OFFLINE] = "echo offline >" MEMORY "%s/state",
};

static const char *const words[] = { [ZONE_AUTO] = "online",
				     [ZONE_MOVABLE] = "online_movable",
				     [ZONE_KERNEL] = "online_kernel",
				     [ZONE_ANY] = "online" };

/* Add a line with its places filled in: %s with the block, %z with the word for the zone. */
static void add_line(struct buf *out, const char *line, const char *block, enum zone zone)
{
	for (; *line; line++) {
		if (line[0] != '%') {
			buf_add(out, line, 1);
			continue;
		}
		line++;
		buf_addf(out, "%s", *line == 's' ? block : words[zone]);
	}
}

/* "32", or "$(seq 32 35)", which works in every sh */
static void add_range(struct buf *out, const struct range *range)
{
	unsigned long long from = range->from, to = range->to;

	if (from == to)
		buf_addf(out, " %llu", from);
	else
		buf_addf(out, " $(seq %llu %s%llu)", from, from < to ? "" : "-1 ", to);
}

char *by_hand(const struct command *c)
{
	struct buf out = { 0 };
	unsigned i;

	if (!lines[c->verb] || !c->ranges_count)
		return NULL;
	if (c->ranges_count == 1 && c->ranges[0].from == c->ranges[0].to) {
		_cleanup_free_ char *block =
			xasprintf("%llu", (unsigned long long)c->ranges[0].from);

		add_line(&out, lines[c->verb], block, c->zone);
		return out.data;
	}
	buf_addf(&out, "for n in");
	for (i = 0; i < c->ranges_count; i++)
		add_range(&out, &c->ranges[i]);
	buf_addf(&out, "; do ");
	add_line(&out, lines[c->verb], "$n", c->zone);
	buf_addf(&out, "; done");
	return out.data;
}

char *by_hand_for_each(enum zone zone)
{
	return xasprintf("for each new block N: echo %s >" MEMORY "N/state", words[zone]);
}
