/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The arguments of online and offline (blocks, ranges, sizes, devices), one per line, for a guest
 * whose scan never changes; each is also read as a size, as a list of NUMA nodes, as an address,
 * and as a line of the shell. */
#include <stdio.h>
#include <string.h>

#include "cmd/opener.h"
#include "fuzz.h"
#include "hotplug/change.h"
#include "lib/size.h"
#include "lib/text.h"
#include "qemu/backend.h"

#define WORDS_MAX 16

static const char *const scan[] = {
	"guest 6.1.0 1 offline contig-zones N",
	"memory 4194304 3000000 300",
	"size 8000000",
	"blocks 0 7 online 0 0 none",
	"blocks 32 35 online 0 1 Movable",
	"blocks 36 39 offline 0 1 Normal Movable",
	"end",
};

static void add_frame(struct buf *stream, unsigned exchange, unsigned sequence, const char *payload)
{
	size_t len = strlen(payload);

	buf_addf(stream, "@" SEAM_ID ".%u %u %zu %s %u %zu " SEAM_ID "@\n", exchange, sequence, len,
		 payload, sequence, len);
}

/* A size that parses is printed as one that parses again, and is nearly as large. */
static void read_size(const char *word)
{
	char text[SIZE_TEXT_MAX], packed[SIZE_TEXT_MAX];
	uint64_t size_bytes = 0, again_bytes;
	struct err err = { 0 };
	double ratio;

	if (size_parse(word, &size_bytes, &err)) {
		seam_check(err.code == ERR_USAGE && err.message[0] && !size_bytes);
		return;
	}
	seam_check(size_bytes && size_bytes <= INT64_MAX);
	size_format(text, size_bytes);
	snprintf(packed, sizeof(packed), "%.*s%s", (int)strcspn(text, " "), text,
		 strchr(text, ' ') + 1);
	/* rounded up to 1024 of a unit it may not be a whole number of bytes, or too large */
	if (size_parse(packed, &again_bytes, &err))
		return;
	ratio = (double)again_bytes / (double)size_bytes;
	seam_check(ratio > 0.99 && ratio < 1.01);
}

static void read_nodes(const char *word)
{
	struct backend_options options = { .policy = POLICY_BIND, .host_nodes = word };
	struct err err = { 0 };

	if (!backend_check(&options, &err))
		json_object_put(backend_request(&options, "m-mem", UINT64_C(1) << 30));
}

static void read_line(const char *line)
{
	struct argv words = { 0 };
	struct err err = { 0 };

	if (!argv_split(line, &words, &err)) {
		seam_check(!words.list || !words.list[words.count]);
		argv_free(&words);
	}
}

/* An accepted address points into its own text. */
static void read_address(const char *word)
{
	struct address monitor, channel, listener;
	struct err err = { 0 };

	if (!address_parse_monitor(&monitor, word, &err))
		seam_check(monitor.kind && monitor.kind < ADDRESS_NONE && monitor.text == word);
	if (!address_parse_channel(&channel, word, &err))
		seam_check(channel.kind >= ADDRESS_NONE && channel.text == word);
	if (address_of_listener(&listener, xstrdup(word))) {
		struct address copy = address_copy(&listener);

		seam_check(copy.text != listener.text && copy.kind != ADDRESS_REMOTE);
		seam_check(copy.kind != ADDRESS_UNIX || address_is_same(&copy, &listener));
		address_free(&copy);
		address_free(&listener);
	}
}

static void change(char **args, unsigned count, bool is_online)
{
	struct deadline d = seam_deadline();
	struct vm vm = { .channel = seam_address(ADDRESS_SERIAL), .deadline = &d };
	struct change job = { .args = args, .args_count = count, .is_online = is_online };
	struct err err = { 0 };
	_cleanup_buf_ struct buf stream = { 0 };
	struct transaction t;
	unsigned i;

	add_frame(&stream, 0, 1, "go");
	for (i = 0; i < ARRAY_SIZE(scan); i++)
		add_frame(&stream, 1, i + 1, scan[i]);
	seam_feed(stream.data, stream.len);
	transaction_init(&t, opener_of(&vm), &d);
	t.is_dry_run = true;
	if (!hotplug_change(&t, &job, &err))
		seam_check(block_list_blocks(&job.blocks) <= 16);
	change_free(&job);
	transaction_free(&t);
	vm_close(&vm);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = xstrndup((const char *)data, size);
	char *words[WORDS_MAX], *rest = text;
	unsigned count = 0;

	while (count < WORDS_MAX && (words[count] = strsep(&rest, "\n"))) {
		read_size(words[count]);
		read_nodes(words[count]);
		read_address(words[count]);
		read_line(words[count++]);
	}
	change(words, count, true);
	change(words, count, false);
	return 0;
}
