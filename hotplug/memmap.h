/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * memmap: where the guest's kernel takes the memory map of new memory from: 1/64 of it,
 * from the memory that it has, unless memory_hotplug.memmap_on_memory counts.
 */
#ifndef HOTPLUG_MEMMAP_H
#define HOTPLUG_MEMMAP_H

#include "sysfs.h"

/*
 * memmap_lies_inside() - does the memory map of a DIMM lie in the DIMM itself? As the kernel
 * decides it (mhp_supports_memmap_on_memory() in mm/memory_hotplug.c): by its version, of a DIMM of
 * one memory block only, or of each; where the map of a block fills whole huge pages. false where
 * that is not known.
 * @arch:	QEMU's name, as "x86_64"; may be NULL
 */
bool memmap_lies_inside(const struct guest_memory *g, const char *arch, uint64_t dimm_bytes);

/* memmap_wants_page_size() - would it be known if the guest had told the size of its pages? */
bool memmap_wants_page_size(const struct guest_memory *g, const char *arch);

#endif
