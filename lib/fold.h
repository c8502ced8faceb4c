/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * fold: limits how many events are shown. A peer can send as many as it likes; those that come
 * faster than a person reads are only counted. Each kind has its own allowance, so that a flood of
 * one kind hides no other. Must never: print, read a clock.
 */
#ifndef LIB_FOLD_H
#define LIB_FOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FOLD_KINDS_MAX 32 /* the last one collects all others */
#define FOLD_NAME_MAX  40

/* The remaining allowance of a kind. */
struct fold_kind {
	char name[FOLD_NAME_MAX];
	int64_t left; /* lines */
	int64_t seen_ms;
};

/* Zero-initialise it. */
struct fold {
	struct fold_kind kinds[FOLD_KINDS_MAX];
	unsigned kinds_count;
	uint64_t count; /* folded since the last report */
	int64_t told_ms;
};

/*
 * fold_shows() - should one more event of this kind be shown? If not, it is counted.
 * @bytes:	of its text: a long one counts as many lines
 * @now_ms:	CLOCK_MONOTONIC
 */
bool fold_shows(struct fold *f, const char *name, size_t bytes, int64_t now_ms);

/* fold_add() - count @count more that could not be shown */
void fold_add(struct fold *f, uint64_t count, int64_t now_ms);

/* fold_due_ms() - when to report how many were folded; INT64_MAX if none were */
int64_t fold_due_ms(const struct fold *f);

/* fold_take() - how many were folded since the last call */
uint64_t fold_take(struct fold *f, int64_t now_ms);

#endif
