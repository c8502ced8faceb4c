/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Text from outside, numbers, growing strings. */
#include "unit.h"

#include "lib/text.h"

#include <stdlib.h>

static void text_that_could_drive_a_terminal_is_masked(void **state)
{
	static const struct {
		const char *text, *masked;
	} rows[] = {
		{ "\033[31mred\033[0m", "?[31mred?[0m" },
		{ "a\nb\rc\td\be\af", "a?b?c?d?e?f" },
		{ "\x01\x02\x1f\x7f", "????" },
		{ "\xc2\x9b"
		  "31m",
		  "??31m" },	      /* U+009B, CSI */
		{ "\xc2\x80", "??" }, /* the first of C1 */
		{ "\xc2\x9f", "??" }, /* the last of C1 */
		{ "\x9b"
		  "31m",
		  "?31m" },	      /* the byte 0x9b by itself */
		{ "\xc0\xaf", "??" }, /* overlong '/' */
		{ "\xc1\xbf", "??" },
		{ "\xe0\x80\xaf", "???" }, /* overlong in three bytes */
		{ "\xe0\x9f\xbf", "???" },
		{ "\xf0\x80\x80\xaf", "????" },
		{ "\xf0\x8f\xbf\xbf", "????" },
		{ "\xed\xa0\x80", "???" },	/* a surrogate */
		{ "\xf4\x90\x80\x80", "????" }, /* above U+10FFFF */
		{ "\xf5\x80\x80\x80", "????" },
		{ "\xfe\xff", "??" },
		{ "\x80", "?" },
		{ "a\xe2\x82", "a??" }, /* ends in the middle of a character */
		{ "\xe2\x82"
		  "a",
		  "??a" },
		{ "\xf0\x9f\x98", "???" },
		{ "\xe2", "?" },
		{ "\xc3"
		  "A",
		  "?A" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[32];

		snprintf(text, sizeof(text), "%s", rows[i].text);
		printable(text);
		check(!strcmp(text, rows[i].masked), "row %zu: '%s'", i, text);
	}
}

static void printable_text_stays(void **state)
{
	static const char *const texts[] = {
		"",
		" ",
		"plain ~ text",
		"\xc2\xa0",
		"\xc3\xa9",
		"\xdf\xbf",
		"\xe0\xa0\x80",
		"\xe2\x82\xac",
		"\xed\x9f\xbf",
		"\xee\x80\x80",
		"\xf0\x90\x80\x80",
		"\xf0\x9f\x98\x80",
		"\xf4\x8f\xbf\xbf",
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(texts); i++) {
		char text[32];

		snprintf(text, sizeof(text), "%s", texts[i]);
		printable(text);
		check(!strcmp(text, texts[i]), "row %zu: '%s'", i, text);
	}
}

/* With the end of the text on the heap, so that a sanitizer detects an overrun. */
static void a_character_cut_off_at_the_end_is_not_read_past_it(void **state)
{
	static const char *const texts[] = { "\xe2", "\xe2\x82", "\xf0\x9f\x98", "\xc3" };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_free_ char *text = xstrdup(texts[i]);

		printable(text);
		assert_int_equal(strspn(text, "?"), strlen(texts[i]));
	}
}

