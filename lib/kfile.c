/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Text files in /proc and /sys. */
#include <stdio.h>
#include <string.h>

#include "lib/kfile.h"
#include "lib/util.h"

#define FILE_MAX (1 << 20)

char *kfile_read(const char *path)
{
	FILE *file = fopen(path, "re");
	struct buf text = { 0 };
	char part[4096];
	size_t len;

	if (!file)
		return NULL;
	while (text.len < FILE_MAX && (len = fread(part, 1, sizeof(part), file)) > 0)
		buf_add(&text, part, len);
	fclose(file);
	return text.data ? text.data : xstrdup("");
}

const char *kfile_line(const char *text, const char *name)
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
