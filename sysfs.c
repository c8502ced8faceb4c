/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The guest's memory as data. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/size.h"
#include "lib/util.h"
#include "sysfs.h"

/* As many digits as guest.sh searches for. */
#define BLOCK_MAX UINT64_C(9999999)
/* A block has at least one section (Linux drivers/base/memory.c), which has at least 16 MiB, on
 * powerpc; the largest block has 2 GiB. The last block of the largest size is still below
 * SIZE_LIMIT_BYTES. */
#define BLOCK_SIZE_MIN (UINT64_C(1) << 20)
#define BLOCK_SIZE_MAX (UINT64_C(1) << 36)

#define NODE_MAX  1023		      /* Linux: CONFIG_NODES_SHIFT is 10 at most */
#define PAGES_MAX (UINT64_C(1) << 52) /* with 4 KiB each they fill 64 bits */

const char *const zone_choices[] = {
	[ZONE_AUTO] = "auto", [ZONE_MOVABLE] = "movable", [ZONE_KERNEL] = "kernel", NULL
};

void block_list_free(struct block_list *list)
{
	free(list->runs);
	*list = (struct block_list){ 0 };
}

void guest_memory_free(struct guest_memory *g)
{
	block_list_free(&g->blocks);
	pools_free(&g->pools);
	*g = (struct guest_memory){ 0 };
}

bool blocks_continue(const struct blocks *a, const struct blocks *b)
{
	return b->first == a->last + 1 && !strcmp(a->state, b->state) &&
	       !strcmp(a->zones, b->zones) && a->node == b->node && a->removable == b->removable;
}

void block_list_add(struct block_list *list, const struct blocks *run)
{
	if (list->count && blocks_continue(&list->runs[list->count - 1], run)) {
		list->runs[list->count - 1].last = run->last;
		return;
	}
	list->runs = xgrow(list->runs, list->count, sizeof(*list->runs));
	list->runs[list->count++] = *run;
}

static int by_first(const void *a, const void *b)
{
	const struct blocks *x = a, *y = b;

	return (x->first > y->first) - (x->first < y->first);
}

void block_list_sort(struct block_list *list)
{
	struct block_list sorted = { 0 };
	unsigned i;

	if (!list->count)
		return;
	qsort(list->runs, list->count, sizeof(*list->runs), by_first);
	for (i = 0; i < list->count; i++) {
		struct blocks run = list->runs[i];
		uint64_t next = sorted.count ? sorted.runs[sorted.count - 1].last + 1 : 0;

		if (run.last < next)
			continue;
		if (run.first < next)
			run.first = next;
		block_list_add(&sorted, &run);
	}
	block_list_free(list);
	*list = sorted;
}

uint64_t block_list_blocks(const struct block_list *list)
{
	uint64_t blocks = 0;
	unsigned i;

	for (i = 0; i < list->count; i++)
		blocks += list->runs[i].last - list->runs[i].first + 1;
	return blocks;
}

static int by_place(const void *key, const void *element)
{
	const uint64_t *block = key;
	const struct blocks *run = element;

	return (*block > run->last) - (*block < run->first);
}

const struct blocks *block_list_find(const struct block_list *list, uint64_t block)
{
	return list->count ? bsearch(&block, list->runs, list->count, sizeof(*list->runs), by_place)
			   : NULL;
}

bool block_list_lacks(const struct block_list *list, uint64_t first, uint64_t last, uint64_t *block)
{
	const struct blocks *run;

	for (*block = first; *block <= last; *block = run->last + 1) {
		run = block_list_find(list, *block);
		if (!run)
			return true;
	}
	return false;
}

static bool is_in_order(const struct block_list *list)
{
	unsigned i;

	for (i = 1; i < list->count; i++)
		if (list->runs[i].first <= list->runs[i - 1].last)
			return false;
	return true;
}

void block_list_intersect(struct block_list *out, const struct block_list *all,
			  const struct block_list *wanted)
{
	/* if both lists are in order, each run is compared with its neighbours only */
	bool in_order = is_in_order(all) && is_in_order(wanted);
	unsigned i, j, from = 0;

	for (i = 0; i < all->count; i++) {
		const struct blocks *whole = &all->runs[i];

		while (in_order && from < wanted->count && wanted->runs[from].last < whole->first)
			from++;
		for (j = from; j < wanted->count; j++) {
			struct blocks run = *whole;

			if (in_order && wanted->runs[j].first > whole->last)
				break;
			if (run.first < wanted->runs[j].first)
				run.first = wanted->runs[j].first;
			if (run.last > wanted->runs[j].last)
				run.last = wanted->runs[j].last;
			if (run.first <= run.last)
				block_list_add(out, &run);
		}
	}
}

