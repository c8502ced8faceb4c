/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The command line of a process that claims to be QEMU, one word per line; then the same bytes as a
 * file for -readconfig. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "lib/text.h"
#include "lib/util.h"
#include "vm/cmdline.h"
#include "vm/qemuopt.h"

static void check_address(const struct address *a)
{
	seam_check(a->kind == ADDRESS_TCP || a->kind == ADDRESS_FD ||
		   (a->kind == ADDRESS_UNIX && (a->path[0] == '/' || a->is_abstract)));
}

/* What is shown is printable and bounded, and no shell and no ssh would read an address
 * differently. */
static void check_line(const struct cmdline *line)
{
	const char *const texts[] = { line->name, line->memory };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_free_ char *copy = texts[i] ? xstrdup(texts[i]) : NULL;

		if (!copy)
			continue;
		printable(copy);
		seam_check(!strcmp(copy, texts[i]) && strlen(copy) <= CMDLINE_NAME_MAX);
	}
	if (line->ssh.kind) {
		const char *host = line->ssh.text + strlen("ssh:root@");

		seam_check(!strncmp(line->ssh.text, "ssh:root@", 9));
		seam_check(strspn(host, "0123456789.:") == strlen(host));
	}
	seam_check(line->monitors_count <= CMDLINE_MONITORS_MAX);
	seam_check(line->addresses_count <= CMDLINE_ADDRESSES_MAX);
	seam_check(line->configs_count <= CMDLINE_CONFIGS_MAX);
	for (i = 0; i < line->addresses_count; i++)
		check_address(&line->addresses[i].address);
	for (i = 0; i < line->monitors_count; i++)
		seam_check(cmdline_explains(line, &line->monitors[i]));
}

static void parse(const char *bytes, size_t size, const char *cwd)
{
	struct cmdline line = { 0 };

	cmdline_parse(&line, bytes, size, cwd);
	check_line(&line);
	cmdline_free(&line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *bytes = xcalloc(1, size + 1);
	_cleanup_free_ char *text = xcalloc(1, size + 1);
	_cleanup_buf_ struct buf words = { 0 };
	size_t i;

	memcpy(text, data, size);
	for (i = 0; i < size; i++)
		bytes[i] = data[i] == '\n' ? '\0' : (char)data[i];
	bytes = xrealloc(bytes, size ? size : 1); /* no NUL after it */
	parse(bytes, size, "/run/vm");
	parse(bytes, size, NULL);
	buf_add(&words, "qemu", 5);
	qemuopt_file_words(&words, text);
	seam_check(!words.data[words.len - 1]);
	parse(words.data, words.len, "/run/vm");
	return 0;
}
