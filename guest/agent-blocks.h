/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * agent-blocks: a request without a shell: as far as a qemu-guest-agent that does not allow
 * guest-exec can serve it by its own commands for memory blocks. It knows block size, kernel, and
 * which blocks there are and online (all others are offline); it writes "online" and "offline". It
 * knows no zones, nodes, policies or sums, and does not end a write that hangs.
 */
#ifndef GUEST_AGENT_BLOCKS_H
#define GUEST_AGENT_BLOCKS_H

#include <stdbool.h>
#include <stdint.h>

#include "guest/agent.h"
#include "guest/answer.h"
#include "guest/request.h"
#include "lib/deadline.h"
#include "lib/err.h"

/* Zero-initialise it. */
struct agent_blocks {
	struct agent *agent; /* borrowed */
	bool can_change;     /* guest-set-memory-blocks is allowed */
	char kernel[80];     /* "-": not known */
	uint64_t block_bytes;
	bool is_waiting; /* for the list of blocks, as agent_blocks_run() has ended at @until_ms */
	/* what guest-set-memory-blocks was asked for last */
	uint64_t block;
	bool is_online;
};

/*
 * agent_blocks_open() - ask an agent for what does not change
 * @a:	open; borrowed as long as @b is used
 * Return: 0; 1 when it does not allow these commands either, @err untouched; -1
 */
int agent_blocks_open(struct agent_blocks *b, struct agent *a, struct deadline *d, struct err *err)
	__attribute__((warn_unused_result));

/*
 * agent_blocks_run() - serve a request, when the agent has answered what it was asked before
 * @answer:	replaced; the caller releases it
 * @until_ms:	a sooner limit than the deadline, or DEADLINE_NEVER; heeded only while the list of
 *		blocks is awaited by a request that asks for nothing else
 * Return: 1; 0 at @until_ms, to be called again with the same request; -1 as guest_receive(), and
 * where agent->awaited is set, with a request under way
 */
int agent_blocks_run(struct agent_blocks *b, const struct request *r, struct answer *answer,
		     int64_t until_ms, struct deadline *d, struct err *err)
	__attribute__((warn_unused_result));

/* agent_blocks_finish() - nothing ends a write that hangs: wait until it has ended by itself */
int agent_blocks_finish(struct agent_blocks *b, struct deadline *d, struct err *err)
	__attribute__((warn_unused_result));

#endif
