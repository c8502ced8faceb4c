/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sizes as people write and read them. */
#include "unit.h"

#include "lib/size.h"

#define K (UINT64_C(1) << 10)
#define M (UINT64_C(1) << 20)
#define G (UINT64_C(1) << 30)
#define T (UINT64_C(1) << 40)
#define P (UINT64_C(1) << 50)
#define E (UINT64_C(1) << 60)

static void a_number_with_a_unit_is_a_size(void **state)
{
	static const struct {
		const char *text;
		uint64_t size_bytes;
	} rows[] = {
		{ "512M", 512 * M },   { "512MiB", 512 * M },
		{ "512MB", 512 * M },  { "512m", 512 * M },
		{ "512mib", 512 * M }, { "536870912B", 512 * M },
		{ "1.5G", 1536 * M },  { "0.5K", 512 },
		{ "130M", 130 * M },   { "1K", K },
		{ "2T", 2 * T },       { "1P", P },
		{ "1E", E },	       { "7E", 7 * E },
		{ "1B", 1 },	       { "0.25G", 256 * M },
		{ "1.50G", 1536 * M }, { "0128M", 128 * M },
		{ "1.0B", 1 },	       { "0.125T", 128 * G },
		{ "1.000000000G", G }, { "9223372036854775807B", INT64_MAX },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t size_bytes = 0;
		struct err err = { 0 };

		check(!size_parse(rows[i].text, &size_bytes, &err), "'%s': %s", rows[i].text,
		      err.message);
		check(size_bytes == rows[i].size_bytes, "'%s': %llu", rows[i].text,
		      (unsigned long long)size_bytes);
		check(err.code == ERR_NONE, "'%s'", rows[i].text);
	}
}

/* Each is refused as bad usage, quoted, with a hint, and leaves the result unchanged. */
static void refuses(const char *text)
{
	uint64_t size_bytes = 4711;
	struct err err = { 0 };

	check(size_parse(text, &size_bytes, &err) == -1, "'%s': %llu", text,
	      (unsigned long long)size_bytes);
	check(size_bytes == 4711, "'%s'", text);
	check(err.code == ERR_USAGE, "'%s'", text);
	check(err.hint[0], "'%s'", text);
	check(strstr(err.message, text), "'%s': %s", text, err.message);
}

static void what_is_no_size_is_refused_with_a_hint(void **state)
{
	static const char *const texts[] = {
		"",	 "0",	     "0M",	     "0.0G",	  "00.000M",
		"0B",	 "-1",	     "+1",	     "-1M",	  "+512M",
		"512",	 "1.5",	     "1.3M",	     "1.5B",	  "0.1K",
		"abc",	 "M",	     ".5G",	     "1.G",	  ".",
		"1..5G", "1.5.5G",   "1,5G",	     "1e3",	  "1e3M",
		"0x10M", "1M ",	     " 1M",	     "1 M",	  "1M\n",
		"512Mi", "512MBs",   "512MiBs",	     "1KK",	  "1BB",
		"1BiB",	 "1X",	     "1Z",	     "1Y",	  "inf",
		"nan",	 "1.5G512M", "512M\033[31m", "\xd9\xa3M", "512\xc2\xa0M",
		"--",	 "1-2",	     "memory33",
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(texts); i++)
		refuses(texts[i]);
}

static void a_size_that_overflows_is_refused(void **state)
{
	static const char *const texts[] = {
		"99999999T",
		"8E",
		"16E",
		"9223372036854775808B",
		"18446744073709551615B",
		"18446744073709551616B",
		"18446744073709551616K",
		"18014398509481984K",
		"99999999999999999999999999999999999999999999999999M",
		/* exceeds 2^128 bytes by a plausible size */
		"309485009821345068.726734181T",
		"2951479051793528258.81E",
		/* more digits than can be kept exactly */
		"1.0000000000000000000000000000000000000001G",
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(texts); i++)
		refuses(texts[i]);
}

static void a_bare_number_gets_a_hint_with_both_readings(void **state)
{
	uint64_t size_bytes;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(size_parse("512", &size_bytes, &err), -1);
	assert_non_null(strstr(err.hint, "512M"));
	assert_non_null(strstr(err.hint, "512B"));
}

