/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * request: what a guest is asked to do, as data: commands, done in their order. Three things are
 * made of it: text for guest.sh (guest/shell.h), calls of an agent's own commands
 * (guest/agent-blocks.h), and lines for a person (guest/by-hand.h).
 */
#ifndef GUEST_REQUEST_H
#define GUEST_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/zone.h"

enum verb {
	VERB_NONE,		/* do nothing, and say so */
	VERB_INFO,		/* kernel, policies, sums of memory, block size */
	VERB_MEMORY,		/* sums of memory */
	VERB_BLOCKS,		/* state, zone and node of the blocks of ranges */
	VERB_BLOCKS_AT,		/* the same for ranges of addresses, behind VERB_INFO */
	VERB_SCAN,		/* VERB_INFO, and all blocks */
	VERB_SCAN_NEWS,		/* VERB_SCAN, if anything has changed since the last one */
	VERB_APPEAR,		/* wait until the blocks are there */
	VERB_ONLINE_FAST,	/* write the state, and say nothing of what came of it */
	VERB_OFFLINE_FAST,	/* the same; a write that hangs costs the session */
	VERB_ONLINE,		/* block after block, with progress and the reason of a failure */
	VERB_MOVE,		/* the same for blocks that are online in another zone */
	VERB_ONLINE_IF_OFFLINE, /* the same, leaving those alone that are online in any zone */
	VERB_OFFLINE,
	VERB_FREEZE_POLICY, /* the kernel is to leave new memory offline, while the session lasts */
	VERB_MARK,	    /* note which devices there are, for VERB_APPEAR */
	VERB_FREE_PAGES,    /* of the kernel's zones and of Movable */
	VERB_UDEV,	    /* a rule that brings memory online */
	VERB_POOLS,	    /* huge pages, and vm.min_free_kbytes */
	VERB_HUGE_TAILS,    /* how much of the blocks is part of huge pages */
	VERB_REFILL,	    /* let pools have so many pages again */
	VERB_CPUSETS,	    /* keep in mind which nodes cpusets may use */
	VERB_RECALL,	    /* let them use those again */
	VERB_BLOCKER,	    /* what the kernel says of the page that it could not move */
	VERBS
};

/* A set of verbs: bit N for verb N. */
typedef uint32_t verb_set;
#define VERB_BIT(verb) (UINT32_C(1) << (verb))

/* One block after the other, downwards where from is above to; or addresses. */
struct range {
	uint64_t from, to;
};

/* What VERB_REFILL writes. */
struct refill {
	int node;	   /* POOL_ALL: of all nodes together */
	uint64_t page_kib; /* 0: it is vm.min_free_kbytes */
	uint64_t value;	   /* pages, or KiB */
};

struct command {
	enum verb verb;
	enum zone zone;		/* where blocks go online */
	unsigned seconds;	/* a limit of time, where the verb has one */
	bool is_condition;	/* when it fails, the next command is left out */
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

/* request_add() - append a command; returned until the next one is appended */
struct command *request_add(struct request *r, enum verb verb);

/* command_add_range(), command_add_refill() - append one */
void command_add_range(struct command *c, uint64_t from, uint64_t to);
void command_add_refill(struct command *c, const struct refill *refill);

/* request_verbs() - which verbs occur */
verb_set request_verbs(const struct request *r);
bool request_has(const struct request *r, enum verb verb);

/* verb_changes(), verb_is_online() - does the verb change the state of blocks; are they online
 * then? */
bool verb_changes(enum verb verb);
bool verb_is_online(enum verb verb);

/*
 * request_blocks() - how many blocks the request changes, of which it can tell how far it has come:
 * all but those of VERB_ONLINE_FAST
 * request_position() - position of @block among them, from 1; 0 if it is none of them
 * request_zone() - where all of them go; ZONE_ANY when they do not all go to one zone
 */
uint64_t request_blocks(const struct request *r);
uint64_t request_position(const struct request *r, uint64_t block);
enum zone request_zone(const struct request *r);

#endif
