/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Typed option tables. */
#include "unit.h"

#include <stdlib.h>

#include "cli/opt.h"

#define WORDS_MAX 20

struct global_options {
	const char *monitor;
	int64_t timeout_ms;
	bool is_quiet, is_verbose;
};

struct command_options {
	struct opt_u64 size, node, pages, threads;
	unsigned zone, kind;
	bool is_forced;
	const char *name;
};

static const char *const zones[] = { "auto", "movable", "kernel", NULL };
static const char *const kinds[] = { "", "large", "small", NULL };

static const struct opt global_table[] = {
	{ 'Q', "monitor", "ADDR", "the monitor", "OPT_TEST_MONITOR", OPT_STRING,
	  offsetof(struct global_options, monitor), NULL },
	{ 't', "timeout", "SEC", "the deadline", "OPT_TEST_TIMEOUT", OPT_SECONDS,
	  offsetof(struct global_options, timeout_ms), NULL },
	{ 'q', "quiet", NULL, "less", "OPT_TEST_QUIET", OPT_FLAG,
	  offsetof(struct global_options, is_quiet), NULL },
	{ 'v', "verbose", NULL, "more", NULL, OPT_FLAG, offsetof(struct global_options, is_verbose),
	  NULL },
	{ 0 },
};

static const struct opt command_table[] = {
	{ 0, "size", "SIZE", "how much", NULL, OPT_SIZE, offsetof(struct command_options, size),
	  NULL },
	{ 0, "node", "N", "which node", NULL, OPT_NUMBER, offsetof(struct command_options, node),
	  NULL },
	{ 0, "name", "NAME", "what it is called", NULL, OPT_STRING,
	  offsetof(struct command_options, name), NULL },
	{ 0, "zone", "ZONE", "where to", NULL, OPT_CHOICE, offsetof(struct command_options, zone),
	  zones },
	{ 0, "kind", "KIND", "large or small", NULL, OPT_CHOICE,
	  offsetof(struct command_options, kind), kinds },
	{ 0, "pages", "[=SIZE]", "in pages", NULL, OPT_SIZE,
	  offsetof(struct command_options, pages), NULL },
	{ 0, "threads", "[=N]", "in parallel", NULL, OPT_NUMBER,
	  offsetof(struct command_options, threads), NULL },
	{ 0, "force", NULL, "do not check", NULL, OPT_FLAG,
	  offsetof(struct command_options, is_forced), NULL },
	{ 0 },
};

/* A command line as input; options and arguments as output. */
struct line {
	struct global_options global;
	struct command_options command;
	char *argv[WORDS_MAX + 1];
	int argc, first;
	struct err err;
	int status;
};

/* @text: words separated by '|' after the program's name */
static void read_line(struct line *line, const char *text, bool stop_at_argument)
{
	struct opt_target targets[2];
	const char *at = text;

	*line = (struct line){ .argv = { xstrdup("program") }, .argc = 1 };
	targets[0] = (struct opt_target){ .table = global_table, .options = &line->global };
	targets[1] = (struct opt_target){ .table = command_table, .options = &line->command };
	while (*text && line->argc < WORDS_MAX) {
		size_t len = strcspn(at, "|");

		line->argv[line->argc++] = xstrndup(at, len);
		if (!at[len])
			break;
		at += len + 1;
	}
	line->status = opt_parse(targets, 2, line->argc, line->argv, stop_at_argument, &line->first,
				 &line->err);
}

static void release_line(struct line *line)
{
	int i;

	for (i = 0; i < line->argc; i++)
		free(line->argv[i]);
}

/* All ways to write options, before, between and after arguments. */
static void options_are_read_wherever_they_stand(void **state)
{
	static const char *const lines[] = {
		"-Q|/vm|-t|1.5|-q|--size|512M|--node|0x10|--zone|movable|--force|--name|x|one|two",
		"one|two|-Q|/vm|-t|1.5|-q|--size|512M|--node|16|--zone|movable|--force|--name|x",
		"-Q/vm|one|-qt1.5|--size=512M|--node=16|two|--zone=movable|--force|--name=x",
		"one|--mon=/vm|--ti=1.5|--qui|--si=512M|two|--no=16|--z|movable|--f|--na|x",
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(lines); i++) {
		struct line l;

		read_line(&l, lines[i], false);
		check(!l.status, "%s: %s", lines[i], l.err.message);
		check(l.argc - l.first == 2 && !strcmp(l.argv[l.first], "one") &&
			      !strcmp(l.argv[l.first + 1], "two"),
		      "%s", lines[i]);
		check(!strcmp(l.global.monitor, "/vm") && l.global.timeout_ms == 1500 &&
			      l.global.is_quiet && !l.global.is_verbose,
		      "%s", lines[i]);
		check(l.command.size.is_set && l.command.size.value == UINT64_C(512) << 20, "%s",
		      lines[i]);
		check(l.command.node.is_set && l.command.node.value == 16, "%s", lines[i]);
		check(l.command.zone == 1 && l.command.is_forced && !strcmp(l.command.name, "x"),
		      "%s", lines[i]);
		release_line(&l);
	}
}

