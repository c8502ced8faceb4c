/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The file system of a file. */
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "lib/mount.h"
#include "lib/kfile.h"
#include "lib/util.h"

/* "36 35 98:0 /root /mnt ...", in which names contain no line end or blank. */
static bool find(char *table, uint64_t id, dev_t *device)
{
	char *line;

	while ((line = strsep(&table, "\n"))) {
		unsigned long long number;
		unsigned high, low;

		if (sscanf(line, "%llu %*u %u:%u ", &number, &high, &low) != 3 || number != id)
			continue;
		*device = makedev(high, low);
		return true;
	}
	return false;
}

bool mount_device(int fd, pid_t pid, dev_t *device)
{
	_cleanup_free_ char *info_path = xasprintf("/proc/self/fdinfo/%d", fd);
	_cleanup_free_ char *theirs_path = xasprintf("/proc/%d/mountinfo", (int)pid);
	_cleanup_free_ char *info = kfile_read(info_path);
	const char *line = info ? kfile_line(info, "mnt_id") : NULL;
	_cleanup_free_ char *digits = line ? xstrndup(line, strcspn(line, "\n")) : NULL;
	_cleanup_free_ char *ours = NULL;
	_cleanup_free_ char *theirs = NULL;
	uint64_t id;

	if (!digits || !parse_u64(digits, 10, &id))
		return false;
	ours = kfile_read("/proc/self/mountinfo");
	if (ours && find(ours, id, device))
		return true;
	theirs = kfile_read(theirs_path);
	return theirs && find(theirs, id, device);
}
