/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tables of options: mistakes in them, and their help. */
#include "unit.h"

#include "cli/opt.h"

static const char *const zones[] = { "auto", "movable", "kernel", NULL };

/* The global table that the tables below are used with. */
static const struct opt global_table[] = {
	{ 't', "timeout", "SEC", "the deadline", NULL, OPT_SECONDS, 0, NULL },
	{ 0 },
};

static void mistakes_in_a_table_are_found(void **state)
{
	static const struct {
		struct opt row;
		const char *complaint; /* NULL for none */
	} rows[] = {
		{ { 'x', "extra", NULL, "help", NULL, OPT_FLAG, 0, NULL }, NULL },
		{ { 'x', "extra", "N", "help", NULL, OPT_NUMBER, 0, NULL }, NULL },
		{ { 0, "extra", "WORD", "help", NULL, OPT_CHOICE, 0, zones }, NULL },
		{ { 0, "extra", "[=N]", "help", NULL, OPT_NUMBER, 0, NULL }, NULL },
		{ { 0, "extra", "[=SIZE]", "help", NULL, OPT_SIZE, 0, NULL }, NULL },
		{ { 0, "extra", "[=WORD]", "help", NULL, OPT_STRING, 0, NULL }, "may lack" },
		{ { 0, "extra", "[=WORD]", "help", NULL, OPT_CHOICE, 0, zones }, "may lack" },
		{ { 't', "extra", NULL, "help", NULL, OPT_FLAG, 0, NULL }, "name" },
		{ { 0, "timeout", "N", "help", NULL, OPT_NUMBER, 0, NULL }, "name" },
		{ { 0, "extra", "N", "help", NULL, OPT_FLAG, 0, NULL }, "argument" },
		{ { 0, "extra", NULL, "help", NULL, OPT_STRING, 0, NULL }, "argument" },
		{ { 0, "extra", "WORD", "help", NULL, OPT_CHOICE, 0, NULL }, "choice" },
		{ { 0, "extra", "WORD", "help", NULL, OPT_STRING, 0, zones }, "choice" },
		{ { 0, "extra", NULL, "", NULL, OPT_FLAG, 0, NULL }, "help" },
		{ { 0, "extra", NULL, NULL, NULL, OPT_FLAG, 0, NULL }, "help" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct opt table[] = { rows[i].row, { 0 } };
		struct opt_target targets[] = { { .table = global_table },
						{ .table = table },
						{ 0 } };
		const char *complaint = opt_check(targets, ARRAY_SIZE(targets));

		check(!complaint == !rows[i].complaint, "row %zu: %s", i,
		      complaint ? complaint : "none");
		check(!complaint || strstr(complaint, rows[i].complaint), "row %zu: %s", i,
		      complaint);
	}
}

static void help_has_every_option_and_fits_80_columns(void **state)
{
	static const struct opt table[] = {
		{ 'x', "extra", "VALUE",
		  "a text that is so long that it has to go on in a second line, and "
		  "from there in a third one, because it does not end soon",
		  "OPT_TEST_X", OPT_STRING, 0, NULL },
		{ 0, "an-option-with-a-long-name", "ARGUMENT", "help", NULL, OPT_STRING, 0, NULL },
		{ 'f', "flag", NULL, "help", NULL, OPT_FLAG, 0, NULL },
		{ 0, "lax", "[=N]", "help", NULL, OPT_NUMBER, 0, NULL },
		{ 0 },
	};
	static const char *const parts[] = {
		"  -x, --extra VALUE ", "      --an-option-with-a-long-name ARGUMENT\n",
		"  -f, --flag ",	"      --lax[=N] ",
		"[OPT_TEST_X]",		"does not end soon"
	};
	_cleanup_buf_ struct buf text = { 0 };
	const char *line;
	size_t i;

	(void)state;
	opt_help(&text, table);
	for (i = 0; i < ARRAY_SIZE(parts); i++)
		check(strstr(buf_text(&text), parts[i]), "'%s' in\n%s", parts[i], buf_text(&text));
	for (line = buf_text(&text); *line; line += strcspn(line, "\n") + 1) {
		check(strcspn(line, "\n") <= 80, "%s", line);
		check(line[strcspn(line, "\n")] == '\n', "%s", line);
	}
	opt_help(&text, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mistakes_in_a_table_are_found),
		cmocka_unit_test(help_has_every_option_and_fits_80_columns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
