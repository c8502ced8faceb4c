/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * agent-blocks: serves a request without a shell, as far as the memory-block commands of a
 * qemu-guest-agent without guest-exec allow. They give the block size, the kernel, and which blocks
 * exist and are online (all others are offline); they write "online" and "offline". They know no
 * zones, nodes, policies or totals, and cannot stop a write that hangs.
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
	bool is_waiting; /* for the block list: agent_blocks_run() returned at @until_ms */
	/* the last request to guest-set-memory-blocks */
	uint64_t block;
	bool is_online;
};

/*
 * agent_blocks_open() - read from the agent what does not change
 * @a:	open; borrowed as long as @b is used
 * Return: 0; 1 when the agent does not allow these commands either, @err untouched; -1
 */
int agent_blocks_open(struct agent_blocks *b, struct agent *a, struct deadline *d, struct err *err)
	__attribute__((warn_unused_result));

/*
 * agent_blocks_run() - serve a request, once the agent has answered the one before
 * @answer:	replaced; the caller releases it
 * @until_ms:	a limit before the deadline, or DEADLINE_NEVER; only applies while a request that
 *		asks for nothing else waits for the block list
 * Return: 1; 0 at @until_ms: call again with the same request; -1 as guest_receive(); a request is
 * still under way if agent->awaited is set
 */
int agent_blocks_run(struct agent_blocks *b, const struct request *r, struct answer *answer,
		     int64_t until_ms, struct deadline *d, struct err *err)
	__attribute__((warn_unused_result));

/* agent_blocks_finish() - wait until the write ends by itself: nothing can stop one that hangs */
int agent_blocks_finish(struct agent_blocks *b, struct deadline *d, struct err *err)
	__attribute__((warn_unused_result));

#endif
