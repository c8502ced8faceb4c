/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A guest agent that answers anything, to a query, a change, and the end of the session. The ids of
 * the stream and of the session are those of the seam. */
#include <string.h>

#include "fuzz.h"
#include "guest/guest.h"

static int open_seam(void *context, const char *path, int *fd, struct err *err)
{
	(void)context;
	return stream_connect_unix(path, path, fd, ERR_GUEST_UNREACHABLE, err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct deadline d = seam_deadline();
	_cleanup_request_ struct request scan = { 0 }, change = { 0 };
	struct answer answer = { 0 };
	struct login login = { 0 };
	struct address agent = seam_address(ADDRESS_AGENT);
	struct guest *g = NULL;
	struct err err = { 0 };

	seam_feed(data, size);
	if (!guest_open(&g, &agent, (struct stream_opener){ open_seam, NULL }, &login, NULL, &d,
			&err)) {
		request_add(&scan, VERB_SCAN);
		command_add_range(request_add(&change, VERB_OFFLINE), 35, 32);
		request_add(&change, VERB_SCAN);
		if (!guest_run(g, &scan, &answer, &err))
			seam_check(!answer.count || answer.lines[0]);
		if (!guest_is_lost(g) && guest_run(g, &change, &answer, &err))
			(void)!guest_cancel(g, &answer, &err);
	}
	answer_free(&answer);
	guest_close(g);
	return 0;
}
