/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A file of QEMU's -readconfig (util/qemu-config.c of QEMU: qemu_config_foreach()). */
#include <stdio.h>
#include <string.h>

#include "vm/readconfig.h"

#define LINE_BYTES 1024
#define NAME_BYTES 64

/* "key=value" behind what the section has so far, with its commas doubled. */
static void add_setting(struct buf *options, const char *key, const char *value)
{
	buf_addf(options, "%s%s=", options->len ? "," : "", key);
	for (; *value; value++)
		buf_addf(options, *value == ',' ? ",%c" : "%c", *value);
}

static void end_section(struct buf *words, const char *group, struct buf *options)
{
	if (*group) {
		buf_addf(words, "-%s", strcmp(group, "memory") ? group : "m");
		buf_add(words, "", 1);
		buf_add(words, buf_text(options), options->len + 1);
	}
	buf_release(options);
}

/* One line, without its end; @group becomes the section that it begins. */
static void take_line(struct buf *words, const char *line, char group[static NAME_BYTES],
		      struct buf *options)
{
	char key[NAME_BYTES], value[LINE_BYTES] = "";

	if (line[0] == '[') {
		end_section(words, group, options);
		group[0] = '\0';
		if (sscanf(line, "[%63s \"%63[^\"]\"]", group, key) == 2)
			add_setting(options, "id", key);
		else if (sscanf(line, "[%63[^]]]", group) != 1)
			group[0] = '\0';
	} else if (line[0] != '#' && sscanf(line, " %63s = \"%1023[^\"]\"", key, value) == 2) {
		add_setting(options, key, value);
	}
}

void readconfig_words(struct buf *words, const char *text)
{
	_cleanup_buf_ struct buf options = { 0 };
	char group[NAME_BYTES] = "";

	while (*text) {
		char line[LINE_BYTES];
		size_t len = strcspn(text, "\n");

		snprintf(line, sizeof(line), "%.*s", (int)len, text);
		take_line(words, line, group, &options);
		text += len + (text[len] == '\n');
	}
	end_section(words, group, &options);
}
