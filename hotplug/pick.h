/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * pick: which DIMMs add up to a size. Must never: know what a DIMM is.
 */
#ifndef HOTPLUG_PICK_H
#define HOTPLUG_PICK_H

#include <stdbool.h>
#include <stdint.h>

/* What choose_sum() found. */
struct choice {
	uint64_t sum;	 /* of those chosen */
	uint64_t below;	 /* when there is none: the greatest sum below, and the least above what was
			  */
	uint64_t above;	 /* asked for; 0 when there is no such sum */
	bool is_unknown; /* none was found, but there are too many sums to look at all */
};

/*
 * choose_sum() - pick sizes whose sum is from @least to @most, and as small as that allows
 * @sizes:	none 0; those first in the list are taken first; whatever they are, this takes less
 *		than a second
 * @chosen:	@count flags; receives which ones were picked
 * Return: true when there are such sizes
 */
bool choose_sum(const uint64_t *sizes, unsigned count, uint64_t least, uint64_t most, bool *chosen,
		struct choice *out);

#endif
