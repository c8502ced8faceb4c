/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files for -readconfig. */
#include "unit.h"

#include "vm/qemuopt.h"

/* The words, separated by '|'. */
static char *words_of(const char *text)
{
	struct buf words = { 0 };
	size_t i;

	qemuopt_file_words(&words, text);
	for (i = 0; i < words.len; i++)
		if (!words.data[i])
			words.data[i] = '|';
	buf_add(&words, "", 1);
	return words.data;
}

static void sections_become_options(void **state)
{
	static const struct {
		const char *text, *words;
	} rows[] = {
		{ "", "" },
		{ "# only\n\n", "" },
		{ "key = \"value\"\n", "" }, /* outside a section */
		{ "[mon \"m\"]\n  mode = \"control\"\n  chardev = \"c\"\n",
		  "-mon|id=m,mode=control,chardev=c|" },
		{ "[chardev \"c\"]\n backend = \"socket\"\n path = "
		  "\"/a,b\"\n[mon]\nchardev = \"c\"\n",
		  "-chardev|id=c,backend=socket,path=/a,,b|-mon|chardev=c|" },
		{ "[memory]\n  size = \"1G\"", "-m|size=1G|" },
		{ "[name]\n# guest = \"x\"\n  guest = \"web\"\n", "-name|guest=web|" },
		{ "[name]\n  guest = web\n  guest = \"\"\n", "-name||" },
		{ "[]\n  a = \"b\"\n", "" },
		{ "[x", "-x||" },
		{ "[mon \"\"]\n", "-mon \"\"||" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *words = words_of(rows[i].text);

		check(!strcmp(words, rows[i].words), "%s: '%s'", rows[i].text, words);
	}
}

static void long_lines_are_cut(void **state)
{
	_cleanup_buf_ struct buf text = { 0 };
	_cleanup_free_ char *words = NULL;
	unsigned i;

	(void)state;
	buf_addf(&text, "[name]\nguest = \"");
	for (i = 0; i < 5000; i++)
		buf_addf(&text, "x");
	buf_addf(&text, "\"\n[mon]\nmode = \"control\"\n");
	words = words_of(buf_text(&text));
	assert_non_null(strstr(words, "-mon|mode=control|"));
	assert_true(strlen(words) < 1200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sections_become_options),
		cmocka_unit_test(long_lines_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
