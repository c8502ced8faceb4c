/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Memory backends: what can be asked for, how QEMU is asked, and what it lists afterwards. */
#include "unit.h"

#include "qemu/backend.h"

#define M (UINT64_C(1) << 20)

#define SET(number)                                                                                \
	{                                                                                          \
		.is_set = true, .value = (number)                                                  \
	}

static void the_type_follows_from_the_options(void **state)
{
	static const struct {
		struct backend_options options;
		enum backend_type type;
	} rows[] = {
		{ { 0 }, BACKEND_AUTO }, /* undecided until the VM is known */
		{ { .type = BACKEND_RAM }, BACKEND_RAM },
		{ { .is_shared = true, .prealloc = SET(0) }, BACKEND_AUTO },
		{ { .mem_path = "/dev/shm" }, BACKEND_FILE },
		{ { .type = BACKEND_FILE, .mem_path = "/dev/shm" }, BACKEND_FILE },
		{ { .hugetlb = SET(0) }, BACKEND_MEMFD },
		{ { .hugetlb = SET(2 * M) }, BACKEND_MEMFD },
		{ { .type = BACKEND_MEMFD }, BACKEND_MEMFD },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct backend_options options = rows[i].options;
		struct err err = { 0 };

		check(!backend_check(&options, &err), "row %zu: %s", i, err.message);
		check(options.type == rows[i].type, "row %zu: %u", i, options.type);
	}
}

