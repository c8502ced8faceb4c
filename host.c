/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The memory of this machine. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "host.h"
#include "peer.h"
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

static bool read_count(uint64_t page_bytes, const char *name, uint64_t *count)
{
	_cleanup_free_ char *path = xasprintf("/sys/kernel/mm/hugepages/hugepages-%llukB/%s",
					      (unsigned long long)(page_bytes / 1024), name);
	FILE *file = fopen(path, "re");
	unsigned long long value;
	bool found = file && fscanf(file, "%llu", &value) == 1;

	if (file)
		fclose(file);
	if (found)
		*count = value;
	return found;
}

bool host_huge_pages(struct huge_pages *pages, uint64_t page_bytes)
{
	uint64_t reserved;

	*pages = (struct huge_pages){ .page_bytes = page_bytes };
	if ((!page_bytes && !meminfo_bytes("Hugepagesize", &pages->page_bytes)) ||
	    !read_count(pages->page_bytes, "nr_hugepages", &pages->total) ||
	    !read_count(pages->page_bytes, "free_hugepages", &pages->free) ||
	    !read_count(pages->page_bytes, "resv_hugepages", &reserved))
		return false;
	pages->free -= reserved < pages->free ? reserved : pages->free;
	return true;
}

bool host_is_directory(pid_t pid, const char *path)
{
	int fd = peer_open_path(pid, path, O_PATH | O_DIRECTORY);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}
