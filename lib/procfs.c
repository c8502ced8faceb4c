/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the kernel tells of a process. */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/procfs.h"

#define FILE_MAX (1 << 20)

static bool read_all(const char *path, struct buf *text)
{
	FILE *file = fopen(path, "re");
	char part[4096];
	size_t len;

	if (!file)
		return false;
	while (text->len < FILE_MAX && (len = fread(part, 1, sizeof(part), file)) > 0)
		buf_add(text, part, len);
	fclose(file);
	return true;
}

char *procfs_read(const char *path)
{
	struct buf text = { 0 };

	if (!read_all(path, &text))
		return NULL;
	return text.data ? text.data : xstrdup("");
}

const char *procfs_line(const char *text, const char *name)
{
	size_t len = strlen(name);

	while (text) {
		if (!strncmp(text, name, len) && text[len] == ':')
			return text + len + 1 + strspn(text + len + 1, " \t");
		text = strchr(text, '\n');
		text = text ? text + 1 : NULL;
	}
	return NULL;
}

char *procfs_text(pid_t pid, const char *name)
{
	_cleanup_free_ char *path = xasprintf("/proc/%d/status", (int)pid);
	_cleanup_free_ char *text = procfs_read(path);
	const char *value = procfs_line(text, name);

	return value ? xstrndup(value, strcspn(value, "\n")) : NULL;
}

bool procfs_bytes(pid_t pid, const char *name, uint64_t *bytes)
{
	_cleanup_free_ char *text = procfs_text(pid, name);
	unsigned long long kib;

	if (!text || sscanf(text, "%llu kB", &kib) != 1 || kib > UINT64_MAX / 1024)
		return false;
	*bytes = kib * 1024;
	return true;
}

bool procfs_limit(pid_t pid, const char *name, uint64_t *value)
{
	_cleanup_free_ char *path = xasprintf("/proc/%d/limits", (int)pid);
	_cleanup_free_ char *text = procfs_read(path);
	const char *line = text ? strstr(text, name) : NULL;
	unsigned long long number;

	if (!line)
		return false;
	line += strlen(name);
	line += strspn(line, " ");
	*value = UINT64_MAX;
	if (!strncmp(line, "unlimited", 9))
		return true;
	if (sscanf(line, "%llu", &number) != 1)
		return false;
	*value = number;
	return true;
}

/* Capabilities of another user namespace mean nothing outside of it. */
static bool is_in_our_user_namespace(pid_t pid)
{
	_cleanup_free_ char *path = xasprintf("/proc/%d/ns/user", (int)pid);
	struct stat theirs, ours;

	return !stat(path, &theirs) && !stat("/proc/self/ns/user", &ours) &&
	       theirs.st_dev == ours.st_dev && theirs.st_ino == ours.st_ino;
}

bool procfs_has_capability(pid_t pid, unsigned capability)
{
	_cleanup_free_ char *text = procfs_text(pid, "CapEff");
	uint64_t set;

	return text && parse_u64(text, 16, &set) && (set >> capability & 1) &&
	       is_in_our_user_namespace(pid);
}

bool procfs_has_argument(pid_t pid, const char *option)
{
	_cleanup_free_ char *path = xasprintf("/proc/%d/cmdline", (int)pid);
	_cleanup_buf_ struct buf words = { 0 };
	size_t at;

	read_all(path, &words);
	for (at = 0; at < words.len; at += strlen(words.data + at) + 1) {
		const char *word = words.data + at;

		if (word[0] == '-' && !strcmp(word + 1 + (word[1] == '-'), option))
			return true;
	}
	return false;
}

/* It gives up its memory first. */
bool procfs_has_ended(pid_t pid)
{
	_cleanup_free_ char *state = procfs_text(pid, "State");
	_cleanup_free_ char *memory = procfs_text(pid, "VmSize");

	return state ? !memory : kill(pid, 0) && errno == ESRCH;
}

uint64_t procfs_threads_of_user(uid_t uid)
{
	DIR *directory = opendir("/proc");
	struct dirent *entry;
	uint64_t sum = 0;

	while (directory && (entry = readdir(directory))) {
		_cleanup_free_ char *path = xasprintf("/proc/%s/status", entry->d_name);
		_cleanup_free_ char *text =
			strspn(entry->d_name, "0123456789") ? procfs_read(path) : NULL;
		const char *ids = text ? procfs_line(text, "Uid") : NULL;
		const char *threads = text ? procfs_line(text, "Threads") : NULL;
		unsigned owner, count;

		if (ids && threads && sscanf(ids, "%u", &owner) == 1 && owner == uid &&
		    sscanf(threads, "%u", &count) == 1)
			sum += count;
	}
	if (directory)
		closedir(directory);
	return sum;
}

bool procfs_holds(pid_t pid, const char *path)
{
	_cleanup_free_ char *name = xasprintf("/proc/%d/fd", (int)pid);
	DIR *directory = opendir(name);
	struct dirent *entry;
	bool found = false;

	while (directory && !found && (entry = readdir(directory))) {
		char target[256];
		ssize_t len =
			readlinkat(dirfd(directory), entry->d_name, target, sizeof(target) - 1);

		target[len > 0 ? len : 0] = '\0';
		found = !strncmp(target, path, strlen(path));
	}
	if (directory)
		closedir(directory);
	return found;
}