static void what_cannot_be_is_refused_in_words(void **state)
{
	static const struct {
		struct backend_options options;
		const char *message;
	} rows[] = {
		{ { .type = BACKEND_RAM, .mem_path = "/x" }, "--mem-path goes with" },
		{ { .type = BACKEND_MEMFD, .mem_path = "/x" }, "not with 'memfd'" },
		{ { .mem_path = "/x", .hugetlb = SET(0) }, "--hugetlb goes with" },
		{ { .type = BACKEND_FILE }, "needs --mem-path" },
		{ { .type = BACKEND_RAM, .hugetlb = SET(0) }, "not with 'ram'" },
		{ { .hugetlb = SET(3 * M) }, "not a power of two" },
		{ { .policy = POLICY_BIND }, "--policy bind needs --host-nodes" },
		{ { .policy = POLICY_PREFERRED }, "--policy preferred needs" },
		{ { .policy = POLICY_INTERLEAVE }, "--policy interleave needs" },
		{ { .host_nodes = "0" }, "--host-nodes needs --policy" },
		{ { .host_nodes = "0", .policy = POLICY_DEFAULT }, "--host-nodes needs --policy" },
		{ { .prealloc = SET(4), .reserve = RESERVE_OFF }, "exclude each other" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct backend_options options = rows[i].options;
		struct err err = { 0 };

		check(backend_check(&options, &err) == -1, "row %zu", i);
		check(err.code == ERR_USAGE, "row %zu", i);
		check(strstr(err.message, rows[i].message), "row %zu: %s", i, err.message);
	}
}

static void nodes_are_a_list_of_numbers_and_ranges(void **state)
{
	static const struct {
		const char *nodes, *listed;
	} rows[] = {
		{ "0", "[0]" },
		{ "4095", "[4095]" },
		{ "0-1,3", "[0,1,3]" },
		{ "3,0-1", "[0,1,3]" },
		{ "1,1,0-2", "[0,1,2]" },
		{ "", NULL },
		{ ",", NULL },
		{ "0,", NULL },
		{ ",0", NULL },
		{ "0,,1", NULL },
		{ "-1", NULL },
		{ "1-", NULL },
		{ "1-0", NULL },
		{ "0-1-2", NULL },
		{ "4096", NULL },
		{ "0-18446744073709551615", NULL },
		{ "0x1", NULL },
		{ " 0", NULL },
		{ "all", NULL },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct backend_options options = { .host_nodes = rows[i].nodes,
						   .policy = POLICY_BIND };
		_cleanup_json_ struct json_object *request = NULL;
		struct json_object *arguments, *nodes;
		struct err err = { 0 };

		if (!rows[i].listed) {
			check(backend_check(&options, &err) == -1 && err.code == ERR_USAGE, "'%s'",
			      rows[i].nodes);
			continue;
		}
		check(!backend_check(&options, &err), "'%s': %s", rows[i].nodes, err.message);
		request = backend_request(&options, "b", 128 * M);
		assert_true(json_get_object(request, "arguments", &arguments));
		assert_true(json_get_array(arguments, "host-nodes", &nodes));
		assert_string_equal(json_text(nodes), rows[i].listed);
	}
}

static void a_request_has_what_was_asked_for_and_nothing_else(void **state)
{
	static const struct {
		struct backend_options options;
		const char *type, *rest;
	} rows[] = {
		{ { 0 }, "ram", "" },
		{ { .type = BACKEND_MEMFD }, "memfd", "" },
		{ { .mem_path = "/dev/shm/a \"b\"" },
		  "file",
		  ",\"mem-path\":\"/dev/shm/a \\\"b\\\"\"" },
		{ { .hugetlb = SET(0) }, "memfd", ",\"hugetlb\":true" },
		{ { .hugetlb = SET(2 * M) }, "memfd", ",\"hugetlb\":true,\"hugetlbsize\":2097152" },
		{ { .prealloc = SET(0) }, "ram", ",\"prealloc\":true" },
		{ { .prealloc = SET(4) }, "ram", ",\"prealloc\":true,\"prealloc-threads\":4" },
		{ { .is_shared = true }, "memfd", ",\"share\":true" },
		{ { .type = BACKEND_RAM, .is_shared = true }, "ram", ",\"share\":true" },
		{ { .reserve = RESERVE_ON }, "ram", ",\"reserve\":true" },
		{ { .reserve = RESERVE_OFF }, "ram", ",\"reserve\":false" },
		{ { .policy = POLICY_DEFAULT }, "ram", ",\"policy\":\"default\"" },
		{ { .policy = POLICY_BIND, .host_nodes = "0,2" },
		  "ram",
		  ",\"policy\":\"bind\",\"host-nodes\":[0,2]" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct backend_options options = rows[i].options;
		_cleanup_json_ struct json_object *request = NULL;
		_cleanup_free_ char *wanted = NULL;
		struct err err = { 0 };

		check(!backend_check(&options, &err), "row %zu: %s", i, err.message);
		request = backend_request(&options, "b-mem", 512 * M);
		wanted = xasprintf("{\"execute\":\"object-add\",\"arguments\":{\"qom-type\":"
				   "\"memory-backend-%s\",\"id\":\"b-mem\",\"size\":536870912%s}}",
				   rows[i].type, rows[i].rest);
		check(!strcmp(json_text(request), wanted), "row %zu: %s", i, json_text(request));
	}
}

static void plain_memory_is_told_from_what_has_options(void **state)
{
	static const struct {
		struct backend_options options;
		bool is_plain, takes_now;
	} rows[] = {
		{ { 0 }, true, false },
		{ { .type = BACKEND_MEMFD }, false, false },
		{ { .mem_path = "/dev/shm" }, false, false },
		{ { .prealloc = SET(0) }, false, true },
		{ { .hugetlb = SET(0) }, false, true },
		{ { .is_shared = true }, false, false },
		{ { .reserve = RESERVE_OFF }, false, false },
		{ { .policy = POLICY_DEFAULT }, false, false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct backend_options options = rows[i].options;
		struct err err = { 0 };

		check(!backend_check(&options, &err), "row %zu: %s", i, err.message);
		check(backend_is_plain(&options) == rows[i].is_plain, "row %zu", i);
		check(backend_takes_now(&options) == rows[i].takes_now, "row %zu", i);
	}
}

/* query-memdev's answer from QEMU 7.2; each row below asks for "one". */
static const char listed[] =
	"[{\"id\":\"pc.ram\",\"size\":536870912,\"merge\":true,\"dump\":true,\"prealloc\":false,"
	"\"share\":false,\"reserve\":true,\"host-nodes\":[],\"policy\":\"default\"},"
	"{\"id\":\"one\",\"size\":268435456,\"merge\":true,\"dump\":true,\"prealloc\":true,"
	"\"share\":true,\"reserve\":true,\"host-nodes\":[0,2],\"policy\":\"bind\"},"
	"{\"size\":1,\"share\":false},"
	"{\"id\":\"two\",\"size\":268435456,\"merge\":true,\"dump\":true,\"prealloc\":false,"
	"\"share\":false,\"reserve\":false,\"host-nodes\":[],\"policy\":\"default\"}]";

static void a_backend_is_compared_with_what_was_asked_for(void **state)
{
	static const struct {
		struct backend_options options;
		const char *id, *wrong;
		uint64_t size_bytes;
	} rows[] = {
		{ { .prealloc = SET(2),
		    .is_shared = true,
		    .reserve = RESERVE_ON,
		    .policy = POLICY_BIND,
		    .host_nodes = "2,0" },
		  "one",
		  NULL,
		  256 * M },
		{ { 0 }, "one", NULL, 256 * M },
		{ { .reserve = RESERVE_OFF, .policy = POLICY_DEFAULT }, "two", NULL, 256 * M },
		{ { 0 }, "one", "'size'", 512 * M },
		{ { .prealloc = SET(0) }, "two", "'prealloc'", 256 * M },
		{ { .is_shared = true }, "two", "'share'", 256 * M },
		{ { .reserve = RESERVE_ON }, "two", "'reserve'", 256 * M },
		{ { .reserve = RESERVE_OFF }, "one", "'reserve'", 256 * M },
		{ { .policy = POLICY_DEFAULT }, "one", "'policy'", 256 * M },
		{ { .policy = POLICY_INTERLEAVE, .host_nodes = "0,2" },
		  "one",
		  "'policy'",
		  256 * M },
		{ { .policy = POLICY_BIND, .host_nodes = "0-2" }, "one", "'host-nodes'", 256 * M },
		{ { 0 }, "three", "does not list", 256 * M },
	};
	_cleanup_json_ struct json_object *list = json_tokener_parse(listed);
	size_t i;

	(void)state;
	assert_non_null(list);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err err = { 0 };
		int status = backend_verify(&rows[i].options, rows[i].id, rows[i].size_bytes, list,
					    &err);

		check(status == (rows[i].wrong ? -1 : 0), "row %zu: %s", i, err.message);
		check(!rows[i].wrong ||
			      (err.code == ERR_FAILED && strstr(err.message, rows[i].wrong)),
		      "row %zu: %s", i, err.message);
	}
}

static void a_list_that_is_none_has_no_backends(void **state)
{
	static const char *const texts[] = { "{}", "7", "[]", "[7]", "[{\"id\":7}]" };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_json_ struct json_object *list = json_tokener_parse(texts[i]);

		check(!backend_find(list, "one"), "%s", texts[i]);
	}
	assert_null(backend_find(NULL, "one"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_type_follows_from_the_options),
		cmocka_unit_test(what_cannot_be_is_refused_in_words),
		cmocka_unit_test(nodes_are_a_list_of_numbers_and_ranges),
		cmocka_unit_test(a_request_has_what_was_asked_for_and_nothing_else),
		cmocka_unit_test(plain_memory_is_told_from_what_has_options),
		cmocka_unit_test(a_backend_is_compared_with_what_was_asked_for),
		cmocka_unit_test(a_list_that_is_none_has_no_backends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
