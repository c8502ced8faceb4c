/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * request: what a guest is asked to do, as data: a list of commands, run in order. It becomes text
 * for guest.sh (guest/shell.h), calls of an agent's own commands (guest/agent-blocks.h), or lines
 * for a person (guest/by-hand.h).
 */
#ifndef GUEST_REQUEST_H
#define GUEST_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/zone.h"

enum verb {
	VERB_NONE,		/* do nothing, and answer that */
	VERB_INFO,		/* kernel, policies, memory totals, block size */
	VERB_MEMORY,		/* memory totals */
	VERB_BLOCKS,		/* state, zone and node of the blocks in ranges */
	VERB_BLOCKS_AT,		/* the same for address ranges, after VERB_INFO */
	VERB_SCAN,		/* VERB_INFO, and all blocks */
	VERB_SCAN_NEWS,		/* VERB_SCAN if anything has changed since the last one */
	VERB_APPEAR,		/* wait until the blocks exist */
	VERB_ONLINE_FAST,	/* write the state without reporting the outcome */
	VERB_OFFLINE_FAST,	/* the same; a write that hangs costs the session */
	VERB_ONLINE,		/* block by block, with progress and the reason for a failure */
	VERB_MOVE,		/* the same for blocks that are online in another zone */
	VERB_ONLINE_IF_OFFLINE, /* the same, skipping those that are online in any zone */
	VERB_OFFLINE,
	VERB_FREEZE_POLICY, /* the kernel leaves new memory offline while the session lasts */
	VERB_MARK,	    /* note which devices there are, for VERB_APPEAR */
	VERB_FREE_PAGES,    /* in the kernel's zones and in Movable */
	VERB_UDEV,	    /* a udev rule that brings memory online */
	VERB_POOLS,	    /* huge pages, and vm.min_free_kbytes */
	VERB_HUGE_TAILS,    /* how much of the blocks is in huge pages */
	VERB_REFILL,	    /* give pools as many pages again */
	VERB_CPUSETS,	    /* remember which nodes cpusets may use */
	VERB_RECALL,	    /* let them use those nodes again */
	VERB_BLOCKER,	    /* what the kernel says about the page that it could not move */
	VERBS
};

/* A set of verbs: bit N for verb N. */
typedef uint32_t verb_set;
#define VERB_BIT(verb) (UINT32_C(1) << (verb))

/* Blocks in order, downwards if from is above to; or addresses. */
struct range {
	uint64_t from, to;
};

/* What VERB_REFILL writes. */
struct refill {
	int node;	   /* POOL_ALL: all nodes together */
	uint64_t page_kib; /* 0: for vm.min_free_kbytes */
	uint64_t value;	   /* pages, or KiB */
};

struct command {
	enum verb verb;
	enum zone zone;		/* where blocks go online */
	unsigned seconds;	/* a time limit, if the verb has one */
	bool is_condition;	/* if it fails, the next command is skipped */
	struct range *ranges;	/* owned */
	struct refill *refills; /* owned */
	unsigned ranges_count, refills_count;
};

/* Zero-initialise it. */
struct request {
	struct command *list;
	unsigned count;
};

void request_free(struct request *r);
static inline void request_cleanup(struct request *r)
{
	request_free(r);
}
#define _cleanup_request_ __attribute__((cleanup(request_cleanup)))

/* request_copy() - append the commands of @from; *@to then owns copies */
void request_copy(struct request *to, const struct request *from);

/* request_add() - append a command; the result is valid until the next one is appended */
struct command *request_add(struct request *r, enum verb verb);

/* command_add_range(), command_add_refill() - append one */
void command_add_range(struct command *c, uint64_t from, uint64_t to);
void command_add_refill(struct command *c, const struct refill *refill);

/* request_verbs() - which verbs occur */
verb_set request_verbs(const struct request *r);
bool request_has(const struct request *r, enum verb verb);

/* verb_changes(), verb_is_online() - does the verb change the state of blocks; are they online
 * afterwards? */
bool verb_changes(enum verb verb);
bool verb_is_online(enum verb verb);

/*
 * request_blocks() - how many blocks the request changes with progress reports: all but those of
 * VERB_ONLINE_FAST
 * request_position() - position of @block among them, from 1; 0 if absent
 * request_zone() - the zone that all of them go to; ZONE_ANY if they do not all go to one
 */
uint64_t request_blocks(const struct request *r);
uint64_t request_position(const struct request *r, uint64_t block);
enum zone request_zone(const struct request *r);

#endif
