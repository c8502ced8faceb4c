/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * sysfs: the guest's memory as data: blocks, states, zones, policies
 * (Documentation/admin-guide/mm/memory-hotplug.rst of Linux), as guest.sh's scan reports them,
 * parsed strictly. Must never: talk to the guest.
 */
#ifndef SYSFS_H
#define SYSFS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"
#include "lib/json.h"
#include "lib/pools.h"
#include "lib/zone.h"

enum removable { REMOVABLE_UNKNOWN, REMOVABLE_NO, REMOVABLE_YES };

/* A run of memory blocks that agree in everything. */
struct blocks {
	uint64_t first, last; /* block numbers, both included: memory<first> .. memory<last> */
	char state[16];	      /* "online", "offline", "going-offline"; "" if unknown */
	char zones[48];	      /* "Movable" if online, "Normal Movable" if offline; "" if unknown */
	int node;	      /* -1 if unknown */
	enum removable removable;
};

/* A list of runs; zero-initialise it. */
struct block_list {
	struct blocks *runs;
	unsigned count;
};

/* Each 4 KiB page has a 64-byte struct page in the kernel's memory map. */
#define MAP_SHARE 64

enum {
	GUEST_HAS_TOTAL = 1,
	GUEST_HAS_FREE = 2,
	GUEST_HAS_AVAILABLE = 4,
	GUEST_HAS_MOVABLE_FREE = 8
};

/* What a guest has reported. */
struct guest_memory {
	bool is_partial; /* only some of its blocks: they cannot be summed up */
	char kernel[80];
	bool is_root;	    /* block states can be written */
	bool is_timed;	    /* its shell can read with a limit of time */
	bool is_agent_only; /* an agent answers without a shell: zones, nodes, sums and policies are
			    unknown, the zone is the kernel's choice */
	char auto_online[24]; /* auto_online_blocks: "offline", "online", "online_movable", ...; ""
				 unknown */
	char online_policy[24]; /* "contig-zones", "auto-movable"; "" unknown */
	char udev_rule[128];	/* a file of the guest that brings memory online; "" none; only from
				   "udev" */
	bool memmap_on_memory;	/* the parameter is on; for its effect see hotplug/memmap.h */
	uint64_t page_bytes;	/* 0: unknown; only from "buddy" */
	uint64_t block_size_bytes;			   /* 0: the kernel has no memory hotplug */
	unsigned has;					   /* GUEST_HAS_* */
	uint64_t total_bytes, free_bytes, available_bytes; /* /proc/meminfo */
	uint64_t movable_free_bytes;			   /* of free_bytes; only from "buddy" */
	struct block_list blocks;			   /* ascending */
	struct pools pools;				   /* only from "pool" and "tails" */
};

/* zone_choices - the words of --zone, by enum zone */
extern const char *const zone_choices[];

/*
 * sysfs_parse() - parse the answer to a scan; lines of other commands are ignored
 * @g:		replaced; the caller frees it
 * @err:	ERR_GUEST_UNREACHABLE if the answer makes no sense
 */
int sysfs_parse(struct guest_memory *g, char *const *lines, unsigned count, struct err *err)
	__attribute__((warn_unused_result));
void guest_memory_free(struct guest_memory *g);

/*
 * sysfs_set_limited(), sysfs_add_blocks() - fill in what an agent without a shell reports, as
 * strictly (the rest is unknown); add its next run of blocks, ascending
 * @kernel:	its release; "-": unknown
 * Return: 0; -1 with ERR_GUEST_UNREACHABLE if it makes no sense
 */
int sysfs_set_limited(struct guest_memory *g, const char *kernel, bool can_change,
		      uint64_t block_size_bytes, struct err *err)
	__attribute__((warn_unused_result));
int sysfs_add_blocks(struct guest_memory *g, const struct blocks *run, struct err *err)
	__attribute__((warn_unused_result));

/* block_list_add() - append a run; extends the last one if it continues that and agrees with it */
void block_list_add(struct block_list *list, const struct blocks *run);
void block_list_free(struct block_list *list);
/* block_list_sort() - sort by first block, and merge; each block once */
void block_list_sort(struct block_list *list);
uint64_t block_list_blocks(const struct block_list *list);
/* block_list_find() - the run with that block in an ascending list, or NULL; owned by the list */
const struct blocks *block_list_find(const struct block_list *list, uint64_t block);
/* block_list_lacks() - does an ascending list lack a block from @first to @last? *block receives
 * the first missing one */
bool block_list_lacks(const struct block_list *list, uint64_t first, uint64_t last,
		      uint64_t *block);
/* block_list_intersect() - add to @out the runs of @all, limited to the blocks of @wanted */
void block_list_intersect(struct block_list *out, const struct block_list *all,
			  const struct block_list *wanted);
/* block_list_subtract() - add to @out the runs of @all without the blocks of @without, which
 * ascends */
void block_list_subtract(struct block_list *out, const struct block_list *all,
			 const struct block_list *without);

/*
 * sysfs_blocks_of() - the blocks that hold guest-physical memory: memoryN starts at N x block size
 * Return: false if the memory does not begin and end at block boundaries
 */
bool sysfs_blocks_of(uint64_t address, uint64_t size_bytes, uint64_t block_size_bytes,
		     struct blocks *out);

bool blocks_are_online(const struct blocks *b);
bool blocks_are_offline(const struct blocks *b);
/* blocks_zone() - ZONE_MOVABLE or ZONE_KERNEL for online blocks in one zone, else ZONE_ANY */
enum zone blocks_zone(const struct blocks *b);

/* blocks_continue() - does @b begin where @a ends, and agree with it? */
bool blocks_continue(const struct blocks *a, const struct blocks *b);

/* blocks_add_json() - add "first", "last" and the properties of a run to @object */
void blocks_add_json(struct json_object *object, const struct blocks *b);

/* sysfs_zone_word() - "auto", "movable", "kernel", "any": as guest.sh and --zone say it */
const char *sysfs_zone_word(enum zone zone);

/* A sum of blocks, by state and zone. */
struct block_sum {
	uint64_t online_bytes, offline_bytes;
	uint64_t movable_bytes; /* of those online; the others are the kernel's, including
				   boot memory in several zones */
};

/* sysfs_sum() - sum up the blocks of one NUMA node, or (-1) all; @g must not be partial */
struct block_sum sysfs_sum(const struct guest_memory *g, int node);

/* blocks_format_state() - "offline", "online in zone Movable", or "online" if the zone is unknown;
 * returns @out */
#define STATE_TEXT_MAX 96
const char *blocks_format_state(char out[static STATE_TEXT_MAX], const struct blocks *b);

/* blocks_format() - "memory32-memory35" or "memory32"; returns @out */
#define BLOCKS_TEXT_MAX 64
const char *blocks_format(char out[static BLOCKS_TEXT_MAX], uint64_t first, uint64_t last);

#endif
