/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which DIMMs add up to a size. */
#include <stdlib.h>
#include <string.h>

#include "choose.h"
#include "util.h"

#define SUMS_MAX (UINT64_C(1) << 24) /* more different sums are not looked at one by one */

static uint64_t greatest_divisor(uint64_t a, uint64_t b)
{
	while (b) {
		uint64_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

/* The unit in which all sums are whole numbers; 0 where there are too many sums to look at. */
static uint64_t unit_of(const uint64_t *sizes, unsigned count, uint64_t total)
{
	uint64_t unit = 0;
	unsigned i;

	for (i = 0; i < count; i++)
		unit = greatest_divisor(unit, sizes[i]);
	return !unit || total / unit > SUMS_MAX ? 0 : unit;
}

/*
 * For each sum the size, counted from 1, that was added last to reach it; 0: out of reach. Whatever
 * was reached first stays, so that early sizes are taken where there is a choice.
 */
static uint16_t *reach(const uint64_t *sizes, unsigned count, uint64_t unit, uint64_t sums)
{
	uint16_t *last = xcalloc(sums + 1, sizeof(*last));
	uint64_t reached = 0, sum;
	unsigned i;

	for (i = 0; i < count; i++) {
		uint64_t size = sizes[i] / unit;

		for (sum = reached + 1; sum-- > 0;)
			if ((!sum || last[sum]) && !last[sum + size])
				last[sum + size] = (uint16_t)(i + 1);
		reached += size;
	}
	return last;
}

static void find_neighbours(const uint16_t *last, uint64_t sums, uint64_t least, uint64_t most,
			    struct choice *out)
{
	uint64_t sum;

	for (sum = 1; sum <= sums && sum < least; sum++)
		if (last[sum])
			out->below = sum;
	for (sum = sums; sum > most; sum--)
		if (last[sum])
			out->above = sum;
}

bool choose_sum(const uint64_t *sizes, unsigned count, uint64_t least, uint64_t most, bool *chosen,
		struct choice *out)
{
	_cleanup_free_ uint16_t *last = NULL;
	uint64_t total = 0, unit, sums, from, to, sum;
	unsigned i;

	*out = (struct choice){ 0 };
	memset(chosen, 0, count * sizeof(*chosen));
	for (i = 0; i < count; i++)
		total += sizes[i];
	unit = count && count < UINT16_MAX ? unit_of(sizes, count, total) : 0;
	if (!unit)
		return !least;
	sums = total / unit;
	from = least / unit + !!(least % unit);
	to = most / unit < sums ? most / unit : sums;
	last = reach(sizes, count, unit, sums);
	for (sum = from; sum && sum < to && !last[sum]; sum++)
		;
	if (sum && (sum > to || !last[sum])) {
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
