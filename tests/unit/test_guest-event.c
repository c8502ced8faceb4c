/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The changes in the guest between two scans. */
#include "unit.h"

#include "cmd/event.h"
#include "cmd/guest-event.h"

/* Append an event's description. */
static int note(void *context, struct json_object *event)
{
	struct buf *out = context;
	_cleanup_json_ struct json_object *owned = event;

	buf_addf(out, "%s", out->len ? "; " : "");
	check(event_describe(owned, out), "%s", json_text(owned));
	return 0;
}

static int refuse(void *context, struct json_object *event)
{
	unsigned *calls = context;

	++*calls;
	json_object_put(event);
	return -1;
}

/* A scan of runs such as "blocks 0 3 online 0 1 Movable", separated by ";". */
static void scan(struct guest_memory *g, const char *text)
{
	_cleanup_free_ char *copy = xstrdup(text);
	char *lines[8], *save, *line;
	unsigned count = 0;
	struct err err;

	*g = (struct guest_memory){ 0 };
	for (line = strtok_r(copy, ";", &save); line; line = strtok_r(NULL, ";", &save))
		lines[count++] = line;
	check(!sysfs_parse(g, lines, count, &err), "%s", text);
}

static void changes_are_told_in_the_order_of_the_blocks(void **state)
{
	static const struct {
		const char *before, *after, *words;
	} rows[] = {
		{ "blocks 0 3 online 0 0 none", "blocks 0 3 online 0 0 none", "" },
		{ "", "blocks 4 7 offline 0 1 Normal Movable", "memory4-memory7: added, offline" },
		{ "blocks 4 7 offline 0 1 Normal Movable", "", "memory4-memory7: removed" },
		{ "blocks 4 7 offline 0 1 Movable", "blocks 4 7 online 0 1 Movable",
		  "memory4-memory7: online in zone Movable" },
		{ "blocks 4 7 online 0 1 Movable", "blocks 4 7 online 0 1 Normal",
		  "memory4-memory7: online in zone Normal" },
		/* a run that splits, and several that merge */
		{ "blocks 4 7 online 0 1 Movable",
		  "blocks 4 4 online 0 1 Movable;blocks 5 5 offline 0 1 Movable;"
		  "blocks 7 7 online 0 1 Movable",
		  "memory5: offline; memory6: removed" },
		{ "blocks 4 4 offline 0 1 Movable;blocks 5 5 offline 0 1 Normal",
		  "blocks 4 5 online 0 1 Movable", "memory4-memory5: online in zone Movable" },
		{ "blocks 4 4 online 0 1 Movable;blocks 5 5 going-offline 0 1 Movable", "",
		  "memory4-memory5: removed" },
		{ "blocks 5 6 online 0 1 Movable", "blocks 0 9 online 0 1 Movable",
		  "memory0-memory4: added, online in zone Movable; "
		  "memory7-memory9: added, online in zone Movable" },
		{ "blocks 0 0 online 0 1 Movable", "blocks 9999999 9999999 online 0 1 Movable",
		  "memory0: removed; memory9999999: added, online in zone Movable" },
		/* no real difference */
		{ "blocks 4 7 online 0 1 Normal", "blocks 4 7 online 0 0 DMA32", "" },
		{ "blocks 4 7 offline 0 1 Normal Movable", "blocks 4 7 offline 0 1 Movable", "" },
		{ "guest 6.1 1 offline contig-zones N", "guest 6.1 1 online - N",
		  "auto_online_blocks: online, was offline; "
		  "online_policy: unknown, was contig-zones" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct guest_memory before, after;
		_cleanup_buf_ struct buf out = { 0 };

		scan(&before, rows[i].before);
		scan(&after, rows[i].after);
		assert_int_equal(guest_event_compare(&before, &after, note, &out), 0);
		check(!strcmp(buf_text(&out), rows[i].words), "%s: '%s'", rows[i].words,
		      buf_text(&out));
		guest_memory_free(&before);
		guest_memory_free(&after);
	}
}

static void whoever_is_told_can_end_it(void **state)
{
	struct guest_memory before, after;
	unsigned calls = 0;

	(void)state;
	scan(&before, "blocks 0 0 online 0 1 Movable;blocks 2 2 online 0 1 Movable");
	scan(&after, "blocks 1 1 online 0 1 Movable;blocks 3 3 offline 0 1 Movable");
	assert_int_equal(guest_event_compare(&before, &after, refuse, &calls), -1);
	assert_int_equal(calls, 1);
	guest_memory_free(&before);
	guest_memory_free(&after);
}

static void a_reason_from_outside_is_made_printable(void **state)
{
	_cleanup_json_ struct json_object *event = guest_event_lost("ended\033[2J\xff");
	_cleanup_buf_ struct buf out = { 0 };

	(void)state;
	assert_true(event_describe(event, &out));
	assert_null(strchr(buf_text(&out), '\033'));
	assert_null(strchr(buf_text(&out), '\xff'));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changes_are_told_in_the_order_of_the_blocks),
		cmocka_unit_test(whoever_is_told_can_end_it),
		cmocka_unit_test(a_reason_from_outside_is_made_printable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