/* Add one run without those blocks. */
static void subtract(struct block_list *out, struct blocks run, const struct block_list *without)
{
	unsigned i;

	for (i = 0; i < without->count; i++) {
		const struct blocks *gap = &without->runs[i];
		struct blocks part = run;

		if (gap->last < run.first || gap->first > run.last)
			continue;
		part.last = gap->first - 1;
		if (gap->first > run.first)
			block_list_add(out, &part);
		if (gap->last >= run.last)
			return;
		run.first = gap->last + 1;
	}
	block_list_add(out, &run);
}

void block_list_subtract(struct block_list *out, const struct block_list *all,
			 const struct block_list *without)
{
	unsigned i;

	for (i = 0; i < all->count; i++)
		subtract(out, all->runs[i], without);
}

/* Copy a word, "-" for unknown; false if it is too long or has unexpected characters. */
static bool copy_word(char *out, size_t size, const char *word, const char *more)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	const char *s;

	if (!strcmp(word, "-"))
		word = "";
	if (strlen(word) >= size)
		return false;
	for (s = word; *s; s++)
		if (!strchr(plain, *s) && !strchr(more, *s))
			return false;
	memcpy(out, word, strlen(word) + 1);
	return true;
}

/* "guest RELEASE ROOT AUTO POLICY MEMMAP", and "timed" if the shell's read takes a time limit */
static bool parse_guest(struct guest_memory *g, char *rest)
{
	char *save, *release = strtok_r(rest, " ", &save), *root = strtok_r(NULL, " ", &save);
	char *auto_online = strtok_r(NULL, " ", &save), *policy = strtok_r(NULL, " ", &save);
	char *memmap = strtok_r(NULL, " ", &save), *more = strtok_r(NULL, " ", &save);

	g->is_timed = more && !strcmp(more, "timed");
	if (!memmap || (more && !g->is_timed))
		return false;
	g->is_root = !strcmp(root, "1");
	/* "Y", and since Linux 6.6 also "force" */
	g->memmap_on_memory = !strcmp(memmap, "Y") || !strcmp(memmap, "force");
	return copy_word(g->kernel, sizeof(g->kernel), release, "._+~-") &&
	       copy_word(g->auto_online, sizeof(g->auto_online), auto_online, "_-") &&
	       copy_word(g->online_policy, sizeof(g->online_policy), policy, "_-");
}

/* A number of KiB as bytes; sets @bit in *has unless it is "-". */
static bool parse_kib(const char *word, uint64_t *bytes, unsigned *has, unsigned bit)
{
	uint64_t kib;

	if (word && !strcmp(word, "-"))
		return true;
	if (!word || !parse_u64(word, 10, &kib) || kib > SIZE_LIMIT_BYTES / 1024)
		return false;
	*bytes = kib * 1024;
	*has |= bit;
	return true;
}

/* "memory TOTAL FREE AVAILABLE", in KiB */
static bool parse_memory(struct guest_memory *g, char *rest)
{
	char *save, *total = strtok_r(rest, " ", &save), *free_kib = strtok_r(NULL, " ", &save);
	char *available = strtok_r(NULL, " ", &save);

	return parse_kib(total, &g->total_bytes, &g->has, GUEST_HAS_TOTAL) &&
	       parse_kib(free_kib, &g->free_bytes, &g->has, GUEST_HAS_FREE) &&
	       parse_kib(available, &g->available_bytes, &g->has, GUEST_HAS_AVAILABLE);
}

/* "udev FILE" */
static bool parse_udev(struct guest_memory *g, char *rest)
{
	return copy_word(g->udev_rule, sizeof(g->udev_rule), rest, "/._-+@ ");
}

/* MemFree and the pages are read one after the other: take the nearest page size that Linux has. */
static uint64_t guess_page_bytes(uint64_t free_bytes, uint64_t pages)
{
	uint64_t page_bytes = free_bytes / pages, bytes;

	for (bytes = 4096; bytes <= 65536; bytes *= 4)
		if (page_bytes > bytes - bytes / 4 && page_bytes < bytes + bytes / 4)
			return bytes;
	return 0;
}