static void a_size_is_told_from_a_block_and_a_name(void **state)
{
	static const struct {
		const char *text;
		bool is_size;
	} rows[] = {
		{ "512M", true },      { "1.5G", true },    { "12B", true },	   { "1GiB", true },
		{ "33", false },       { "32-35", false },  { "memory33", false }, { "", false },
		{ "M", false },	       { "all", false },    { "3x", false },	   { "1.5", false },
		{ "12M-dimm", false }, { "memhp0", false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++)
		check(size_looks_like(rows[i].text) == rows[i].is_size, "'%s'", rows[i].text);
}

static void a_size_is_written_with_its_largest_unit(void **state)
{
	static const struct {
		uint64_t size_bytes;
		const char *text;
	} rows[] = {
		{ 0, "0 B" },
		{ 1, "1 B" },
		{ 1023, "1023 B" },
		{ K, "1 KiB" },
		{ 1536, "1.5 KiB" },
		{ 512 * M, "512 MiB" },
		{ 1023 * M, "1023 MiB" },
		{ G, "1 GiB" },
		{ 1536 * M, "1.5 GiB" },
		{ 1280 * M, "1.25 GiB" },
		{ 8 * G, "8 GiB" },
		{ 1024 * G, "1 TiB" },
		{ 100 * T, "100 TiB" },
		{ P, "1 PiB" },
		{ 8 * E, "8 EiB" },
		{ 487628 * K, "476.2 MiB" },
		{ 130 * M + 1, "130.0 MiB" },
	};
	char text[SIZE_TEXT_MAX];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++)
		check(!strcmp(size_format(text, rows[i].size_bytes), rows[i].text), "%llu: '%s'",
		      (unsigned long long)rows[i].size_bytes, text);
}

static void a_size_to_be_typed_in_is_not_rounded(void **state)
{
	static const struct {
		uint64_t size_bytes;
		const char *text;
	} rows[] = {
		{ 0, "0 B" },
		{ 512 * M, "512 MiB" },
		{ 1280 * M, "1.25 GiB" },
		{ 1152 * M, "1152 MiB" },
		{ 64 * G + 128 * M, "65664 MiB" },
		{ 130 * M + 1, "136314881 B" },
		{ UINT64_MAX, "18446744073709551615 B" },
	};
	char text[SIZE_TEXT_MAX];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++)
		check(!strcmp(size_exact(text, rows[i].size_bytes), rows[i].text), "%llu: '%s'",
		      (unsigned long long)rows[i].size_bytes, text);
}

static void any_size_fits_its_text(void **state)
{
	char text[SIZE_TEXT_MAX];
	int bit;

	(void)state;
	for (bit = 0; bit < 64; bit++) {
		assert_true(strlen(size_format(text, UINT64_C(1) << bit)) < SIZE_TEXT_MAX);
		assert_true(strlen(size_format(text, UINT64_MAX >> bit)) < SIZE_TEXT_MAX);
		assert_true(strlen(size_exact(text, UINT64_MAX >> bit)) < SIZE_TEXT_MAX);
	}
}

static void a_written_size_that_is_exact_reads_back(void **state)
{
	static const uint64_t sizes[] = { 1,	    512,      K, 1536,	M,    512 * M,
					  1536 * M, 1280 * M, G, 8 * G, 3 * T };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		char text[SIZE_TEXT_MAX], *blank;
		uint64_t size_bytes = 0;
		struct err err = { 0 };

		size_format(text, sizes[i]);
		blank = strchr(text, ' ');
		assert_non_null(blank);
		memmove(blank, blank + 1, strlen(blank));
		check(!size_parse(text, &size_bytes, &err), "'%s': %s", text, err.message);
		check(size_bytes == sizes[i], "'%s'", text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_number_with_a_unit_is_a_size),
		cmocka_unit_test(what_is_no_size_is_refused_with_a_hint),
		cmocka_unit_test(a_size_that_overflows_is_refused),
		cmocka_unit_test(a_bare_number_gets_a_hint_with_both_readings),
		cmocka_unit_test(a_size_is_told_from_a_block_and_a_name),
		cmocka_unit_test(a_size_is_written_with_its_largest_unit),
		cmocka_unit_test(a_size_to_be_typed_in_is_not_rounded),
		cmocka_unit_test(any_size_fits_its_text),
		cmocka_unit_test(a_written_size_that_is_exact_reads_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
