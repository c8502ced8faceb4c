/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where QEMU puts DIMMs that come without an address. */
#include "machine.h"

/* QEMU aligns to the backend's page size: 2 MiB pages at most here. */
#define DIMM_ALIGN_BYTES (UINT64_C(2) << 20)

/* If [*address, +size) meets [taken, +taken_size), move *address behind that. */
static bool move_behind(uint64_t *address, uint64_t size, uint64_t taken, uint64_t taken_size)
{
	if (*address >= taken + taken_size || taken >= *address + size)
		return false;
	*address = (taken + taken_size + DIMM_ALIGN_BYTES - 1) & ~(DIMM_ALIGN_BYTES - 1);
	return true;
}

bool machine_predict_addresses(const struct machine *m, const uint64_t *sizes, unsigned count,
			       uint64_t *addresses)
{
	unsigned i, j;

	for (j = 0; j < m->devices_count; j++)
		if (!(m->devices[j].has & MEMDEV_HAS_ADDRESS))
			return false;
	for (i = 0; m->has_base_address && i < count; i++) {
		bool has_moved = true;

		addresses[i] = m->base_address;
		while (has_moved) {
			has_moved = false;
			for (j = 0; j < m->devices_count; j++)
				has_moved |=
					move_behind(&addresses[i], sizes[i], m->devices[j].address,
						    m->devices[j].span_bytes);
			for (j = 0; j < i; j++)
				has_moved |= move_behind(&addresses[i], sizes[i], addresses[j],
							 sizes[j]);
		}
	}
	return m->has_base_address;
}
