/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which DIMMs add up to a size. */
#include "unit.h"

#include "hotplug/pick.h"

#define M	  (UINT64_C(1) << 20)
#define G	  (UINT64_C(1) << 30)
#define SIZES_MAX 300

/* Sizes in MiB, ended by 0. */
static unsigned read_sizes(const unsigned *mib, uint64_t *sizes)
{
	unsigned count;

	for (count = 0; mib[count]; count++)
		sizes[count] = mib[count] * M;
	return count;
}

/* "0 2": the positions of those chosen */
static char *chosen_text(const bool *chosen, unsigned count)
{
	struct buf text = { 0 };
	unsigned i;

	buf_addf(&text, "%s", "");
	for (i = 0; i < count; i++)
		if (chosen[i])
			buf_addf(&text, "%s%u", text.len ? " " : "", i);
	return text.data;
}

static void sizes_add_up_to_what_is_asked_for(void **state)
{
	static const struct {
		unsigned sizes[9];
		unsigned least, most, sum;
		const char *chosen;
	} rows[] = {
		/* exactly */
		{ { 512 }, 512, 512, 512, "0" },
		{ { 128, 256, 512 }, 768, 768, 768, "1 2" },
		{ { 128, 256, 512 }, 896, 896, 896, "0 1 2" },
		{ { 384, 384, 512 }, 768, 768, 768, "0 1" },
		{ { 640, 384, 512 }, 512, 512, 512, "2" },
		/* largest first does not work: 512 + 512, not 640 and a dead end */
		{ { 640, 512, 512 }, 1024, 1024, 1024, "1 2" },
		/* if there is a choice, the first in the list */
		{ { 256, 256, 256, 256 }, 512, 512, 512, "0 1" },
		{ { 128, 256, 256, 128 }, 384, 384, 384, "0 1" },
		{ { 128, 128, 256 }, 256, 256, 256, "0 1" },
		{ { 256, 128, 128 }, 256, 256, 256, "0" },
		/* as little as the range allows */
		{ { 512, 256, 128 }, 200, 800, 256, "1" },
		{ { 512, 256, 128 }, 0, 800, 0, "" },
		{ { 512 }, 1, 512, 512, "0" },
		{ { 512 }, 0, 0, 0, "" },
		/* a range that ends between two sums, and one above all */
		{ { 512, 256 }, 300, 700, 512, "0" },
		{ { 512, 256 }, 700, 9000, 768, "0 1" },
		/* nothing out of nothing */
		{ { 0 }, 0, 512, 0, "" },
		/* sizes with only a small common divisor */
		{ { 130, 129, 7 }, 137, 137, 137, "0 2" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t sizes[SIZES_MAX];
		unsigned count = read_sizes(rows[i].sizes, sizes);
		_cleanup_free_ char *text = NULL;
		struct choice choice;
		bool chosen[SIZES_MAX];

		check(choose_sum(sizes, count, rows[i].least * M, rows[i].most * M, chosen,
				 &choice),
		      "row %zu", i);
		check(choice.sum == rows[i].sum * M, "row %zu: %llu", i,
		      (unsigned long long)choice.sum);
		text = chosen_text(chosen, count);
		check(!strcmp(text, rows[i].chosen), "row %zu: %s", i, text);
	}
}

static void sums_next_to_one_that_is_out_of_reach_are_named(void **state)
{
	static const struct {
		unsigned sizes[9];
		uint64_t least, most;
		unsigned below, above;
	} rows[] = {
		{ { 512, 256 }, 384 * M, 384 * M, 256, 512 },
		{ { 512, 256 }, 600 * M, 700 * M, 512, 768 },
		{ { 512, 256 }, 128 * M, 128 * M, 0, 256 },
		{ { 512, 256 }, 896 * M, 896 * M, 768, 0 },
		{ { 512, 256 }, 1, 1, 0, 256 },
		{ { 512, 256 }, 512 * M + 1, 512 * M + 1, 512, 768 },
		{ { 512, 256 }, 512 * M - 1, 512 * M - 1, 256, 512 },
		{ { 512 }, 513 * M, 9000 * M, 512, 0 },
		{ { 0 }, 128 * M, 128 * M, 0, 0 },
		/* the largest number, and one too large to round up */
		{ { 512, 256 }, INT64_MAX, INT64_MAX, 768, 0 },
		{ { 512, 256 }, UINT64_MAX, UINT64_MAX, 768, 0 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t sizes[SIZES_MAX];
		unsigned count = read_sizes(rows[i].sizes, sizes), j;
		struct choice choice;
		bool chosen[SIZES_MAX];

		check(!choose_sum(sizes, count, rows[i].least, rows[i].most, chosen, &choice),
		      "row %zu", i);
		check(choice.below == rows[i].below * M && choice.above == rows[i].above * M,
		      "row %zu: %llu %llu", i, (unsigned long long)choice.below,
		      (unsigned long long)choice.above);
		check(!choice.sum, "row %zu", i);
		for (j = 0; j < count; j++)
			check(!chosen[j], "row %zu", i);
	}
}

static uint64_t sum_of(const uint64_t *sizes, const bool *chosen, unsigned count)
{
	uint64_t sum = 0;
	unsigned i;

	for (i = 0; i < count; i++)
		sum += chosen[i] ? sizes[i] : 0;
	return sum;
}

static void any_sum_of_256_dimms_is_found(void **state)
{
	uint64_t sizes[256], sum;
	struct choice choice;
	bool chosen[256];
	unsigned i;

	(void)state;
	for (i = 0; i < 256; i++)
		sizes[i] = (i % 3 + 1) * 128 * M;
	for (sum = 128 * M; sum <= 60 * G; sum += 1152 * M) {
		assert_true(choose_sum(sizes, 256, sum, sum, chosen, &choice));
		assert_int_equal(sum_of(sizes, chosen, 256), sum);
	}
}

/* Sums that differ little relative to the total are too many to try all: sums of the first in the
 * list are found, and no others are claimed not to exist. */
static void of_too_many_sums_only_the_first_are_tried(void **state)
{
	const uint64_t sizes[] = { 64 * G, 128 * M + 1 };
	struct choice choice;
	bool chosen[2];

	(void)state;
	assert_true(choose_sum(sizes, 2, 64 * G, 64 * G, chosen, &choice));
	assert_true(choice.sum == 64 * G && chosen[0] && !chosen[1]);
	assert_true(choose_sum(sizes, 2, 128 * M + 1, UINT64_MAX, chosen, &choice));
	assert_true(choice.sum == 128 * M + 1 && !chosen[0] && chosen[1]);
	assert_false(choose_sum(sizes, 2, 65 * G, 65 * G, chosen, &choice));
	assert_true(choice.is_unknown && !choice.sum && !chosen[0] && !chosen[1]);
	assert_int_equal(choice.below + choice.above, 0);
	assert_true(choose_sum(sizes, 2, 0, 64 * G, chosen, &choice));
	assert_int_equal(choice.sum, 0);
	assert_false(chosen[0] || chosen[1]);
}

/* Any sizes, even if their sum overflows. */
static void sums_that_do_not_fit_are_survived(void **state)
{
	uint64_t sizes[SIZES_MAX];
	struct choice choice;
	bool chosen[SIZES_MAX];
	unsigned i;

	(void)state;
	for (i = 0; i < SIZES_MAX; i++)
		sizes[i] = UINT64_C(1) << 61;
	assert_false(choose_sum(sizes, 100, G, G, chosen, &choice));
	assert_true(choice.is_unknown);
	sizes[8] = 128 * M;
	assert_true(choose_sum(sizes, 9, 128 * M, 128 * M, chosen, &choice));
	assert_true(chosen[8] && !chosen[0]);
	assert_false(choose_sum(sizes, SIZES_MAX, UINT64_MAX, UINT64_MAX, chosen, &choice));
}

/* The maximum of sizes and sums: a bit for each sum, not a step for each size and sum. */
static void the_most_sums_and_sizes_that_there_may_be(void **state)
{
	enum { COUNT = 1024 };
	uint64_t sizes[COUNT], sum = 0;
	bool chosen[COUNT];
	struct choice choice;
	unsigned i;

	(void)state;
	for (i = 0; i < COUNT; i++)
		sizes[i] = 2 * M * (i * 31 % 16383 + 1);
	for (i = 0; i < COUNT; i += 3)
		sum += sizes[i];
	assert_true(choose_sum(sizes, COUNT, sum, sum, chosen, &choice));
	assert_int_equal(sum_of(sizes, chosen, COUNT), sum);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_add_up_to_what_is_asked_for),
		cmocka_unit_test(sums_next_to_one_that_is_out_of_reach_are_named),
		cmocka_unit_test(any_sum_of_256_dimms_is_found),
		cmocka_unit_test(of_too_many_sums_only_the_first_are_tried),
		cmocka_unit_test(sums_that_do_not_fit_are_survived),
		cmocka_unit_test(the_most_sums_and_sizes_that_there_may_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
