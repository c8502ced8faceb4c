/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * progress: how far a job has come, and a line of text that shows it. The job counts what is
 * really done; only the time left is an estimate, from the work so far. Must never: print, or read
 * the clock.
 */
#ifndef LIB_PROGRESS_H
#define LIB_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/util.h"

struct progress {
	const char *phase;	     /* such as "online"; NULL: nothing to show; borrowed */
	const char *remark;	     /* a note about the phase; NULL: none; borrowed */
	const char *unit;	     /* what is counted: "blocks"; NULL: only bytes; borrowed */
	const char *zone;	     /* of the memory; NULL: none in particular; borrowed */
	uint64_t total, total_bytes; /* to do */
	uint64_t done, done_bytes;   /* valid with is_counted */
	bool is_counted;
	bool is_part;	      /* the phase ends before all is done, and is repeated */
	uint64_t first_bytes; /* done when counting began ... */
	int64_t first_ms;     /* ... and when that was (CLOCK_MONOTONIC) */
	int64_t moved_ms;     /* when there was progress last */
};

/* progress_begin() - a phase begins, with nothing known about it yet; NULL: no phase */
void progress_begin(struct progress *p, const char *phase);

/*
 * progress_expect() - set what there is to do in this phase
 * @unit, @zone: as in struct progress
 * @total:	of units; 0 without one
 */
void progress_expect(struct progress *p, const char *unit, uint64_t total, uint64_t total_bytes,
		     const char *zone);

/* progress_reach() - record progress; ignored if it goes backwards or exceeds the total */
void progress_reach(struct progress *p, uint64_t done, uint64_t done_bytes, int64_t now_ms);

/*
 * progress_left_ms() - how long the rest will take at the pace so far
 * Return: milliseconds; -1 if unknown: too little is done, or it has stalled
 */
int64_t progress_left_ms(const struct progress *p, int64_t now_ms);

/*
 * progress_format() - append the line: "online  [####----]  212/512 blocks  4 s left". Parts that
 * do not fit are left out, the least important first.
 * @elapsed_ms:	of the whole command: shown if the time left is unknown
 * @columns:	available
 */
void progress_format(const struct progress *p, int64_t elapsed_ms, int64_t now_ms, unsigned columns,
		     struct buf *line);

#endif