/* "free KERNEL MOVABLE", in pages, whose size follows from MemFree */
static bool parse_free(struct guest_memory *g, char *rest)
{
	char *save, *kernel = strtok_r(rest, " ", &save), *movable = strtok_r(NULL, " ", &save);
	uint64_t kernel_pages, movable_pages;

	if (!movable || !parse_u64(kernel, 10, &kernel_pages) ||
	    !parse_u64(movable, 10, &movable_pages) || kernel_pages > PAGES_MAX ||
	    movable_pages > PAGES_MAX)
		return false;
	if (!(g->has & GUEST_HAS_FREE) || !(kernel_pages + movable_pages))
		return true;
	g->page_bytes = guess_page_bytes(g->free_bytes, kernel_pages + movable_pages);
	g->movable_free_bytes = g->free_bytes / (kernel_pages + movable_pages) * movable_pages;
	g->has |= GUEST_HAS_MOVABLE_FREE;
	return true;
}

static bool set_size(struct guest_memory *g, uint64_t bytes)
{
	g->block_size_bytes = bytes;
	return bytes >= BLOCK_SIZE_MIN && bytes <= BLOCK_SIZE_MAX && !(bytes & (bytes - 1));
}

/* "size HEX": block_size_bytes has no prefix */
static bool parse_size(struct guest_memory *g, char *rest)
{
	uint64_t bytes;

	return !strcmp(rest, "-") || (parse_u64(rest, 16, &bytes) && set_size(g, bytes));
}

/* A number up to @most, -1 for "-"; false for anything else. */
static bool parse_small(const char *word, unsigned most, int *out)
{
	uint64_t value;

	*out = -1;
	if (!strcmp(word, "-"))
		return true;
	if (!parse_u64(word, 10, &value) || value > most)
		return false;
	*out = (int)value;
	return true;
}

static bool add_run(struct guest_memory *g, const struct blocks *run)
{
	if (run->first > run->last || run->last > BLOCK_MAX ||
	    (g->blocks.count && run->first <= g->blocks.runs[g->blocks.count - 1].last))
		return false;
	block_list_add(&g->blocks, run);
	return true;
}

/* "blocks FIRST LAST STATE NODE REMOVABLE ZONE [ZONE...]" */
static bool parse_blocks(struct guest_memory *g, char *rest)
{
	char *save, *first = strtok_r(rest, " ", &save), *last = strtok_r(NULL, " ", &save);
	char *state = strtok_r(NULL, " ", &save), *node = strtok_r(NULL, " ", &save);
	char *removable = strtok_r(NULL, " ", &save), *zones = strtok_r(NULL, "", &save);
	struct blocks run = { 0 };
	int number;

	if (!zones || !parse_u64(first, 10, &run.first) || !parse_u64(last, 10, &run.last) ||
	    !parse_small(node, NODE_MAX, &run.node) || !parse_small(removable, 1, &number) ||
	    !copy_word(run.state, sizeof(run.state), state, "-") ||
	    !copy_word(run.zones, sizeof(run.zones), zones, " "))
		return false;
	run.removable = (enum removable)(number + 1); /* -1 is unknown */
	return add_run(g, &run);
}

/* "floor KIB" */
static bool parse_floor(struct guest_memory *g, char *rest)
{
	return pools_parse_floor(&g->pools, rest);
}

/* "pool NODE KIB PAGES FREE SURPLUS" */
static bool parse_pool(struct guest_memory *g, char *rest)
{
	return pools_parse_pool(&g->pools, rest);
}

/* "tails BLOCK PAGES KIB" */
static bool parse_tails(struct guest_memory *g, char *rest)
{
	return pools_parse_tails(&g->pools, rest);
}

/* "cpusets COUNT" */
static bool parse_cpusets(struct guest_memory *g, char *rest)
{
	return pools_parse_cpusets(&g->pools, rest);
}

static const struct {
	const char *word;
	bool (*parse)(struct guest_memory *g, char *rest);
} parsers[] = {
	{ "guest ", parse_guest },     { "memory ", parse_memory }, { "free ", parse_free },
	{ "udev ", parse_udev },       { "size ", parse_size },	    { "blocks ", parse_blocks },
	{ "floor ", parse_floor },     { "pool ", parse_pool },	    { "tails ", parse_tails },
	{ "cpusets ", parse_cpusets },
};

