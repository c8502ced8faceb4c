/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * answer: what a guest says to a request. What it tells of its memory is a line for each "say" of
 * guest.sh, or an agent's own numbers; what came of the request's changes is data. Must never: know
 * what a line of the memory means.
 */
#ifndef GUEST_ANSWER_H
#define GUEST_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"
#include "lib/stream.h"

/* What came of waiting for blocks and changing them; of several the greatest counts. */
enum result {
	RESULT_DONE,
	RESULT_ABSENT,	/* a block did not appear in time */
	RESULT_STOPPED, /* the change was ended: by the deadline, by memhp or by the guest */
	RESULT_GONE,	/* a block will not appear: the kernel has dealt with the DIMM */
	RESULT_FAILED,	/* a block was refused */
};

#define REASON_MAX 201

/* A run of blocks with equal facts, as an agent tells of them. */
struct agent_run {
	uint64_t first, last;
	bool is_online;
	int can_offline; /* 0, 1; -1: not said */
};

/* What an agent without a shell knows of the guest's memory. */
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
	bool is_cut;	    /* has more lines than are kept */
	bool is_from_agent; /* memory is what it says, not lines */
	struct agent_memory memory;
	enum result result;
	uint64_t block;	      /* that RESULT_FAILED and RESULT_GONE are about */
	char why[REASON_MAX]; /* of RESULT_FAILED: the kernel's reason; "": none given */
	const char *blocker;  /* the kernel's dump of a page; NULL: none; points into a line */
};

void answer_free(struct answer *a);

/* answer_put() - line @i, counted from 0, has come; those before it may come later. A copy is kept,
 * of the first of several. */
void answer_put(struct answer *a, unsigned i, const char *line);

/* answer_add_run() - an agent's next block: part of its last run where that goes on */
void answer_add_run(struct answer *a, const struct agent_run *block);

/* answer_fail() - the block was refused; only the first such is kept */
void answer_fail(struct answer *a, uint64_t block, const char *why);

/* answer_end() - an answer is whole when its last line is "end" and none before is missing; then
 * the "end" is dropped, and true returned */
bool answer_end(struct answer *a);

/* answer_read() - read from the lines of a whole answer what came of the changes; -1 with
 * ERR_GUEST_UNREACHABLE when one makes no sense */
int answer_read(struct answer *a, struct err *err) __attribute__((warn_unused_result));

/* answer_trace() - let @trace, which may be NULL, hear the answer */
void answer_trace(const struct answer *a, const struct trace *trace);

#endif
