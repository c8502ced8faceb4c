/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A request as text for guest.sh. */
#include <string.h>

#include "guest/shell.h"
#include "lib/pools.h"

#define PART_MAX 900 /* busybox's line editor drops what follows 1023 bytes of a line */

/* The arguments of a word, in this order. */
enum { SECONDS = 1, FUNCTION = 2, ZONE = 4, RANGES = 8, FIRST_BLOCK = 16, REFILLS = 32 };

/* The words of guest.sh. A change names the function that changes one block. */
static const struct {
	const char *word, *function;
	unsigned parts;
} words[VERBS] = {
	[VERB_NONE] = { ":", NULL, 0 },
	[VERB_INFO] = { "facts", NULL, 0 },
	[VERB_MEMORY] = { "memory", NULL, 0 },
	[VERB_BLOCKS] = { "near 1", NULL, RANGES },
	[VERB_BLOCKS_AT] = { "near 0x", NULL, RANGES },
	[VERB_SCAN] = { "scan", NULL, 0 },
	[VERB_SCAN_NEWS] = { "watch", NULL, 0 },
	[VERB_APPEAR] = { "appear", NULL, SECONDS | RANGES },
	[VERB_ONLINE_FAST] = { "swift", "online_", FUNCTION | ZONE | RANGES },
	[VERB_OFFLINE_FAST] = { "ease", NULL, SECONDS | RANGES },
	[VERB_ONLINE] = { "change", "raise ", SECONDS | FUNCTION | ZONE | RANGES },
	[VERB_MOVE] = { "change", "raise ", SECONDS | FUNCTION | ZONE | RANGES },
	[VERB_ONLINE_IF_OFFLINE] = { "change", "lift ", SECONDS | FUNCTION | ZONE | RANGES },
	[VERB_OFFLINE] = { "change", "lower ", SECONDS | FUNCTION | ZONE | RANGES },
	[VERB_FREEZE_POLICY] = { "hold", NULL, 0 },
	[VERB_MARK] = { "mark", NULL, 0 },
	[VERB_FREE_PAGES] = { "buddy", NULL, 0 },
	[VERB_UDEV] = { "udev", NULL, 0 },
	[VERB_POOLS] = { "pool", NULL, 0 },
	[VERB_HUGE_TAILS] = { "tails", NULL, RANGES },
	[VERB_REFILL] = { "refill", NULL, SECONDS | REFILLS },
	[VERB_CPUSETS] = { "cpusets", NULL, 0 },
	[VERB_RECALL] = { "recall", NULL, 0 },
	[VERB_BLOCKER] = { "held", NULL, FIRST_BLOCK },
};

static const char *const zones[] = { [ZONE_AUTO] = "any",
				     [ZONE_MOVABLE] = "movable",
				     [ZONE_KERNEL] = "kernel",
				     [ZONE_ANY] = "any" };

/* " NODE-KIB PAGES", " -KIB PAGES" of all nodes, " floor KIB" */
static void encode_refill(const struct refill *refill, struct buf *out)
{
	if (!refill->page_kib)
		buf_addf(out, " floor");
	else if (refill->node == POOL_ALL)
		buf_addf(out, " -%llu", (unsigned long long)refill->page_kib);
	else
		buf_addf(out, " %d-%llu", refill->node, (unsigned long long)refill->page_kib);
	buf_addf(out, " %llu", (unsigned long long)refill->value);
}

static void encode_command(const struct command *c, struct buf *out)
{
	unsigned parts = words[c->verb].parts, i;

	buf_addf(out, "%s", words[c->verb].word);
	if (parts & SECONDS)
		buf_addf(out, " %u", c->seconds);
	if (parts & FUNCTION)
		buf_addf(out, " %s", words[c->verb].function);
	if (parts & ZONE)
		buf_addf(out, "%s", zones[c->zone]);
	for (i = 0; (parts & RANGES) && i < c->ranges_count; i++)
		buf_addf(out, " %llu-%llu", (unsigned long long)c->ranges[i].from,
			 (unsigned long long)c->ranges[i].to);
	if (parts & FIRST_BLOCK)
		buf_addf(out, " %llu", (unsigned long long)c->ranges[0].from);
	for (i = 0; (parts & REFILLS) && i < c->refills_count; i++)
		encode_refill(&c->refills[i], out);
}

char *shell_encode(const struct request *r)
{
	struct buf out = { 0 };
	unsigned i;

	for (i = 0; i < r->count; i++) {
		if (i)
			buf_addf(&out, "%s", r->list[i - 1].is_condition ? "&&" : ";");
		encode_command(&r->list[i], &out);
	}
	if (!r->count)
		buf_addf(&out, ":");
	return out.data;
}

char *shell_part(const char *text, size_t *done)
{
	const char *part = text + *done;
	int len = (int)strnlen(part, PART_MAX);

	if (!len)
		return NULL;
	*done += (size_t)len;
	return xasprintf("long=%s'%.*s'", part == text ? "" : "$long", len, part);
}
