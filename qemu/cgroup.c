/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The memory limits that apply to a process. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/kfile.h"
#include "lib/util.h"
#include "qemu/cgroup.h"

#define NO_LIMIT                                                                                   \
	(UINT64_C(1) << 62) /* version 1 reports "no limit" as the largest number of whole pages   \
			     */

#define KINDS 4

/* The limits of a controller and the usage that counts against each, as file name suffixes. */
static const struct {
	const char *limit, *usage;
} kinds[2][KINDS] = {
	{ { "limit_in_bytes", "usage_in_bytes" },
	  { "memsw.limit_in_bytes", "memsw.usage_in_bytes" },
	  { "rsvd.limit_in_bytes", "rsvd.usage_in_bytes" },
	  { "max", "current" } }, /* of pids */
	{ { "max", "current" }, { "high", "current" }, { "rsvd.max", "rsvd.current" } },
};

/* The position of a process in a cgroup hierarchy. */
struct place {
	char *directory;  /* of its cgroup, as visible here; NULL if it is not; owned */
	size_t top_len;	  /* length of the mount point in it */
	unsigned version; /* 0 or 1: index into the tables above */
	bool counts_huge_pages;
};

/* Is @word an element of the comma-separated @list of @len bytes? */
static bool has_word(const char *list, size_t len, const char *word)
{
	size_t word_len = strlen(word);
	const char *end = list + len;

	while (list < end) {
		size_t part = strcspn(list, ",");

		if (part > (size_t)(end - list))
			part = (size_t)(end - list);
		if (part == word_len && !strncmp(list, word, part))
			return true;
		list += part + 1;
	}
	return false;
}

/* The path of the process's cgroup ("N:LIST:PATH" of /proc/PID/cgroup); the caller frees it. */
static char *find_path(pid_t pid, const char *controller, unsigned *version)
{
	_cleanup_free_ char *file = xasprintf("/proc/%d/cgroup", (int)pid);
	_cleanup_free_ char *text = kfile_read(file);
	char *line, *rest = text, *path = NULL;

	while (rest && (line = strsep(&rest, "\n"))) {
		char *list = strchr(line, ':'), *end = list ? strchr(list + 1, ':') : NULL;
		bool is_v2 = end && end == list + 1;

		if (!end || (!is_v2 && !has_word(list + 1, (size_t)(end - list) - 1, controller)))
			continue;
		if (is_v2 && path)
			continue; /* version 1 comes first: a controller is in one hierarchy only */
		free(path);
		path = xstrdup(end + 1);
		*version = is_v2;
	}
	return path;
}

/* Decode the \ooo escapes of /proc/PID/mountinfo in place. */
static void unescape(char *text)
{
	char *out = text;

	for (; *text; text++) {
		if (text[0] == '\\' && text[1] >= '0' && text[1] <= '3' && text[2] >= '0' &&
		    text[2] <= '7' && text[3] >= '0' && text[3] <= '7') {
			*out++ = (char)((text[1] - '0') << 6 | (text[2] - '0') << 3 |
					(text[3] - '0'));
			text += 3;
		} else {
			*out++ = *text;
		}
	}
	*out = '\0';
}

/* The part of @path below @root, the mounted part of the hierarchy; NULL if it is outside. */
static const char *below(const char *path, const char *root)
{
	size_t len = strcmp(root, "/") ? strlen(root) : 0;

	if (strncmp(path, root, len) != 0 || (path[len] && path[len] != '/'))
		return NULL;
	return strstr(path + len, "/..") ? NULL : path + len;
}

/* "ID PARENT MAJOR:MINOR ROOT POINT OPTIONS... - TYPE SOURCE SUPER" (proc_pid_mountinfo(5)) */
static bool read_mount(char *line, const char *controller, const char *path, struct place *place)
{
	char *fields[6], *tail = strstr(line, " - "), *super;
	const char *rest;
	unsigned i;

	if (!tail)
		return false;
	*tail = '\0';
	tail += 3;
	for (i = 0; i < ARRAY_SIZE(fields); i++)
		if (!(fields[i] = strsep(&line, " ")))
			return false;
	super = strrchr(tail, ' ');
	if (!super ||
	    strncmp(tail, place->version ? "cgroup2 " : "cgroup ", place->version ? 8 : 7) != 0)
		return false;
	if (!place->version && !has_word(super + 1, strlen(super + 1), controller))
		return false;
	place->counts_huge_pages =
		has_word(super + 1, strlen(super + 1), "memory_hugetlb_accounting");
	unescape(fields[3]);
	unescape(fields[4]);
	rest = below(path, fields[3]);
	if (!rest)
		return false;
	place->top_len = strlen(fields[4]);
	place->directory = xasprintf("%s%s", fields[4], strcmp(rest, "/") ? rest : "");
	return true;
}

