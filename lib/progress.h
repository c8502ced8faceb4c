/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * progress: how far a job has come, and that as one line of text. What does the work counts
 * what is really done; nothing here is guessed but the time left, from what was done so far. Must
 * never: print, or look at the clock.
 */
#ifndef LIB_PROGRESS_H
#define LIB_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/util.h"

struct progress {
	const char *phase;  /* what is going on: "online"; NULL: nothing to show; borrowed */
	const char *remark; /* what else there is to know of the phase; NULL: nothing; borrowed */
	const char *unit;   /* what is counted: "blocks"; NULL: bytes alone are; borrowed */
	const char *zone;   /* where the memory goes; NULL: nowhere in particular; borrowed */
	uint64_t total, total_bytes; /* that there are to do */
	uint64_t done, done_bytes;   /* valid with is_counted */
	bool is_counted;
	bool is_part;	      /* the phase ends before all is done, and comes again */
	uint64_t first_bytes; /* done when counting began ... */
	int64_t first_ms;     /* ... and when that was (CLOCK_MONOTONIC) */
	int64_t moved_ms;     /* when something was done last */
};

/* progress_begin() - a phase begins, of which nothing is known yet; NULL: nothing goes on */
void progress_begin(struct progress *p, const char *phase);

/*
 * progress_expect() - what there is to do in this phase
 * @unit, @zone: as in struct progress
 * @total:	of units; 0 without one
 */
void progress_expect(struct progress *p, const char *unit, uint64_t total, uint64_t total_bytes,
		     const char *zone);

/* progress_reach() - so much of it is done now; less than before, or than there is, is not believed
 */
void progress_reach(struct progress *p, uint64_t done, uint64_t done_bytes, int64_t now_ms);

/*
 * progress_left_ms() - how long the rest will take at the pace so far
 * Return: milliseconds; -1 when that cannot be told: too little is done, or it has come to a halt
 */
int64_t progress_left_ms(const struct progress *p, int64_t now_ms);

/*
 * progress_format() - append the line: "online  [####----]  212/512 blocks  4 s left". What has no
 * room is left out, the least wanted first.
 * @elapsed_ms:	of the whole command: shown where the time left is not known
 * @columns:	it may take
 */
void progress_format(const struct progress *p, int64_t elapsed_ms, int64_t now_ms, unsigned columns,
		     struct buf *line);

#endif
