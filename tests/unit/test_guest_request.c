/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A request to the guest: counted, encoded for guest.sh, shown to a person, split for a console. */
#include <stdlib.h>
#include <string.h>

#include "guest/by-hand.h"
#include "guest/program.h"
#include "guest/request.h"
#include "guest/shell.h"
#include "lib/pools.h"
#include "unit.h"

/* A command as a table row; a range 0-0 ends the ranges. */
struct row {
	enum verb verb;
	enum zone zone;
	struct range ranges[4];
	bool is_condition;
};

static void add(struct request *r, const struct row *row)
{
	struct command *c = request_add(r, row->verb);
	unsigned i;

	c->zone = row->zone;
	c->seconds = 55;
	c->is_condition = row->is_condition;
	for (i = 0; row->ranges[i].from || row->ranges[i].to; i++)
		command_add_range(c, row->ranges[i].from, row->ranges[i].to);
}

static const struct {
	struct row list[4]; /* ends at VERB_NONE */
	const char *shell;
	uint64_t blocks, first, last; /* the count, the first and the last of them */
	enum zone zone;
} requests[] = {
	{ { { VERB_ONLINE, ZONE_MOVABLE, { { 32, 35 } }, false },
	    { VERB_SCAN, 0, { { 0 } }, false } },
	  "change 55 raise movable 32-35;scan",
	  4,
	  32,
	  35,
	  ZONE_MOVABLE },
	{ { { VERB_MOVE, ZONE_KERNEL, { { 32, 35 } }, false } },
	  "change 55 raise kernel 32-35",
	  4,
	  32,
	  35,
	  ZONE_KERNEL },
	{ { { VERB_OFFLINE, ZONE_ANY, { { 35, 32 }, { 9, 9 } }, false } },
	  "change 55 lower any 35-32 9-9",
	  5,
	  35,
	  9,
	  ZONE_ANY },
	{ { { VERB_ONLINE, ZONE_KERNEL, { { 32, 33 } }, false },
	    { VERB_ONLINE_IF_OFFLINE, ZONE_MOVABLE, { { 34, 37 } }, false } },
	  "change 55 raise kernel 32-33;change 55 lift movable 34-37",
	  6,
	  32,
	  37,
	  ZONE_ANY },
	{ { { VERB_APPEAR, 0, { { 32, 35 } }, true },
	    { VERB_ONLINE, ZONE_MOVABLE, { { 32, 35 } }, false } },
	  "appear 55 32-35&&change 55 raise movable 32-35",
	  4,
	  32,
	  35,
	  ZONE_MOVABLE },
	{ { { VERB_APPEAR, 0, { { 32, 35 } }, false }, { VERB_MEMORY, 0, { { 0 } }, false } },
	  "appear 55 32-35;memory",
	  0,
	  0,
	  0,
	  ZONE_ANY },
	{ { { VERB_CPUSETS, 0, { { 0 } }, false },
	    { VERB_OFFLINE_FAST, ZONE_ANY, { { 39, 36 } }, false },
	    { VERB_POOLS, 0, { { 0 } }, false } },
	  "cpusets;ease 55 39-36;pool",
	  4,
	  39,
	  36,
	  ZONE_ANY },
	{ { { VERB_ONLINE_FAST, ZONE_MOVABLE, { { 32, 35 } }, false },
	    { VERB_BLOCKS, 0, { { 32, 35 } }, false } },
	  "swift online_movable 32-35;near 1 32-35",
	  0,
	  0,
	  0,
	  ZONE_ANY },
	{ { { VERB_INFO, 0, { { 0 } }, false },
	    { VERB_BLOCKS_AT, 0, { { UINT64_C(4) << 30, (UINT64_C(4) << 30) + 99 } }, false } },
	  "facts;near 0x 4294967296-4294967395",
	  0,
	  0,
	  0,
	  ZONE_ANY },
	{ { { VERB_BLOCKER, 0, { { 33, 33 } }, false } }, "held 33", 0, 0, 0, ZONE_ANY },
	{ { { VERB_MARK, 0, { { 0 } }, false },
	    { VERB_SCAN, 0, { { 0 } }, false },
	    { VERB_FREEZE_POLICY, 0, { { 0 } }, false } },
	  "mark;scan;hold",
	  0,
	  0,
	  0,
	  ZONE_ANY },
	{ { { VERB_NONE, 0, { { 0 } }, false } }, ":", 0, 0, 0, ZONE_ANY },
};

