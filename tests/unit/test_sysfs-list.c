/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lists of the guest's blocks. */
#include "blocks.h"

static void runs_are_merged_where_all_facts_are_equal(void **state)
{
	struct block_list list = { 0 };
	struct blocks run;

	(void)state;
	add(&list, 0, 1, "online", "Normal");
	add(&list, 2, 2, "online", "Normal");
	add(&list, 4, 4, "online", "Normal");
	add(&list, 5, 5, "offline", "Normal");
	add(&list, 6, 6, "offline", "Movable");
	run = run_of(7, 7, "offline", "Movable");
	run.node = 1;
	block_list_add(&list, &run);
	run.first = run.last = 8;
	run.removable = REMOVABLE_NO;
	block_list_add(&list, &run);
	lists(&list,
	      "0-2 online Normal, 4-4 online Normal, 5-5 offline Normal, 6-6 offline Movable, "
	      "7-7 offline Movable, 8-8 offline Movable");
	assert_int_equal(block_list_blocks(&list), 8);
	block_list_free(&list);
}

static void a_sorted_list_has_each_block_once(void **state)
{
	struct block_list list = { 0 };

	(void)state;
	block_list_sort(&list);
	add(&list, 40, 47, "", "");
	add(&list, 32, 35, "", "");
	add(&list, 34, 41, "", "");
	add(&list, 32, 33, "", "");
	add(&list, 50, 50, "", "");
	add(&list, 50, 50, "", "");
	block_list_sort(&list);
	lists(&list, "32-47  , 50-50  ");
	assert_int_equal(block_list_blocks(&list), 17);
	block_list_free(&list);
}

static void a_sorted_list_keeps_different_facts_apart(void **state)
{
	struct block_list list = { 0 };

	(void)state;
	add(&list, 10, 19, "offline", "");
	add(&list, 0, 9, "online", "");
	block_list_sort(&list);
	lists(&list, "0-9 online , 10-19 offline ");
	block_list_free(&list);
}

static void a_block_is_found_in_a_list(void **state)
{
	struct block_list list = { 0 };

	(void)state;
	assert_null(block_list_find(&list, 0));
	add(&list, 2, 4, "", "");
	add(&list, 8, 8, "", "");
	assert_null(block_list_find(&list, 1));
	assert_ptr_equal(block_list_find(&list, 2), &list.runs[0]);
	assert_ptr_equal(block_list_find(&list, 4), &list.runs[0]);
	assert_null(block_list_find(&list, 5));
	assert_ptr_equal(block_list_find(&list, 8), &list.runs[1]);
	assert_null(block_list_find(&list, 9));
	block_list_free(&list);
}

static void the_first_block_that_a_list_lacks_is_found(void **state)
{
	struct block_list list = { 0 };
	uint64_t block;

	(void)state;
	assert_true(block_list_lacks(&list, 3, 5, &block) && block == 3);
	add(&list, 2, 4, "online", "");
	add(&list, 5, 8, "offline", "");
	add(&list, 10, 9999999, "online", "");
	assert_false(block_list_lacks(&list, 2, 8, &block));
	assert_false(block_list_lacks(&list, 10, 9999999, &block));
	assert_true(block_list_lacks(&list, 1, 8, &block) && block == 1);
	assert_true(block_list_lacks(&list, 3, 20, &block) && block == 9);
	assert_true(block_list_lacks(&list, 10, 10000000, &block) && block == 10000000);
	block_list_free(&list);
}

static void an_intersection_is_the_same_for_lists_in_no_order(void **state)
{
	struct block_list all = { 0 }, wanted = { 0 }, found = { 0 };

	(void)state;
	add(&all, 0, 9, "online", "none");
	add(&all, 20, 29, "online", "none");
	add(&wanted, 25, 25, "", "");
	add(&wanted, 8, 21, "", "");
	block_list_intersect(&found, &all, &wanted);
	lists(&found, "8-9 online none, 25-25 online none, 20-21 online none");
	block_list_free(&all);
	block_list_free(&wanted);
	block_list_free(&found);
}

static void an_intersection_has_the_facts_of_the_first_list(void **state)
{
	struct block_list all = { 0 }, wanted = { 0 }, found = { 0 };

	(void)state;
	block_list_intersect(&found, &all, &wanted);
	assert_int_equal(found.count, 0);
	add(&all, 0, 31, "online", "none");
	add(&all, 32, 33, "online", "Movable");
	add(&all, 34, 35, "offline", "Movable");
	add(&all, 40, 49, "offline", "Movable");
	add(&wanted, 31, 34, "", "");
	add(&wanted, 36, 39, "", "");
	add(&wanted, 45, 99, "", "");
	block_list_intersect(&found, &all, &wanted);
	lists(&found, "31-31 online none, 32-33 online Movable, 34-34 offline Movable, "
		      "45-49 offline Movable");
	block_list_free(&all);
	block_list_free(&wanted);
	block_list_free(&found);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runs_are_merged_where_all_facts_are_equal),
		cmocka_unit_test(a_sorted_list_has_each_block_once),
		cmocka_unit_test(a_sorted_list_keeps_different_facts_apart),
		cmocka_unit_test(a_block_is_found_in_a_list),
		cmocka_unit_test(the_first_block_that_a_list_lacks_is_found),
		cmocka_unit_test(an_intersection_has_the_facts_of_the_first_list),
		cmocka_unit_test(an_intersection_is_the_same_for_lists_in_no_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
