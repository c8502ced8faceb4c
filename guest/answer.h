/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * answer: what a guest says to one line of commands, a line for each "say" of guest.sh. Must
 * never: know what a line means.
 */
#ifndef GUEST_ANSWER_H
#define GUEST_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/stream.h"

/* Zero-initialise it. */
struct answer {
	char **lines;
	unsigned count;
	size_t bytes; /* of all lines */
	bool is_cut;  /* has more lines than are kept */
};

void answer_free(struct answer *a);

/* answer_put() - line @i, counted from 0, has come; those before it may come later. A copy is kept,
 * of the first of several. */
void answer_put(struct answer *a, unsigned i, const char *line);

/* answer_addf() - the next line */
void answer_addf(struct answer *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* answer_trace() - let @trace, which may be NULL, hear the lines */
void answer_trace(const struct answer *a, const struct trace *trace);

/* answer_finish() - an answer is whole when its last line is "end" and none before is missing; then
 * the "end" is dropped, and true returned */
bool answer_finish(struct answer *a);

#endif
