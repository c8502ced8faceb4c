/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Whole commands that change nothing, between a monitor and a guest that send anything. The first
 * letter of the input chooses the command. The following lines are the values of QEMU's replies, in
 * order; one that begins with "!" is an error. The lines after an empty line are the guest's answer
 * to every request.
 */
#include <string.h>

#include "fuzz.h"

/* The commands are memhp.c's own. */
int memhp_main(int argc, char **argv);
#define main memhp_main
#include "memhp.c"

#define WORDS_MAX 16
#define EXCHANGES 3 /* with the guest */

static const char *const lines[] = {
	"-n unplug 1G",		"-n unplug 128M 256M",	"-n unplug --all",
	"-n unplug",		"-n unplug d0",		"-n resize 1G",
	"-n resize +1G",	"-n resize -128M",	"-n resize 64G --dimm 1G",
	"-n plug 512M",		"-n plug 4G --dimm 1G", "-n plug 1G --virtio-mem",
	"-n online all",	"-n offline all",	"-n online 0-9999999",
	"-n offline 1G",	"-n offline d0",	"-n repair",
	"list",			"list --json",		"blocks",
	"blocks --json",	"status",		"status --json",
	"__complete online ",	"__complete unplug ",	"__complete offline memory1",
	"__complete plug ",	"__complete resize ",	"-n resize 0.5G --node 0",
	"list --qemu-args",	"-n plug 128M --node 1 --slot 3",
};

static const char greeting[] = "{\"QMP\": {\"version\": {\"qemu\": {\"major\": 7, \"minor\": 2, "
			       "\"micro\": 22}}}}\n{\"return\": {}, \"id\": 1}\n";

/* Add the replies up to the empty line; returns the rest after it. */
static char *add_replies(struct buf *stream, char *text)
{
	char *line;
	unsigned id;

	buf_addf(stream, "%s", greeting);
	for (id = 2; (line = strsep(&text, "\n")) && *line; id++) {
		if (*line == '!')
			buf_addf(stream, "{\"error\": {\"class\": \"C\", \"desc\": \"no\"}, \"id\": %u}\n",
				 id);
		else
			buf_addf(stream, "{\"return\": %s, \"id\": %u}\n", line, id);
	}
	return text;
}

static void add_frame(struct buf *stream, unsigned exchange, unsigned sequence, const char *payload)
{
	size_t len = strlen(payload);

	buf_addf(stream, "@" SEAM_ID ".%u %u %zu %s %u %zu " SEAM_ID "@\n", exchange, sequence, len,
		 payload, sequence, len);
}

/* The guest gives the same answer to every request, then goes away. */
static void add_answers(struct buf *stream, const char *text)
{
	unsigned exchange;

	add_frame(stream, 0, 1, "go");
	for (exchange = 1; exchange <= EXCHANGES; exchange++) {
		_cleanup_free_ char *copy = xstrdup(text ? text : "");
		char *rest = copy, *line;
		unsigned sequence = 0;

		while ((line = strsep(&rest, "\n")))
			if (*line)
				add_frame(stream, exchange, ++sequence, line);
		add_frame(stream, exchange, ++sequence, "end");
	}
	buf_addf(stream, "@" SEAM_ID "@\n"); /* its last frame */
}

static void run(const char *line)
{
	static char *const before[] = { (char *)"memhp", (char *)"--qmp", (char *)SEAM_PATH,
					(char *)"--guest", (char *)"serial:" SEAM_GUEST_PATH,
					(char *)"--timeout", (char *)"2" };
	_cleanup_free_ char *copy = xstrdup(line);
	char *argv[ARRAY_SIZE(before) + WORDS_MAX] = { 0 }, *rest = copy;
	int argc = ARRAY_SIZE(before);

	memcpy(argv, before, sizeof(before));
	while (rest && argc < (int)ARRAY_SIZE(argv) - 1)
		argv[argc++] = strsep(&rest, " ");
	seam_check(memhp_main(argc, argv) >= 0);
}

/* Ignore memhp's output, and this machine's configuration. */
static void hush(void)
{
	static bool is_hushed;

	if (is_hushed)
		return;
	is_hushed = true;
	setenv("XDG_CONFIG_HOME", "/nonexistent", 1);
	stdout = fopen("/dev/null", "w");
	stderr = fopen("/dev/null", "w");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = xstrndup((const char *)data, size);
	_cleanup_buf_ struct buf monitor = { 0 }, guest = { 0 };
	char *rest = strchr(text, '\n');

	if (!rest)
		return 0;
	hush();
	add_answers(&guest, add_replies(&monitor, rest + 1));
	seam_feed(monitor.data, monitor.len);
	seam_feed_guest(guest.data, guest.len);
	run(lines[(unsigned char)text[0] % ARRAY_SIZE(lines)]);
	return 0;
}
