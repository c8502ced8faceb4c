/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A QEMU that reports anything about its character devices: each line is the answer to the next
 * request, query-chardev first. */
#include <string.h>

#include "fuzz.h"
#include "lib/util.h"
#include "vm/channel.h"

static const char greeting[] = "{\"QMP\": {\"version\": {\"qemu\": {\"major\": 7, \"minor\": 2, "
			       "\"micro\": 0}}, \"capabilities\": []}}\n"
			       "{\"return\": {}, \"id\": 1}\n";

static void check(const struct channel *channel)
{
	struct address again;
	struct err err;

	if (!channel->address.kind)
		return;
	seam_check(channel->label);
	if (*channel->address.path) {
		seam_check(!address_parse_channel(&again, channel->address.text, &err));
		seam_check(address_is_same(&again, &channel->address));
	}
	seam_check(!channel->is_pty || channel->address.kind != ADDRESS_AGENT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = xstrndup((const char *)data, size);
	_cleanup_buf_ struct buf stream = { 0 };
	struct deadline d = seam_deadline();
	struct channel channel = { 0 };
	struct err err = { 0 };
	char *rest = text, *line;
	bool has_client;
	struct address monitor = seam_address(ADDRESS_UNIX);
	struct qmp *q;
	unsigned id;

	buf_addf(&stream, "%s", greeting);
	for (id = 2; (line = strsep(&rest, "\n")); id++)
		buf_addf(&stream, "{\"return\": %s, \"id\": %u}\n", line, id);
	seam_feed(stream.data, stream.len);
	if (qmp_open(&q, &monitor, NULL, &d, &err))
		return 0;
	if (!channel_find(&channel, q, &err))
		check(&channel);
	if (channel.label)
		(void)!channel_has_client(q, channel.label, &has_client, &err);
	channel_free(&channel);
	qmp_close(q);
	return 0;
}
