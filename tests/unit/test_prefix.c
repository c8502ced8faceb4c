/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The numbers that begin with the typed digits. */
#include "unit.h"

#include "cmd/prefix.h"

#define MOST 256

struct told {
	struct buf text; /* "3 30 31" */
	unsigned count;
	char common[32]; /* their common prefix */
};

static void tell(void *context, uint64_t block, const struct blocks *run)
{
	struct told *told = context;
	char number[24];
	size_t i;

	assert_true(block >= run->first && block <= run->last);
	snprintf(number, sizeof(number), "%llu", (unsigned long long)block);
	buf_addf(&told->text, "%s%s", told->count ? " " : "", number);
	if (!told->count++)
		memcpy(told->common, number, sizeof(number));
	for (i = 0; told->common[i] && told->common[i] == number[i]; i++)
		;
	told->common[i] = '\0';
}

static struct told ask(const struct block_list *list, const char *digits)
{
	struct told told = { 0 };

	prefix_each(list, digits, MOST, tell, &told);
	assert_true(told.count <= MOST);
	return told;
}

static void add(struct block_list *list, uint64_t first, uint64_t last)
{
	const struct blocks run = { .first = first, .last = last };

	block_list_add(list, &run);
}

static void few_numbers_are_all_told_in_order(void **state)
{
	static const struct {
		const char *digits, *numbers;
	} rows[] = {
		{ "", "0 1 2 32 33 34 320 9999999" },
		{ "0", "0" },
		{ "3", "32 33 34 320" },
		{ "32", "32 320" },
		{ "9999999", "9999999" },
		{ "5", "" },
		{ "00", "" },
		{ "03", "" },
		{ "99999999", "" },
		{ "99999999999999999999999", "" },
		{ "3x", "" },
	};
	struct block_list list = { 0 };
	size_t i;

	(void)state;
	add(&list, 0, 2);
	add(&list, 32, 34);
	add(&list, 320, 320);
	add(&list, 9999999, 9999999);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct told told = ask(&list, rows[i].digits);

		check(!strcmp(buf_text(&told.text), rows[i].numbers), "'%s': %s", rows[i].digits,
		      buf_text(&told.text));
		buf_free(&told.text);
	}
	block_list_free(&list);
}

/* A shell completes the common prefix of all offers: it must be that of all numbers. */
static void of_many_numbers_those_are_told_that_show_what_can_follow(void **state)
{
	static const struct {
		uint64_t first, last;
		const char *digits, *common;
	} rows[] = {
		{ 0, 9999998, "", "" },
		{ 0, 9999998, "12", "12" },
		{ 1000, 1999, "", "1" },
		{ 1000, 2999, "", "" },
		{ 1230000, 1239999, "", "123" },
		{ 1230000, 1239999, "1", "123" },
		{ 100, 1999, "1", "1" },
		{ 32, 543, "3", "3" },
		{ 0, 300, "", "" },
		{ 9999000, 9999999, "99", "9999" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct block_list list = { 0 };
		struct told told;

		add(&list, rows[i].first, rows[i].last);
		told = ask(&list, rows[i].digits);
		check(told.count > 9 && !strcmp(told.common, rows[i].common), "row %zu: '%s'", i,
		      told.common);
		buf_free(&told.text);
		block_list_free(&list);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(few_numbers_are_all_told_in_order),
		cmocka_unit_test(of_many_numbers_those_are_told_that_show_what_can_follow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