static void a_number_is_digits_and_nothing_else(void **state)
{
	static const struct {
		const char *text;
		int base;
		bool is_number;
		uint64_t value;
	} rows[] = {
		{ "0", 10, true, 0 },
		{ "007", 10, true, 7 },
		{ "18446744073709551615", 10, true, UINT64_MAX },
		{ "18446744073709551616", 10, false, 0 },
		{ "99999999999999999999999", 10, false, 0 },
		{ "", 10, false, 0 },
		{ "-1", 10, false, 0 },
		{ "+1", 10, false, 0 },
		{ " 1", 10, false, 0 },
		{ "1 ", 10, false, 0 },
		{ "1\n", 10, false, 0 },
		{ "1.0", 10, false, 0 },
		{ "1e3", 10, false, 0 },
		{ "a", 10, false, 0 },
		{ "0x10", 10, false, 0 },
		{ "8000000", 16, true, 0x8000000 },
		{ "ffffffffffffffff", 16, true, UINT64_MAX },
		{ "FFFFFFFFFFFFFFFF", 16, true, UINT64_MAX },
		{ "10000000000000000", 16, false, 0 },
		{ "0x10", 16, false, 0 },
		{ "-f", 16, false, 0 },
		{ "g", 16, false, 0 },
		{ "", 16, false, 0 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t value = 4711;

		check(parse_u64(rows[i].text, rows[i].base, &value) == rows[i].is_number, "'%s'",
		      rows[i].text);
		check(value == (rows[i].is_number ? rows[i].value : 4711), "'%s'", rows[i].text);
	}
}

static void a_buffer_grows_and_is_always_a_string(void **state)
{
	struct buf b = { 0 };
	int i;

	(void)state;
	assert_string_equal(buf_text(&b), "");
	for (i = 0; i < 1000; i++) {
		buf_addf(&b, "%d,", i);
		assert_int_equal(strlen(b.data), b.len);
	}
	assert_int_equal(b.len, 10 * 2 + 90 * 3 + 900 * 4);
	assert_int_equal(strncmp(buf_text(&b), "0,1,2,", 6), 0);
	assert_string_equal(buf_text(&b) + b.len - 8, "998,999,");
	buf_free(&b);
	assert_string_equal(buf_text(&b), "");
	assert_int_equal(b.len, 0);
	buf_free(&b);
}

static void a_buffer_takes_bytes_of_any_value(void **state)
{
	_cleanup_buf_ struct buf b = { 0 };

	(void)state;
	buf_add(&b, "a\0b", 3);
	buf_add(&b, "", 0);
	assert_int_equal(b.len, 3);
	assert_memory_equal(b.data, "a\0b", 4);
}

static void the_front_of_a_buffer_can_be_dropped(void **state)
{
	_cleanup_buf_ struct buf b = { 0 };

	(void)state;
	buf_drop(&b, 0);
	buf_add(&b, "first second", 12);
	buf_drop(&b, 6);
	assert_string_equal(buf_text(&b), "second");
	buf_drop(&b, 0);
	assert_string_equal(buf_text(&b), "second");
	buf_drop(&b, 6);
	assert_string_equal(buf_text(&b), "");
	assert_int_equal(b.len, 0);
	buf_addf(&b, "again");
	assert_string_equal(buf_text(&b), "again");
}

static void a_long_formatted_text_is_whole(void **state)
{
	_cleanup_buf_ struct buf b = { 0 };
	_cleanup_free_ char *text = NULL;

	(void)state;
	buf_addf(&b, "%0*d", 100000, 7);
	assert_int_equal(b.len, 100000);
	text = xasprintf("%s!", buf_text(&b));
	assert_int_equal(strlen(text), 100001);
	assert_string_equal(text + 99999, "7!");
}

static void copies_belong_to_the_caller(void **state)
{
	_cleanup_free_ char *copy = xstrdup("abc");
	_cleanup_free_ char *front = xstrndup("abc", 2);
	_cleanup_free_ char *whole = xstrndup("abc", 9);
	_cleanup_free_ unsigned char *zeros = xcalloc(4, 4);
	_cleanup_free_ void *nothing = xcalloc(0, 8);

	(void)state;
	assert_string_equal(copy, "abc");
	assert_string_equal(front, "ab");
	assert_string_equal(whole, "abc");
	assert_int_equal(zeros[0] | zeros[15], 0);
	assert_non_null(nothing);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_that_could_drive_a_terminal_is_masked),
		cmocka_unit_test(printable_text_stays),
		cmocka_unit_test(a_character_cut_off_at_the_end_is_not_read_past_it),
		cmocka_unit_test(a_number_is_digits_and_nothing_else),
		cmocka_unit_test(a_buffer_grows_and_is_always_a_string),
		cmocka_unit_test(a_buffer_takes_bytes_of_any_value),
		cmocka_unit_test(the_front_of_a_buffer_can_be_dropped),
		cmocka_unit_test(a_long_formatted_text_is_whole),
		cmocka_unit_test(copies_belong_to_the_caller),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
