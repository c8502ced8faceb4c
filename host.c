/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The memory of this machine. */
#include <stdio.h>
#include <string.h>

#include "host.h"
#include "util.h"

/* The value of a "Name:   123 kB" line of /proc/meminfo, in bytes. */
static bool meminfo_bytes(const char *name, uint64_t *bytes)
{
	FILE *file = fopen("/proc/meminfo", "re");
	char line[128];
	bool found = false;
	size_t len = strlen(name);

	while (file && !found && fgets(line, sizeof(line), file)) {
		unsigned long long kib;

		found = !strncmp(line, name, len) && sscanf(line + len, ": %llu kB", &kib) == 1;
		if (found)
			*bytes = kib * 1024;
	}
	if (file)
		fclose(file);
	return found;
}

bool host_available_bytes(uint64_t *bytes)
{
	return meminfo_bytes("MemAvailable", bytes);
}

bool host_huge_free_bytes(uint64_t *page_bytes, uint64_t *bytes)
{
	_cleanup_free_ char *path = NULL;
	unsigned long long pages;
	FILE *file;
	bool found;

	if (!*page_bytes && !meminfo_bytes("Hugepagesize", page_bytes))
		return false;
	path = xasprintf("/sys/kernel/mm/hugepages/hugepages-%llukB/free_hugepages",
			 (unsigned long long)(*page_bytes / 1024));
	file = fopen(path, "re");
	if (!file)
		return false;
	found = fscanf(file, "%llu", &pages) == 1;
	fclose(file);
	if (found)
		*bytes = pages * *page_bytes;
	return found;
}
