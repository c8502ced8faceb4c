/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A line as a shell splits it. */
#include "unit.h"

#include "lib/err.h"
#include "lib/text.h"

static void a_line_is_split_as_a_shell_does_it(void **state)
{
	static const struct {
		const char *line;
		int count;
		const char *words[4];
	} rows[] = {
		{ "", 0, { NULL } },
		{ " \t\r\n", 0, { NULL } },
		{ "plug 512M", 2, { "plug", "512M" } },
		{ "  plug\t512M \r\n", 2, { "plug", "512M" } },
		{ "# plug 512M", 0, { NULL } },
		{ "plug # 512M", 1, { "plug" } },
		{ "plug#512M", 1, { "plug#512M" } }, /* only at the start of a word */
		{ "a 'b c' d", 3, { "a", "b c", "d" } },
		{ "a \"b c\" d", 3, { "a", "b c", "d" } },
		{ "a\\ b c", 2, { "a b", "c" } },
		{ "'' \"\"", 2, { "", "" } },
		{ "a''b\"\"c", 1, { "abc" } },
		{ "--guest='exec:sh -c \"x\"'", 1, { "--guest=exec:sh -c \"x\"" } },
		{ "'a\\b'", 1, { "a\\b" } }, /* nothing is special inside these */
		{ "\"a\\\"b\\\\c\\d\"", 1, { "a\"b\\c\\d" } },
		{ "'#' \\#", 2, { "#", "#" } },
		{ "\\", 1, { "\\" } }, /* the end of the line is not escaped */
		{ "$HOME `id` * ~", 4, { "$HOME", "`id`", "*", "~" } }, /* nothing is expanded */
	};
	struct err err = { 0 };
	size_t i;
	int j;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct argv words;

		check(!argv_split(rows[i].line, &words, &err), "%s", rows[i].line);
		check(words.count == rows[i].count, "%s: %d words", rows[i].line, words.count);
		for (j = 0; j < words.count; j++)
			check(!strcmp(words.list[j], rows[i].words[j]), "%s: '%s'", rows[i].line,
			      words.list[j]);
		check(!words.count || !words.list[words.count], "%s: no end", rows[i].line);
		argv_free(&words);
		check(!words.list && !words.count, "%s: released", rows[i].line);
	}
}

static void a_quote_that_does_not_end_is_refused(void **state)
{
	static const char *const lines[] = { "'",	    "\"",      "plug 'a",
					     "plug a\"b c", "\"a\\\"", "a 'b\"" };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(lines); i++) {
		struct err err = { 0 };
		struct argv words;

		check(argv_split(lines[i], &words, &err) == -1, "%s", lines[i]);
		check(err.code == ERR_USAGE && strstr(err.message, "no closing"), "%s: %s",
		      lines[i], err.message);
		check(!words.list && !words.count, "%s: words", lines[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_is_split_as_a_shell_does_it),
		cmocka_unit_test(a_quote_that_does_not_end_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
