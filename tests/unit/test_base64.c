/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Bytes as text, and texts that are not base64. */
#include <string.h>

#include "unit.h"

#include "lib/base64.h"

static void what_is_written_is_read(void **state)
{
	/* RFC 4648, 10 */
	static const struct {
		const char *bytes, *text;
	} rows[] = {
		{ "", "" },
		{ "f", "Zg==" },
		{ "fo", "Zm8=" },
		{ "foo", "Zm9v" },
		{ "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" },
		{ "foobar", "Zm9vYmFy" },
		{ "\xff\xfe\xfb", "//77" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *text = base64_encode(rows[i].bytes, strlen(rows[i].bytes));
		_cleanup_buf_ struct buf out = { 0 };

		buf_add(&out, "<", 1);
		check(!strcmp(text, rows[i].text), "%s", text);
		check(base64_decode(text, &out), "%s", text);
		check(out.len == strlen(rows[i].bytes) + 1 && !strcmp(out.data + 1, rows[i].bytes),
		      "%s", text);
	}
}

static void every_byte_comes_back(void **state)
{
	unsigned char bytes[256];
	_cleanup_buf_ struct buf out = { 0 };
	_cleanup_free_ char *text = NULL;
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)i;
	text = base64_encode(bytes, sizeof(bytes));
	assert_true(base64_decode(text, &out));
	assert_int_equal(out.len, sizeof(bytes));
	assert_memory_equal(out.data, bytes, sizeof(bytes));
}

static void other_texts_are_refused(void **state)
{
	static const char *const texts[] = { "Z",	   "Zg",   "Zg=",   "Zg===",  "=",
					     "====",	   "Zh==", "Zm9=",  "Zm9v\n", "Zm 9v",
					     "Zg==Zg==",   "Z=g=", "Zm9v=", "Zm9v==", "Zm9v====",
					     "\xc3\xa9gg", "Zm-v", "Zm_v" };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_buf_ struct buf out = { 0 };

		check(!base64_decode(texts[i], &out) && !out.len, "%s", texts[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(every_byte_comes_back),
		cmocka_unit_test(other_texts_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
