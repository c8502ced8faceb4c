/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The command line of a process that says it is QEMU, one word a line. */
#include <stdlib.h>
#include <string.h>

#include "cmdline.h"
#include "fuzz.h"
#include "util.h"

/* What is shown is printable, and an address is none that a shell or ssh would read otherwise. */
static void check_line(const struct cmdline *line)
{
	const char *const texts[] = { line->name, line->memory };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_free_ char *copy = texts[i] ? xstrdup(texts[i]) : NULL;

		if (!copy)
			continue;
		printable(copy);
		seam_check(!strcmp(copy, texts[i]));
	}
	seam_check(!line->ssh || !strncmp(line->ssh, "ssh:root@", 9));
	seam_check(!line->serial || !strncmp(line->serial, "serial:/", 8));
	seam_check(line->monitors_count <= CMDLINE_MONITORS_MAX);
	for (i = 0; i < line->monitors_count; i++)
		seam_check(line->monitors[i][0] == '/' || !strncmp(line->monitors[i], "tcp:", 4));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *bytes = xcalloc(1, size + 1);
	struct cmdline line = { 0 };
	size_t i;

	for (i = 0; i < size; i++)
		bytes[i] = data[i] == '\n' ? '\0' : (char)data[i];
	bytes = xrealloc(bytes, size ? size : 1); /* no NUL behind it */
	cmdline_parse(&line, bytes, size, "/run/vm");
	check_line(&line);
	cmdline_release(&line);
	cmdline_parse(&line, bytes, size, NULL);
	check_line(&line);
	cmdline_release(&line);
	return 0;
}