static void nothing_given_sets_nothing(void **state)
{
	struct line l;

	(void)state;
	read_line(&l, "", false);
	assert_int_equal(l.status, 0);
	assert_int_equal(l.first, 1);
	assert_false(l.command.size.is_set || l.command.node.is_set || l.command.is_forced);
	assert_null(l.global.monitor);
	release_line(&l);
}

static void reading_stops_at_the_command_when_told_to(void **state)
{
	struct line l;

	(void)state;
	read_line(&l, "-q|plug|-v|--no-such", true);
	assert_int_equal(l.status, 0);
	assert_true(l.global.is_quiet);
	assert_false(l.global.is_verbose);
	assert_int_equal(l.first, 2);
	assert_string_equal(l.argv[2], "plug");
	release_line(&l);
}

static void two_dashes_end_the_options(void **state)
{
	struct line l;

	(void)state;
	read_line(&l, "-q|--|-v|--no-such", false);
	assert_int_equal(l.status, 0);
	assert_false(l.global.is_verbose);
	assert_int_equal(l.argc - l.first, 2);
	assert_string_equal(l.argv[l.first], "-v");
	release_line(&l);
}

static void a_dash_alone_is_a_word(void **state)
{
	struct line l;

	(void)state;
	read_line(&l, "-|-q", false);
	assert_int_equal(l.status, 0);
	assert_true(l.global.is_quiet);
	assert_string_equal(l.argv[l.first], "-");
	release_line(&l);
}

static void the_last_of_two_values_counts(void **state)
{
	struct line l;

	(void)state;
	read_line(&l, "--zone=kernel|-t1|--zone=auto|-t2", false);
	assert_int_equal(l.status, 0);
	assert_int_equal(l.command.zone, 0);
	assert_int_equal(l.global.timeout_ms, 2000);
	release_line(&l);
}