static void a_request_is_written_and_counted(void **state)
{
	size_t i, j;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(requests); i++) {
		_cleanup_request_ struct request r = { 0 }, copy = { 0 };
		_cleanup_free_ char *text = NULL;

		for (j = 0; j < 4 && requests[i].list[j].verb; j++)
			add(&r, &requests[i].list[j]);
		request_copy(&copy, &r);
		text = shell_encode(&copy);
		assert_string_equal(text, requests[i].shell);
		assert_int_equal(request_blocks(&r), requests[i].blocks);
		assert_int_equal(request_zone(&r), requests[i].zone);
		assert_int_equal(request_position(&r, 1000), 0);
		if (!requests[i].blocks)
			continue;
		assert_int_equal(request_position(&r, requests[i].first), 1);
		assert_int_equal(request_position(&r, requests[i].last), requests[i].blocks);
	}
}

static void what_refills_the_pools_is_written(void **state)
{
	_cleanup_request_ struct request r = { 0 };
	struct command *c = request_add(&r, VERB_REFILL);
	_cleanup_free_ char *text = NULL;

	(void)state;
	c->seconds = 9;
	command_add_refill(c, &(struct refill){ 1, 2048, 200 });
	command_add_refill(c, &(struct refill){ POOL_ALL, 1048576, 2 });
	command_add_refill(c, &(struct refill){ POOL_ALL, 0, 67584 });
	text = shell_encode(&r);
	assert_string_equal(text, "refill 9 1-2048 200 -1048576 2 floor 67584");
}

/* Every verb is a word of guest.sh, and the verb alone decides which pieces it needs. */
static void each_verb_has_its_pieces(void **state)
{
	int verb, piece;

	(void)state;
	for (verb = VERB_INFO; verb < VERBS; verb++) {
		const struct row row = { verb, ZONE_MOVABLE, { { 32, 35 } }, false };
		_cleanup_request_ struct request r = { 0 };
		_cleanup_buf_ struct buf program = { 0 };
		_cleanup_free_ char *text = NULL, *name = NULL;
		piece_set loaded = 0;

		add(&r, &row);
		text = shell_encode(&r);
		name = xasprintf("%.*s(){", (int)strcspn(text, " "), text);
		while ((piece = pieces_next(VERB_BIT(verb), loaded)) >= 0) {
			buf_addf(&program, "%s", pieces_text(piece));
			loaded |= UINT32_C(1) << piece;
		}
		check(strstr(program.data, name) != NULL, "%s", name);
	}
}

static const struct {
	struct row row;
	const char *line;
} typed[] = {
#define STATE(n) "/sys/devices/system/memory/memory" n "/state"
	{ { VERB_OFFLINE_FAST, ZONE_ANY, { { 39, 39 } }, false }, "echo offline >" STATE("39") },
	{ { VERB_OFFLINE, ZONE_ANY, { { 39, 36 } }, false },
	  "for n in $(seq 39 -1 36); do echo offline >" STATE("$n") "; done" },
	{ { VERB_ONLINE_FAST, ZONE_MOVABLE, { { 32, 35 }, { 40, 40 } }, false },
	  "for n in $(seq 32 35) 40; do echo online_movable >" STATE("$n") "; done" },
	{ { VERB_ONLINE, ZONE_ANY, { { 32, 32 } }, false }, "echo online >" STATE("32") },
	{ { VERB_ONLINE_IF_OFFLINE, ZONE_KERNEL, { { 32, 32 } }, false },
	  "echo online_kernel >" STATE("32") },
	{ { VERB_MOVE, ZONE_KERNEL, { { 32, 32 } }, false },
	  "grep -q offline " STATE("32") " || echo offline >" STATE(
		  "32") "; echo online_kernel >" STATE("32") },
	{ { VERB_SCAN, 0, { { 0 } }, false }, NULL },
	{ { VERB_BLOCKS, 0, { { 32, 35 } }, false }, NULL },
};

static void a_person_would_type_the_same(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(typed); i++) {
		_cleanup_request_ struct request r = { 0 };
		_cleanup_free_ char *line = NULL;

		add(&r, &typed[i].row);
		line = by_hand(&r.list[0]);
		if (typed[i].line)
			assert_string_equal(line, typed[i].line);
		else
			assert_null(line);
	}
}

static void a_long_request_goes_in_parts(void **state)
{
	_cleanup_buf_ struct buf whole = { 0 };
	_cleanup_free_ char *text = xasprintf("%02500d", 7);
	size_t done = 0;
	unsigned parts;
	char *part;

	(void)state;
	for (parts = 0; (part = shell_part(text, &done)); parts++) {
		const char *quote = strchr(part, '\'');

		assert_true(strlen(part) < 1000);
		assert_true(!strncmp(part, parts ? "long=$long'" : "long='", parts ? 11 : 6));
		buf_add(&whole, quote + 1, strlen(quote) - 2);
		free(part);
	}
	assert_int_equal(parts, 3);
	assert_string_equal(buf_text(&whole), text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_is_written_and_counted),
		cmocka_unit_test(what_refills_the_pools_is_written),
		cmocka_unit_test(each_verb_has_its_pieces),
		cmocka_unit_test(a_person_would_type_the_same),
		cmocka_unit_test(a_long_request_goes_in_parts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
