/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pick sizes that add up to a total. */
#include <stdlib.h>
#include <string.h>

#include "hotplug/pick.h"
#include "lib/util.h"

/*
 * Beyond this number of sums, not all are tried. At this limit 1024 sizes take a tenth of a second
 * and 34 MB: the set of sums holds 64 in a word.
 */
#define SUMS_MAX (UINT64_C(1) << 24)

/* The sums reached so far, in units, and how each was reached. */
struct reached {
	uint64_t *set;	/* a bit for each sum */
	uint16_t *last; /* index from 1 of the size added last to reach it; 0: not reached */
	uint64_t greatest;
};

static uint64_t greatest_divisor(uint64_t a, uint64_t b)
{
	while (b) {
		uint64_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

/* The greatest common divisor of all sizes; 0 if that leaves too many sums to try. */
static uint64_t unit_of(const uint64_t *sizes, unsigned count, uint64_t total)
{
	uint64_t unit = 0;
	unsigned i;

	for (i = 0; i < count; i++)
		unit = greatest_divisor(unit, sizes[i]);
	return !unit || total / unit > SUMS_MAX ? 0 : unit;
}

/* Word @i of the set shifted up by @size bits. */
static uint64_t moved_word(const uint64_t *set, uint64_t i, uint64_t size)
{
	uint64_t from = size / 64, bits = size % 64, word;

	if (i < from)
		return 0;
	word = set[i - from] << bits;
	if (bits && i > from)
		word |= set[i - from - 1] >> (64 - bits);
	return word;
}

/* Add the size @number to each sum reached. From the top down, so that it is not added twice. */
static void add_size(struct reached *r, uint64_t size, uint16_t number)
{
	uint64_t i;

	r->greatest += size;
	for (i = r->greatest / 64 + 1; i-- > size / 64;) {
		uint64_t fresh = moved_word(r->set, i, size) & ~r->set[i];

		r->set[i] |= fresh;
		for (; fresh; fresh &= fresh - 1)
			r->last[i * 64 + (unsigned)__builtin_ctzll(fresh)] = number;
	}
}

/* The first way to reach a sum is kept, so that earlier sizes are preferred. */
static uint16_t *reach(const uint64_t *sizes, unsigned count, uint64_t unit, uint64_t sums)
{
	struct reached r = { .set = xcalloc(sums / 64 + 1, sizeof(*r.set)),
			     .last = xcalloc(sums / 64 * 64 + 64, sizeof(*r.last)) };
	unsigned i;

	r.set[0] = 1;
	for (i = 0; i < count; i++)
		add_size(&r, sizes[i] / unit, (uint16_t)(i + 1));
	free(r.set);
	return r.last;
}

/* The largest sum below @least and the smallest above @most, both at most @sums. */
static void find_neighbours(const uint16_t *last, uint64_t sums, uint64_t least, uint64_t most,
			    struct choice *out)
{
	uint64_t below = least - 1 < sums ? least - 1 : sums, above = most + 1;

	while (below && !last[below])
		below--;
	while (above <= sums && !last[above])
		above++;
	out->below = below;
	out->above = above <= sums ? above : 0;
}

/* Take every size that still fits, from @first on; returns the sum, at most @least. */
static uint64_t take_fitting(const uint64_t *sizes, unsigned count, unsigned first, uint64_t least,
			     bool *chosen)
{
	uint64_t sum = 0;
	unsigned i;

	memset(chosen, 0, count * sizeof(*chosen));
	for (i = first; i < count; i++) {
		chosen[i] = sizes[i] <= least - sum;
		sum += chosen[i] ? sizes[i] : 0;
	}
	return sum;
}

/* For too many sums: try greedily from each size on, and report no more than is known. */
static bool choose_greedily(const uint64_t *sizes, unsigned count, uint64_t least, bool *chosen,
			    struct choice *out)
{
	unsigned first;

	for (first = 0; first < count; first++) {
		out->sum = take_fitting(sizes, count, first, least, chosen);
		if (out->sum == least)
			return true;
	}
	memset(chosen, 0, count * sizeof(*chosen));
	*out = (struct choice){ .is_unknown = true };
	return false;
}

/* The sum of all sizes; false on overflow or with more sizes than can be numbered. */
static bool add_up(const uint64_t *sizes, unsigned count, uint64_t *total)
{
	unsigned i;

	*total = 0;
	for (i = 0; i < count; i++)
		if (__builtin_add_overflow(*total, sizes[i], total))
			return false;
	return count < UINT16_MAX;
}

bool choose_sum(const uint64_t *sizes, unsigned count, uint64_t least, uint64_t most, bool *chosen,
		struct choice *out)
{
	_cleanup_free_ uint16_t *last = NULL;
	uint64_t total, unit, sums, from, to, sum;
	unsigned i;

	*out = (struct choice){ 0 };
	memset(chosen, 0, count * sizeof(*chosen));
	if (!count || !least)
		return !least;
	unit = add_up(sizes, count, &total) ? unit_of(sizes, count, total) : 0;
	if (!unit)
		return choose_greedily(sizes, count, least, chosen, out);
	sums = total / unit;
	from = least / unit + !!(least % unit);
	to = most / unit < sums ? most / unit : sums;
	last = reach(sizes, count, unit, sums);
	for (sum = from; sum < to && !last[sum]; sum++)
		;
	if (sum > to || !last[sum]) {
		find_neighbours(last, sums, from, to, out);
		out->below *= unit;
		out->above *= unit;
		return false;
	}
	out->sum = sum * unit;
	for (; sum; sum -= sizes[i] / unit) {
		i = last[sum] - 1u;
		chosen[i] = true;
	}
	return true;
}
