/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * QEMU's answers to queries, complete and in order, but with any content. A line is the value of
 * the next reply, or an error if it begins with "!"; the remaining lines are events, read for every
 * device.
 */
#include <string.h>

#include "fuzz.h"
#include "qemu/backend.h"
#include "qemu/device-event.h"
#include "qemu/machine.h"
#include "qemu/sharing.h"

static const char greeting[] = "{\"QMP\": {\"version\": {\"qemu\": {\"major\": 7, \"minor\": 2, "
			       "\"micro\": 22}}}}\n{\"return\": {}, \"id\": 1}\n";

/* Cut the next line off @text; NULL at the end. */
static char *next_line(char **text)
{
	return strsep(text, "\n");
}

static void add_reply(struct buf *stream, const char *line, unsigned id)
{
	if (*line == '!')
		buf_addf(stream, "{\"error\": {\"class\": \"C\", \"desc\": \"no\"}, \"id\": %u}\n",
			 id);
	else
		buf_addf(stream, "{\"return\": %s, \"id\": %u}\n", line, id);
}

static void read_backend(struct json_object *list)
{
	static const struct backend_options options = { .prealloc = { true, 1 },
							.is_shared = true,
							.reserve = RESERVE_ON,
							.host_nodes = "0-1,3",
							.policy = POLICY_BIND };
	struct err err = { 0 };

	if (backend_verify(&options, "memhp0-mem", UINT64_C(512) << 20, list, &err))
		seam_check(err.code == ERR_FAILED && err.message[0]);
}

static void read_event(const struct machine *m, struct json_object *event)
{
	struct json_object *data = NULL;
	const char *name = "";
	char why[128] = "";
	unsigned i;

	json_get_string(event, "event", &name);
	json_get_object(event, "data", &data);
	for (i = 0; i < m->devices_count; i++) {
		device_event_read(name, data, &m->devices[i], true, why, sizeof(why));
		device_event_read(name, data, &m->devices[i], false, why, sizeof(why));
		seam_check(strlen(why) < sizeof(why));
	}
}

static void read_args(const struct machine *m, struct qmp *q)
{
	struct machine_defaults defaults = { 0 };
	unsigned i;

	for (i = 0; i < m->devices_count; i++) {
		struct machine_args args = { 0 };
		struct err err = { 0 };

		if (!machine_args(&m->devices[i], q, &defaults, &args, &err))
			seam_check(args.object && args.device);
		machine_args_free(&args);
	}
	machine_defaults_free(&defaults);
}

static void read_sharing(const struct machine *m, struct qmp *q)
{
	struct backend_options open = { 0 }, ram = { .type = BACKEND_RAM };
	struct sharing sharing = { 0 };
	struct err err = { 0 };

	if (!sharing_send(&sharing, q, &err) && !sharing_receive(&sharing, m, q, &err)) {
		seam_check(!sharing_apply(&sharing, m, &open, &err));
		seam_check(!open.reason || backend_is_shared(&open));
		if (sharing_apply(&sharing, m, &ram, &err))
			seam_check(sharing.reason && err.message[0]);
		sharing_excludes(&sharing, "memhp0-mem");
	}
	sharing_free(&sharing);
}

static void look(const struct machine *m, char *events)
{
	static const uint64_t sizes[] = { UINT64_C(1) << 30, UINT64_C(128) << 20 };
	uint64_t addresses[ARRAY_SIZE(sizes)];
	char *line;

	machine_slots_used(m);
	machine_has_object(m, "memhp0-mem");
	machine_device(m, "memhp0-dimm");
	machine_devices_max_bytes(m);
	if (machine_place(m, sizes, ARRAY_SIZE(sizes), sizes[1], addresses))
		seam_check(!(addresses[0] % sizes[1]) && !(addresses[1] % sizes[1]));
	machine_largest_gap(m, UINT64_C(1) << 40, sizes[1]);
	machine_device_in(m, sizes[0], sizes[0]);
	while ((line = next_line(&events))) {
		_cleanup_json_ struct json_object *value = json_tokener_parse(line);

		read_event(m, value);
		read_backend(value);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = xstrndup((const char *)data, size);
	_cleanup_buf_ struct buf stream = { 0 };
	struct deadline d = seam_deadline();
	struct machine m = { 0 };
	struct err err = { 0 };
	char *rest = text, *line;
	struct address monitor = seam_address(ADDRESS_UNIX);
	struct qmp *q;
	unsigned id;

	buf_addf(&stream, "%s", greeting);
	for (id = 2; (line = next_line(&rest)) && *line; id++)
		add_reply(&stream, line, id);
	seam_feed(stream.data, stream.len);
	if (qmp_open(&q, &monitor, NULL, &d, &err))
		return 0;
	(void)!machine_query(&m, q, &err);
	look(&m, rest);
	read_args(&m, q);
	read_sharing(&m, q);
	(void)!machine_query_devices(&m, q, &err);
	machine_free(&m);
	qmp_close(q);
	return 0;
}
