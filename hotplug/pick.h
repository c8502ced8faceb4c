/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pick: pick sizes that add up to a total. Knows nothing of DIMMs. */
#ifndef HOTPLUG_PICK_H
#define HOTPLUG_PICK_H

#include <stdbool.h>
#include <stdint.h>

/* What choose_sum() found. */
struct choice {
	uint64_t sum;	 /* of the sizes chosen */
	uint64_t below;	 /* if there is no match: the largest sum below the range, 0 if none */
	uint64_t above;	 /* likewise the smallest sum above it */
	bool is_unknown; /* no match was found, but there are too many sums to try all */
};

/*
 * choose_sum() - pick sizes whose sum lies between @least and @most, the smallest such sum
 * @sizes:	none is 0; earlier ones are preferred. Takes less than a second for any input.
 * @chosen:	@count flags; receives which were picked
 * Return: true if there is such a sum
 */
bool choose_sum(const uint64_t *sizes, unsigned count, uint64_t least, uint64_t most, bool *chosen,
		struct choice *out);

#endif
