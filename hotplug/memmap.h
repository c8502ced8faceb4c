/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * memmap: where the guest's kernel takes the memory map of new memory from: 1/64 of its size, from
 * the present memory unless memory_hotplug.memmap_on_memory applies.
 */
#ifndef HOTPLUG_MEMMAP_H
#define HOTPLUG_MEMMAP_H

#include "sysfs.h"

/*
 * memmap_lies_inside() - does the memory map of a DIMM lie in the DIMM itself? The kernel's rule
 * (mhp_supports_memmap_on_memory() in mm/memory_hotplug.c): depending on the version, only for a
 * DIMM of one memory block or for each block, and only if a block's map fills whole huge pages.
 * False if not known.
 * @arch:	QEMU's name for it, such as "x86_64"; may be NULL
 */
bool memmap_lies_inside(const struct guest_memory *g, const char *arch, uint64_t dimm_bytes);

/* memmap_wants_page_size() - is the guest's page size all that is missing to know? */
bool memmap_wants_page_size(const struct guest_memory *g, const char *arch);

#endif
