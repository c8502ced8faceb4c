/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The memory of this machine. */
#include <stdio.h>
#include <string.h>

#include "lib/kfile.h"
#include "lib/util.h"
#include "qemu/host.h"

/* The value of a "Name:   123 kB" line of a meminfo file in bytes; @prefix precedes each name. */
static bool meminfo_line(const char *text, const char *prefix, const char *name, uint64_t *bytes)
{
	_cleanup_free_ char *whole = xasprintf("%s%s", prefix, name);
	const char *value = kfile_line(text, whole);
	unsigned long long kib;

	if (!value || sscanf(value, "%llu kB", &kib) != 1 || kib > UINT64_MAX / 1024)
		return false;
	*bytes = kib * 1024;
	return true;
}

static bool meminfo_bytes(const char *name, uint64_t *bytes)
{
	_cleanup_free_ char *text = kfile_read("/proc/meminfo");

	return meminfo_line(text, "", name, bytes);
}

bool host_available_bytes(uint64_t *bytes)
{
	return meminfo_bytes("MemAvailable", bytes);
}

static bool read_number(const char *path, uint64_t *number)
{
	_cleanup_free_ char *text = kfile_read(path);

	if (!text)
		return false;
	text[strcspn(text, "\n")] = '\0';
	return parse_u64(text, 10, number);
}

/* Read a counter of huge pages of one size, of the host or of a node (@directory). */
static bool read_count(const char *directory, uint64_t page_bytes, const char *name,
		       uint64_t *count)
{
	_cleanup_free_ char *path = xasprintf("%s/hugepages/hugepages-%llukB/%s", directory,
					      (unsigned long long)(page_bytes / 1024), name);

	return read_number(path, count);
}

#define HOST "/sys/kernel/mm"

/* The number of pages by which the pool may grow on demand. */
static uint64_t overcommit_pages(uint64_t page_bytes)
{
	uint64_t most, made;

	return read_count(HOST, page_bytes, "nr_overcommit_hugepages", &most) &&
			       read_count(HOST, page_bytes, "surplus_hugepages", &made) &&
			       most > made
		       ? most - made
		       : 0;
}

bool host_huge_pages(struct huge_pages *pages, uint64_t page_bytes)
{
	uint64_t reserved;

	*pages = (struct huge_pages){ .page_bytes = page_bytes };
	if ((!page_bytes && !meminfo_bytes("Hugepagesize", &pages->page_bytes)) ||
	    !read_count(HOST, pages->page_bytes, "nr_hugepages", &pages->total) ||
	    !read_count(HOST, pages->page_bytes, "free_hugepages", &pages->free) ||
	    !read_count(HOST, pages->page_bytes, "resv_hugepages", &reserved))
		return false;
	pages->free -= reserved < pages->free ? reserved : pages->free;
	pages->free += overcommit_pages(pages->page_bytes);
	return true;
}

bool host_commit_bytes(uint64_t *bytes)
{
	uint64_t mode, limit, committed, kept = 0, kib;

	if (!read_number("/proc/sys/vm/overcommit_memory", &mode) || mode != 2 ||
	    !meminfo_bytes("CommitLimit", &limit) || !meminfo_bytes("Committed_AS", &committed))
		return false;
	if (read_number("/proc/sys/vm/admin_reserve_kbytes", &kib))
		kept += kib * 1024;
	if (read_number("/proc/sys/vm/user_reserve_kbytes", &kib))
		kept += kib * 1024;
	*bytes = limit > committed + kept ? limit - committed - kept : 0;
	return true;
}

#define NODES "/sys/devices/system/node"

char *host_nodes(void)
{
	char *text = kfile_read(NODES "/online");

	if (text)
		text[strcspn(text, "\n")] = '\0';
	return text;
}

bool host_node_bytes(unsigned node, uint64_t *bytes)
{
	static const char *const names[] = { "MemFree", "Active(file)", "Inactive(file)" };
	_cleanup_free_ char *path = xasprintf(NODES "/node%u/meminfo", node);
	_cleanup_free_ char *prefix = xasprintf("Node %u ", node);
	_cleanup_free_ char *text = kfile_read(path);
	unsigned i;

	*bytes = 0;
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		uint64_t part;

		if (!meminfo_line(text, prefix, names[i], &part))
			return false;
		*bytes += part;
	}
	return true;
}

bool host_node_huge_bytes(unsigned node, uint64_t page_bytes, uint64_t *bytes)
{
	_cleanup_free_ char *directory = xasprintf(NODES "/node%u", node);
	uint64_t pages;

	if (!read_count(directory, page_bytes, "free_hugepages", &pages))
		return false;
	*bytes = pages * page_bytes;
	return true;
}
