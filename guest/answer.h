/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * answer: what a guest answers to a request. What it reports about its memory stays text, a line
 * for each "say" of guest.sh, or an agent's own numbers; the outcome of the changes is data. Must
 * never: know what a line about memory means.
 */
#ifndef GUEST_ANSWER_H
#define GUEST_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"
#include "lib/stream.h"

/* The outcome of waiting for blocks and changing them; of several, the greatest counts. */
enum result {
	RESULT_DONE,
	RESULT_ABSENT,	/* a block did not appear in time */
	RESULT_STOPPED, /* the change was stopped: at the deadline, by memhp or by the guest */
	RESULT_GONE,	/* a block will not appear: the kernel has finished with the DIMM */
	RESULT_FAILED,	/* a block was refused */
};

#define REASON_MAX 201

/* A run of blocks in the same state, as an agent reports them. */
struct agent_run {
	uint64_t first, last;
	bool is_online;
	int can_offline; /* 0, 1; -1: unknown */
};

/* What an agent without a shell knows about the guest's memory. */
struct agent_memory {
	bool has_info; /* the first three are known */
	char kernel[80];
	bool can_change;
	uint64_t block_size_bytes;
	struct agent_run *runs; /* owned; ascending */
	unsigned runs_count;
};

/* Zero-initialise it. */
struct answer {
	char **lines;
	unsigned count;
	size_t bytes;	    /* of all lines */
	bool is_cut;	    /* it had more lines than are kept */
	bool is_from_agent; /* the memory is in the agent's numbers, not in lines */
	struct agent_memory memory;
	enum result result;
	uint64_t block;	      /* of RESULT_FAILED and RESULT_GONE */
	char why[REASON_MAX]; /* of RESULT_FAILED: the kernel's reason; "": none given */
	const char *blocker;  /* the kernel's dump of a page; NULL: none; points into a line */
};

void answer_free(struct answer *a);

/* answer_put() - keep a copy of line @i, counted from 0; lines may come in any order. If one comes
 * twice, the first counts. */
void answer_put(struct answer *a, unsigned i, const char *line);

/* answer_add_run() - add an agent's next block: extends the last run where it continues that */
void answer_add_run(struct answer *a, const struct agent_run *block);

/* answer_fail() - record that the block was refused; only the first one is kept */
void answer_fail(struct answer *a, uint64_t block, const char *why);

/* answer_end() - is the answer complete: its last line is "end" and none before is missing? Drops
 * the "end" then. */
bool answer_end(struct answer *a);

/* answer_read() - read the outcome of the changes from the lines of a complete answer; -1 with
 * ERR_GUEST_UNREACHABLE when one makes no sense */
int answer_read(struct answer *a, struct err *err) __attribute__((warn_unused_result));

/* answer_trace() - show the answer to @trace, which may be NULL */
void answer_trace(const struct answer *a, const struct trace *trace);

#endif
