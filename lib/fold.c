/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Limits how many events are shown. */
#include <stdio.h>
#include <string.h>

#include "lib/fold.h"

/* Per kind, in a burst and per second. All blocks of a large guest may change at once, and plugging
 * or unplugging 256 DIMMs makes 768 events of one kind. */
#define BURST_LINES  32768
#define SECOND_LINES 500

#define LINE_BYTES 1024
#define TELL_MS	   1000

static struct fold_kind *find_kind(struct fold *f, const char *name)
{
	struct fold_kind *kind = f->kinds;

	while (kind < f->kinds + f->kinds_count &&
	       strncmp(kind->name, name, FOLD_NAME_MAX - 1) != 0)
		kind++;
	if (kind == f->kinds + FOLD_KINDS_MAX)
		return kind - 1;
	if (kind == f->kinds + f->kinds_count) {
		f->kinds_count++;
		*kind = (struct fold_kind){ .left = BURST_LINES };
		snprintf(kind->name, FOLD_NAME_MAX, "%s", name);
	}
	return kind;
}

/* A kind's allowance grows with time. */
static void refill(struct fold_kind *kind, int64_t now_ms)
{
	int64_t lines = (now_ms - kind->seen_ms) * SECOND_LINES / 1000;

	if (lines <= 0)
		return;
	kind->left = lines < BURST_LINES - kind->left ? kind->left + lines : BURST_LINES;
	kind->seen_ms = now_ms;
}

bool fold_shows(struct fold *f, const char *name, size_t bytes, int64_t now_ms)
{
	struct fold_kind *kind = find_kind(f, name);

	refill(kind, now_ms);
	if (kind->left > 0) {
		kind->left -= 1 + (int64_t)(bytes / LINE_BYTES);
		return true;
	}
	fold_add(f, 1, now_ms);
	return false;
}

void fold_add(struct fold *f, uint64_t count, int64_t now_ms)
{
	if (!f->count)
		f->told_ms = now_ms;
	f->count += count;
}

int64_t fold_due_ms(const struct fold *f)
{
	return f->count ? f->told_ms + TELL_MS : INT64_MAX;
}

uint64_t fold_take(struct fold *f, int64_t now_ms)
{
	uint64_t count = f->count;

	f->count = 0;
	f->told_ms = now_ms;
	return count;
}