static void a_value_in_brackets_may_be_left_out(void **state)
{
	static const struct {
		const char *line;
		struct opt_u64 pages, threads;
		int words;
	} rows[] = {
		{ "one", { false, 0 }, { false, 0 }, 1 },
		{ "--pages", { true, 0 }, { false, 0 }, 0 },
		{ "--pages=2M|--threads=0x4", { true, 2 << 20 }, { true, 4 }, 0 },
		{ "--threads|--pages=2M", { true, 2 << 20 }, { true, 0 }, 0 },
		/* what follows is a word, not a value */
		{ "--pages|2M|--threads|4", { true, 0 }, { true, 0 }, 2 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct line l;

		read_line(&l, rows[i].line, false);
		check(!l.status, "%s: %s", rows[i].line, l.err.message);
		check(l.command.pages.is_set == rows[i].pages.is_set &&
			      l.command.pages.value == rows[i].pages.value,
		      "%s", rows[i].line);
		check(l.command.threads.is_set == rows[i].threads.is_set &&
			      l.command.threads.value == rows[i].threads.value,
		      "%s", rows[i].line);
		check(l.argc - l.first == rows[i].words, "%s", rows[i].line);
		release_line(&l);
	}
}

static void an_empty_choice_stands_for_none_given(void **state)
{
	struct line l;

	(void)state;
	read_line(&l, "one", false);
	assert_int_equal(l.command.kind, 0);
	release_line(&l);
	read_line(&l, "--kind|small", false);
	assert_int_equal(l.status, 0);
	assert_int_equal(l.command.kind, 2);
	release_line(&l);
	read_line(&l, "--kind=", false);
	assert_int_equal(l.status, -1);
	assert_non_null(strstr(l.err.message, "want large or small"));
	release_line(&l);
}

/* Words separated by '|', as opt_shield() leaves them. */
static char *shield(const char *text)
{
	char *argv[WORDS_MAX];
	_cleanup_free_ char *copy = xstrdup(text);
	_cleanup_free_ char **words = NULL;
	struct buf joined = { 0 };
	char *rest = copy, *word;
	int i, argc = 0;

	while ((word = strsep(&rest, "|")))
		argv[argc++] = word;
	words = opt_shield(&argc, argv);
	for (i = 0; i < argc; i++)
		buf_addf(&joined, "%s%s", i ? "|" : "", words[i]);
	return joined.data;
}

static void a_word_may_begin_with_a_minus_and_a_digit(void **state)
{
	static const struct {
		const char *line, *shielded;
	} rows[] = {
		{ "resize", "resize" },
		{ "resize|8G", "resize|8G" },
		{ "resize|+1G|--force", "resize|+1G|--force" },
		{ "resize|-512M", "resize|--|-512M" },
		{ "resize|-512M|--force", "resize|--force|--|-512M" },
		{ "resize|--zone|movable|-1G|-v", "resize|--zone|movable|-v|--|-1G" },
		{ "resize|-1G|-2G", "resize|--|-1G|-2G" },
		{ "resize|-v|--|-1G", "resize|-v|--|-1G" },
		{ "resize|-G|-|--force", "resize|-G|-|--force" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *shielded = shield(rows[i].line);

		check(!strcmp(shielded, rows[i].shielded), "%s: %s", rows[i].line, shielded);
	}
}

static void bad_options_are_named(void **state)
{
	static const struct {
		const char *line, *word, *more;
	} rows[] = {
		{ "--no-such", "--no-such", "unknown" },
		{ "one|--no-such=7", "--no-such", "unknown" },
		{ "-x", "-x", "unknown" },
		{ "-qx", "-x", "unknown" },
		{ "--n|1", "--n", "ambiguous" },
		{ "-t", "--timeout", "SEC" },
		{ "--timeout", "--timeout", "SEC" },
		{ "one|--size", "--size", "SIZE" },
		{ "--quiet=yes", "--quiet", "no value" },
		{ "--force=1", "--force", "no value" },
		{ "--size|512", "512", "unit" },
		{ "--size=", "''", "size" },
		{ "--node|x", "--node", "'x'" },
		{ "--node|-1", "--node", "'-1'" },
		{ "--node|0x", "--node", "'0x'" },
		{ "--node|0xg", "--node", "'0xg'" },
		{ "--node|1.5", "--node", "'1.5'" },
		{ "--node|18446744073709551616", "--node", "'18446744073709551616'" },
		{ "--node=", "--node", "''" },
		{ "--pages=2", "'2'", "unit" },
		{ "--pages=", "''", "size" },
		{ "--threads=two", "--threads", "'two'" },
		{ "one|-512M", "-5", "no sign" },
		{ "--zone|Movable", "--zone", "auto, movable or kernel" },
		{ "--zone|mov", "--zone", "'mov'" },
		{ "--zone=", "--zone", "''" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct line l;

		read_line(&l, rows[i].line, false);
		check(l.status == -1 && l.err.code == ERR_USAGE, "%s", rows[i].line);
		check(strstr(l.err.message, rows[i].word), "%s: %s", rows[i].line, l.err.message);
		check(strstr(l.err.message, rows[i].more), "%s: %s", rows[i].line, l.err.message);
		release_line(&l);
	}
}

static void seconds_may_have_fractions(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} rows[] = {
		{ "0", 0 },	  { "1", 1000 },	 { "10", 10000 }, { "0.5", 500 },
		{ "2.25", 2250 }, { "0.001", 1 },	 { "0.0001", 1 }, { "60.000", 60000 },
		{ "007", 7000 },  { "86400", 86400000 }, { "0.0", 0 },
	};
	static const char *const bad[] = { "",	    "-1",  "+1", "abc",	       "1s",  "1e3",
					   "1.5.2", "1,5", " 1", "1 ",	       "inf", "nan",
					   "0x10",  ".",   "..", "99999999999" };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows) + ARRAY_SIZE(bad); i++) {
		const char *text = i < ARRAY_SIZE(rows) ? rows[i].text : bad[i - ARRAY_SIZE(rows)];
		_cleanup_free_ char *words = xasprintf("--timeout=%s", text);
		struct line l;

		read_line(&l, words, false);
		check(l.status == (i < ARRAY_SIZE(rows) ? 0 : -1), "'%s'", text);
		check(l.status || l.global.timeout_ms == rows[i].ms, "'%s': %lld", text,
		      (long long)l.global.timeout_ms);
		check(!l.status || (l.err.code == ERR_USAGE && strstr(l.err.message, "--timeout")),
		      "'%s'", text);
		release_line(&l);
	}
}

