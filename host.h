/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * host: the memory of this machine. May call: util. Must never: believe that QEMU runs here too.
 */
#ifndef HOST_H
#define HOST_H

#include <stdbool.h>
#include <stdint.h>

/* host_available_bytes() - MemAvailable of /proc/meminfo; false when that is not known */
bool host_available_bytes(uint64_t *bytes);

/*
 * host_huge_free_bytes() - what is free in huge pages
 * (Documentation/admin-guide/mm/hugetlbpage.rst)
 * @page_bytes:	their size; 0 for the host's default, which is put there
 * Return: false when the host has no pages of that size
 */
bool host_huge_free_bytes(uint64_t *page_bytes, uint64_t *bytes);

#endif
