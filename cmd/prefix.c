/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The numbers that begin with the typed digits. */
#include <string.h>

#include "cmd/prefix.h"
#include "lib/util.h"

#define DIGITS_MAX  7 /* of a block's number: sysfs.c */
#define NUMBERS_END 10000000

/* A search, and who gets the results. */
struct search {
	const struct block_list *list;
	prefix_fn *tell;
	void *context;
	uint64_t left; /* to report; 0: only count */
};

/* Numbers with the same first digits; no digit: all. */
struct stem {
	uint64_t number;
	unsigned digits;
};

/* Count the blocks numbered @first to @last in the list, and report up to s->left of them. */
static uint64_t visit(struct search *s, uint64_t first, uint64_t last)
{
	uint64_t count = 0;
	unsigned i;

	for (i = 0; i < s->list->count; i++) {
		const struct blocks *run = &s->list->runs[i];
		uint64_t from = first > run->first ? first : run->first;
		uint64_t to = last < run->last ? last : run->last;

		if (from > to)
			continue;
		count += to - from + 1;
		for (; s->left && from <= to; s->left--)
			s->tell(s->context, from++, run);
	}
	return count;
}

/* The same for 3, 30 to 39, 300 to 399, ... */
static uint64_t visit_stem(struct search *s, struct stem stem)
{
	uint64_t count, width = 10;

	if (!stem.digits)
		return visit(s, 0, NUMBERS_END - 1);
	count = visit(s, stem.number, stem.number);
	for (; stem.number && stem.digits < DIGITS_MAX; stem.digits++, width *= 10)
		count += visit(s, stem.number * width, stem.number * width + width - 1);
	return count;
}

static struct stem longer(struct stem stem, unsigned digit)
{
	return (struct stem){ stem.number * 10 + digit, stem.digits + 1 };
}

/* How many of the ten digits can follow, plus 10 if the number can end here, so that the candidates
 * differ at once. */
static unsigned count_branches(struct search *s, struct stem stem)
{
	unsigned digit, branches = 0;

	for (digit = 0; digit < 10; digit++)
		branches += !!visit_stem(s, longer(stem, digit));
	if (stem.digits && visit(s, stem.number, stem.number))
		branches += 10;
	return branches;
}

/* Report @most numbers with this stem: all, or some for each digit that can follow. */
static void spread(struct search *s, struct stem stem, unsigned most)
{
	uint64_t count = visit_stem(s, stem);
	unsigned digit, share;

	if (count <= most || most < 10 || stem.digits == DIGITS_MAX) {
		s->left = count < most ? count : most;
		visit_stem(s, stem);
		s->left = 0;
		return;
	}
	share = count_branches(s, stem) == 1 ? most : most / 10;
	if (stem.digits) {
		s->left = 1;
		visit(s, stem.number, stem.number);
		s->left = 0;
	}
	for (digit = 0; digit < 10; digit++)
		if (stem.number || !stem.digits)
			spread(s, longer(stem, digit), share);
}

void prefix_each(const struct block_list *list, const char *digits, unsigned most, prefix_fn *tell,
		 void *context)
{
	struct search s = { .list = list, .tell = tell, .context = context };
	struct stem stem = { .digits = (unsigned)strnlen(digits, DIGITS_MAX + 1) };

	if (stem.digits > DIGITS_MAX || (digits[0] == '0' && stem.digits > 1) ||
	    (stem.digits && !parse_u64(digits, 10, &stem.number)))
		return;
	spread(&s, stem, most);
}