int sysfs_parse(struct guest_memory *g, char *const *lines, unsigned count, struct err *err)
{
	unsigned i;
	size_t j;

	guest_memory_free(g);
	for (i = 0; i < count; i++) {
		for (j = 0; j < ARRAY_SIZE(parsers); j++) {
			size_t len = strlen(parsers[j].word);
			_cleanup_free_ char *rest = NULL;

			if (strncmp(lines[i], parsers[j].word, len) != 0)
				continue;
			rest = xstrdup(lines[i] + len);
			if (!parsers[j].parse(g, rest))
				return err_set(err, ERR_GUEST_UNREACHABLE,
					       "cannot understand the guest: '%.80s'", lines[i]);
		}
	}
	return 0;
}

int sysfs_set_limited(struct guest_memory *g, const char *kernel, bool can_change,
		      uint64_t block_size_bytes, struct err *err)
{
	g->is_agent_only = true;
	g->is_root = can_change;
	if (!copy_word(g->kernel, sizeof(g->kernel), kernel, "._+~-"))
		g->kernel[0] = '\0';
	if (set_size(g, block_size_bytes))
		return 0;
	return err_set(err, ERR_GUEST_UNREACHABLE, "cannot understand the guest: 'size %llx'",
		       (unsigned long long)block_size_bytes);
}

int sysfs_add_blocks(struct guest_memory *g, const struct blocks *run, struct err *err)
{
	if (add_run(g, run))
		return 0;
	return err_set(err, ERR_GUEST_UNREACHABLE,
		       "cannot understand the guest: 'memory%llu' is no memory block",
		       (unsigned long long)run->last);
}

bool sysfs_blocks_of(uint64_t address, uint64_t size_bytes, uint64_t block_size_bytes,
		     struct blocks *out)
{
	*out = (struct blocks){ .node = -1 };
	if (!block_size_bytes || !size_bytes || address % block_size_bytes ||
	    size_bytes % block_size_bytes)
		return false;
	out->first = address / block_size_bytes;
	out->last = out->first + size_bytes / block_size_bytes - 1;
	return true;
}

bool blocks_are_online(const struct blocks *b)
{
	return !strcmp(b->state, "online");
}

bool blocks_are_offline(const struct blocks *b)
{
	return !strcmp(b->state, "offline");
}

enum zone blocks_zone(const struct blocks *b)
{
	if (!blocks_are_online(b) || !b->zones[0] || !strcmp(b->zones, "none"))
		return ZONE_ANY;
	return strcmp(b->zones, "Movable") ? ZONE_KERNEL : ZONE_MOVABLE;
}

void blocks_add_json(struct json_object *object, const struct blocks *b)
{
	json_add_u64(object, "first", true, b->first);
	json_add_u64(object, "last", true, b->last);
	json_add_string(object, "state", b->state[0] ? b->state : NULL);
	json_add_string(object, "zone", blocks_are_online(b) && b->zones[0] ? b->zones : NULL);
	json_add_u64(object, "node", b->node >= 0, (uint64_t)b->node);
	json_add_bool(object, "removable", b->removable, b->removable == REMOVABLE_YES);
}

const char *sysfs_zone_word(enum zone zone)
{
	return zone == ZONE_ANY ? "any" : zone_choices[zone];
}

struct block_sum sysfs_sum(const struct guest_memory *g, int node)
{
	struct block_sum sum = { 0 };
	unsigned i;

	assert(!g->is_partial);
	for (i = 0; i < g->blocks.count; i++) {
		const struct blocks *b = &g->blocks.runs[i];
		uint64_t bytes = (b->last - b->first + 1) * g->block_size_bytes;

		if (node >= 0 && b->node != node)
			continue;
		if (blocks_are_online(b))
			sum.online_bytes += bytes;
		if (blocks_are_offline(b))
			sum.offline_bytes += bytes;
		if (blocks_zone(b) == ZONE_MOVABLE)
			sum.movable_bytes += bytes;
	}
	return sum;
}

const char *blocks_format_state(char out[static STATE_TEXT_MAX], const struct blocks *b)
{
	bool has_zone = blocks_are_online(b) && b->zones[0];

	snprintf(out, STATE_TEXT_MAX, "%s%s%s", b->state, has_zone ? " in zone " : "",
		 has_zone ? b->zones : "");
	return out;
}

const char *blocks_format(char out[static BLOCKS_TEXT_MAX], uint64_t first, uint64_t last)
{
	if (first == last)
		snprintf(out, BLOCKS_TEXT_MAX, "memory%llu", (unsigned long long)first);
	else
		snprintf(out, BLOCKS_TEXT_MAX, "memory%llu-memory%llu", (unsigned long long)first,
			 (unsigned long long)last);
	return out;
}
