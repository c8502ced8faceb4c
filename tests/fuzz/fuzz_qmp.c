/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A QMP session with a monitor that sends anything: the input is all that it sends. */
#include <string.h>

#include "fuzz.h"
#include "qmp.h"

static bool any(const char *name, struct json_object *data, void *context)
{
	(void)data;
	return context ? !strcmp(name, context) : true;
}

static void converse(struct qmp *q, struct deadline *d)
{
	struct json_object *reply = NULL, *event;
	struct err err = { 0 };
	uint64_t ids[2];

	if (!qmp_send(q, qmp_request("query-status", NULL), &ids[0], &err) &&
	    !qmp_send(q, qmp_request("query-chardev", NULL), &ids[1], &err) &&
	    !qmp_receive(q, ids[1], &reply, &err))
		(void)!qmp_receive(q, ids[0], NULL, &err);
	json_object_put(reply);
	while (qmp_wait_event(q, any, (void *)"DEVICE_DELETED", DEADLINE_NEVER, &event, &err) > 0)
		json_object_put(event);
	while (qmp_wait_event(q, any, NULL, d->start_ms, &event, &err) > 0)
		json_object_put(event);
	(void)!qmp_execute(q, "quit", NULL, NULL, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct deadline d = seam_deadline();
	struct err err = { 0 };
	struct address monitor = seam_address(ADDRESS_UNIX);
	struct qmp *q;

	seam_feed(data, size);
	if (!qmp_open(&q, &monitor, NULL, &d, &err)) {
		converse(q, &d);
		qmp_close(q);
	}
	return 0;
}