static void the_environment_stands_in_for_options(void **state)
{
	struct global_options global = { 0 };
	struct opt_target target = { .table = global_table, .options = &global };
	struct err err = { 0 };

	(void)state;
	setenv("OPT_TEST_MONITOR", "/vm", 1);
	setenv("OPT_TEST_TIMEOUT", "2.5", 1);
	setenv("OPT_TEST_QUIET", "", 1);
	assert_int_equal(opt_environment(&target, &err), 0);
	assert_string_equal(global.monitor, "/vm");
	assert_int_equal(global.timeout_ms, 2500);
	assert_false(global.is_quiet);
	setenv("OPT_TEST_TIMEOUT", "soon", 1);
	assert_int_equal(opt_environment(&target, &err), -1);
	assert_int_equal(err.code, ERR_USAGE);
	assert_non_null(strstr(err.message, "OPT_TEST_TIMEOUT"));
	assert_non_null(strstr(err.message, "'soon'"));
	unsetenv("OPT_TEST_MONITOR");
	unsetenv("OPT_TEST_TIMEOUT");
	unsetenv("OPT_TEST_QUIET");
	global = (struct global_options){ .timeout_ms = 7 };
	assert_int_equal(opt_environment(&target, &err), 0);
	assert_null(global.monitor);
	assert_int_equal(global.timeout_ms, 7);
}

static void the_option_that_a_word_leaves_without_its_value_is_known(void **state)
{
	static const struct {
		const char *word, *name;
	} rows[] = {
		{ "--monitor", "monitor" },
		{ "-Q", "monitor" },
		{ "-qQ", "monitor" },
		{ "-t", "timeout" },
		{ "-vqt", "timeout" },
		{ "--monitor=x", NULL },
		{ "-Qx", NULL },
		{ "-Qt", NULL },
		{ "-q", NULL },
		{ "--quiet", NULL },
		{ "--mon", NULL },
		{ "--", NULL },
		{ "-", NULL },
		{ "", NULL },
		{ "Q", NULL },
		{ "-Z", NULL },
		{ "--zone", NULL },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct opt *opt = opt_awaiting(global_table, rows[i].word);

		check(opt ? rows[i].name && !strcmp(opt->name, rows[i].name) : !rows[i].name, "%s",
		      rows[i].word);
	}
	assert_string_equal(opt_awaiting(command_table, "--zone")->name, "zone");
	assert_null(opt_awaiting(command_table, "--pages")); /* is optional */
	assert_null(opt_awaiting(NULL, "--zone"));
}

static void a_word_names_its_option(void **state)
{
	(void)state;
	assert_string_equal(opt_of_word(command_table, "--zone")->name, "zone");
	assert_string_equal(opt_of_word(command_table, "--zone=")->name, "zone");
	assert_string_equal(opt_of_word(command_table, "--zone=x=y")->name, "zone");
	assert_null(opt_of_word(command_table, "--zon"));
	assert_null(opt_of_word(command_table, "zone"));
	assert_null(opt_of_word(command_table, "--"));
	assert_null(opt_of_word(NULL, "--zone"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_are_read_wherever_they_stand),
		cmocka_unit_test(nothing_given_sets_nothing),
		cmocka_unit_test(reading_stops_at_the_command_when_told_to),
		cmocka_unit_test(two_dashes_end_the_options),
		cmocka_unit_test(a_dash_alone_is_a_word),
		cmocka_unit_test(the_last_of_two_values_counts),
		cmocka_unit_test(a_value_in_brackets_may_be_left_out),
		cmocka_unit_test(an_empty_choice_stands_for_none_given),
		cmocka_unit_test(a_word_may_begin_with_a_minus_and_a_digit),
		cmocka_unit_test(the_option_that_a_word_leaves_without_its_value_is_known),
		cmocka_unit_test(a_word_names_its_option),
		cmocka_unit_test(bad_options_are_named),
		cmocka_unit_test(seconds_may_have_fractions),
		cmocka_unit_test(the_environment_stands_in_for_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