/* Find the process in a controller's hierarchy, if that is visible from here. */
static bool find_place(pid_t pid, const char *controller, struct place *place)
{
	_cleanup_free_ char *path = find_path(pid, controller, &place->version);
	_cleanup_free_ char *text = path ? kfile_read("/proc/self/mountinfo") : NULL;
	char *line, *rest = text;

	while (rest && (line = strsep(&rest, "\n"))) {
		if (!read_mount(line, controller, path, place))
			continue;
		if (!access(place->directory, X_OK))
			return true;
		free(place->directory);
		place->directory = NULL;
	}
	return false;
}

static bool read_number(const char *directory, const char *file, uint64_t *value)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", directory, file);
	_cleanup_free_ char *text = kfile_read(path);

	if (!text)
		return false;
	text[strcspn(text, "\n")] = '\0';
	return parse_u64(text, 10, value); /* "max" does not parse */
}

/* The page cache charged to a cgroup and its descendants. */
static uint64_t cache_bytes(const char *directory, unsigned version)
{
	static const char *const names[2][2] = { { "total_inactive_file ", "total_active_file " },
						 { "inactive_file ", "active_file " } };
	_cleanup_free_ char *path = xasprintf("%s/memory.stat", directory);
	_cleanup_free_ char *text = kfile_read(path);
	char *line, *rest = text;
	uint64_t sum = 0;

	while (rest && (line = strsep(&rest, "\n"))) {
		unsigned i;

		for (i = 0; i < 2; i++) {
			size_t len = strlen(names[version][i]);
			uint64_t bytes;

			if (!strncmp(line, names[version][i], len) &&
			    parse_u64(line + len, 10, &bytes) && bytes < NO_LIMIT)
				sum += bytes;
		}
	}
	return sum;
}

static void take_tightest(struct cgroup_room *room, const char *directory, const char *file,
			  uint64_t limit_bytes, uint64_t used_bytes)
{
	uint64_t bytes = limit_bytes > used_bytes ? limit_bytes - used_bytes : 0;

	if (room->directory && bytes >= room->bytes)
		return;
	free(room->directory);
	room->directory = xstrdup(directory);
	room->bytes = bytes;
	room->limit_bytes = limit_bytes;
	snprintf(room->file, sizeof(room->file), "%s", file);
}

/* Read the limits of one cgroup, from the files that begin with @prefix. */
static void read_level(const struct place *place, const char *prefix, struct cgroup_room *room)
{
	uint64_t cache =
		strcmp(prefix, "memory") ? 0 : cache_bytes(place->directory, place->version);
	unsigned i;

	for (i = 0; i < KINDS; i++) {
		_cleanup_free_ char *limit_file =
			xasprintf("%s.%s", prefix, kinds[place->version][i].limit);
		_cleanup_free_ char *usage_file =
			xasprintf("%s.%s", prefix, kinds[place->version][i].usage);
		uint64_t limit, used;

		if (read_number(place->directory, limit_file, &limit) && limit < NO_LIMIT &&
		    read_number(place->directory, usage_file, &used))
			take_tightest(room, place->directory, limit_file, limit,
				      used > cache ? used - cache : 0);
	}
}

/* Go to the parent cgroup; false at the top, or if the parent does not count its descendants. */
static bool go_up(struct place *place)
{
	char *slash = strrchr(place->directory + place->top_len, '/');
	uint64_t is_counting = 1;

	if (!slash)
		return false;
	*slash = '\0';
	return !read_number(place->directory, "memory.use_hierarchy", &is_counting) || is_counting;
}

static bool find_room(pid_t pid, const char *controller, const char *prefix,
		      struct cgroup_room *room)
{
	struct place place = { 0 };

	*room = (struct cgroup_room){ 0 };
	if (!find_place(pid, controller, &place))
		return false;
	do
		read_level(&place, prefix, room);
	while (go_up(&place));
	room->counts_huge_pages = place.counts_huge_pages;
	free(place.directory);
	return room->directory;
}

bool cgroup_memory_room(pid_t pid, struct cgroup_room *room)
{
	return find_room(pid, "memory", "memory", room);
}

bool cgroup_task_room(pid_t pid, struct cgroup_room *room)
{
	return find_room(pid, "pids", "pids", room);
}

/* Sizes are named as by mem_fmt() in mm/hugetlb_cgroup.c. */
bool cgroup_huge_room(pid_t pid, uint64_t page_bytes, struct cgroup_room *room)
{
	static const char units[] = "KMG";
	_cleanup_free_ char *prefix = NULL;
	uint64_t number = page_bytes >> 10;
	unsigned i = 0;

	while (number >= 1024 && units[i + 1]) {
		number >>= 10;
		i++;
	}
	prefix = xasprintf("hugetlb.%llu%cB", (unsigned long long)number, units[i]);
	return find_room(pid, "hugetlb", prefix, room);
}

bool cgroup_has_lower_swap_limit(const struct cgroup_room *room, uint64_t bytes)
{
	uint64_t limit;

	return !strcmp(room->file, "memory.limit_in_bytes") &&
	       read_number(room->directory, "memory.memsw.limit_in_bytes", &limit) && limit < bytes;
}
