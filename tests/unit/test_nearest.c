/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The intended name behind a typo. */
#include "unit.h"

#include "lib/text.h"

static const char *const names[] = { "plug",	  "unplug", "online", "offline",   "list",
				     "blocks",	  "status", "qmp",    "vms",	   "timeout",
				     "no-online", "force",  "zone",   "web-server" };

static const char *meant(const char *word)
{
	struct nearest n = { .word = word };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		nearest_offer(&n, names[i]);
	return n.best;
}

static void a_mistyped_name_is_recognised(void **state)
{
	static const struct {
		const char *word, *name;
	} rows[] = {
		{ "plgu", "plug" },	  /* two letters swapped */
		{ "unplgu", "unplug" },	  /* the same */
		{ "unplugg", "unplug" },  /* one letter too many */
		{ "onlne", "online" },	  /* one letter too few */
		{ "oflfine", "offline" }, /* swapped further in */
		{ "lisr", "list" },	  /* another letter */
		{ "Plug", "plug" },	  /* a capital */
		{ "stat", "status" },	  /* the end is missing */
		{ "web", "web-server" },  /* a large part is missing */
		{ "timout", "timeout" },  { "no-onlien", "no-online" }, { "vm", "vms" },
		{ "qpm", "qmp" },	  { "plug", "plug" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *name = meant(rows[i].word);

		check(name && !strcmp(name, rows[i].name), "'%s': '%s'", rows[i].word,
		      name ? name : "none");
	}
}

static void nothing_is_guessed_from_afar(void **state)
{
	static const char *const words[] = {
		"", "x", "ab", "reboot", "balloon", "shutdown", "\xff\xfe\x01\x02", "???"
	};
	char huge[5000];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(words); i++)
		check(!meant(words[i]), "'%s': '%s'", words[i], meant(words[i]));
	memset(huge, 'p', sizeof(huge) - 1);
	huge[sizeof(huge) - 1] = '\0';
	assert_null(meant(huge));
}

static void a_huge_or_missing_candidate_is_passed_over(void **state)
{
	struct nearest n = { .word = "plug" };
	char huge[5000];

	(void)state;
	memset(huge, 'p', sizeof(huge) - 1);
	huge[sizeof(huge) - 1] = '\0';
	nearest_offer(&n, huge);
	nearest_offer(&n, NULL);
	nearest_offer(&n, "");
	assert_null(n.best);
}

static void the_hint_falls_back(void **state)
{
	struct nearest none = { .word = "x" }, one = { .word = "plgu" };
	struct err err = { 0 };

	(void)state;
	nearest_offer(&one, "plug");
	assert_int_equal(nearest_hint(&one, "see the list", &err), -1);
	assert_string_equal(err.hint, "did you mean 'plug'?");
	assert_int_equal(nearest_hint(&none, "see the list", &err), -1);
	assert_string_equal(err.hint, "see the list");
	assert_int_equal(nearest_hint(&none, NULL, &err), -1);
	assert_string_equal(err.hint, "see the list");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mistyped_name_is_recognised),
		cmocka_unit_test(nothing_is_guessed_from_afar),
		cmocka_unit_test(a_huge_or_missing_candidate_is_passed_over),
		cmocka_unit_test(the_hint_falls_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
