/* SPDX-License-Identifier: GPL-3.0-or-later */
/* QEMU's memory devices, read from what QEMU 7.2 answered. */
#include "unit.h"

#include "qemu/machine.h"

#define M (UINT64_C(1) << 20)

/* query-memory-devices of a q35 machine with one device of each kind; the second DIMM has no id. */
static const char recorded[] =
	"[{\"type\": \"dimm\", \"data\": {\"memdev\": \"/objects/d0-mem\", \"hotplugged\": true,"
	" \"addr\": 4294967296, \"hotpluggable\": true, \"size\": 536870912, \"slot\": 0, "
	"\"node\": 0,"
	" \"id\": \"d0\"}},"
	" {\"type\": \"dimm\", \"data\": {\"memdev\": \"/objects/anon-mem\", \"hotplugged\": true,"
	" \"addr\": 4831838208, \"hotpluggable\": true, \"size\": 268435456, \"slot\": 2, "
	"\"node\": 0}},"
	" {\"type\": \"nvdimm\", \"data\": {\"memdev\": \"/objects/nv-mem\", \"hotplugged\": false,"
	" \"addr\": 5100273664, \"hotpluggable\": true, \"size\": 268435456, \"slot\": 3, "
	"\"node\": 1,"
	" \"id\": \"nv0\"}},"
	" {\"type\": \"dimm\", \"data\": {\"memdev\": \"/objects/d1-mem\", \"hotplugged\": true,"
	" \"addr\": 5368709120, \"hotpluggable\": true, \"size\": 134217728, \"slot\": 1, "
	"\"node\": 0,"
	" \"id\": \"d1\"}},"
	" {\"type\": \"virtio-mem\", \"data\": {\"memdev\": \"/objects/vm-mem\", \"memaddr\": "
	"5502926848,"
	" \"block-size\": 2097152, \"size\": 0, \"node\": 0, \"max-size\": 1073741824,"
	" \"requested-size\": 0, \"id\": \"vm0\"}},"
	" {\"type\": \"virtio-pmem\", \"data\": {\"memdev\": \"/objects/pm-mem\", \"memaddr\": "
	"6576668672,"
	" \"size\": 134217728, \"id\": \"pm0\"}}]";

static void read_text(struct machine *m, const char *text)
{
	_cleanup_json_ struct json_object *reply = json_tokener_parse(text);
	struct err err = { 0 };

	assert_non_null(reply);
	check(!machine_read_devices(m, reply, &err), "%s", err.message);
}

static void every_kind_of_device_is_read(void **state)
{
	static const struct {
		const char *id, *type, *backend;
		uint64_t address, size_bytes, slot, node;
		unsigned has;
		bool is_hotplugged;
	} rows[] = {
		{ "d0", "dimm", "d0-mem", 4294967296, 512 * M, 0, 0, 15, true },
		{ NULL, "dimm", "anon-mem", 4831838208, 256 * M, 2, 0, 15, true },
		{ "nv0", "nvdimm", "nv-mem", 5100273664, 256 * M, 3, 1, 15, false },
		{ "d1", "dimm", "d1-mem", 5368709120, 128 * M, 1, 0, 15, true },
		{ "vm0", "virtio-mem", "vm-mem", 5502926848, 0, 0, 0,
		  MEMDEV_HAS_ADDRESS | MEMDEV_HAS_NODE, false },
		{ "pm0", "virtio-pmem", "pm-mem", 6576668672, 128 * M, 0, 0, MEMDEV_HAS_ADDRESS,
		  false },
	};
	struct machine m = { 0 };
	size_t i;

	(void)state;
	read_text(&m, recorded);
	assert_int_equal(m.devices_count, ARRAY_SIZE(rows));
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct memdev *d = &m.devices[i];

		check(rows[i].id ? d->id && !strcmp(d->id, rows[i].id) : !d->id, "row %zu", i);
		check(!strcmp(d->type, rows[i].type) && !strcmp(d->backend, rows[i].backend),
		      "row %zu", i);
		check(d->address == rows[i].address && d->size_bytes == rows[i].size_bytes,
		      "row %zu", i);
		check(d->has == rows[i].has, "row %zu: %u", i, d->has);
		check(d->slot == rows[i].slot && d->node == rows[i].node, "row %zu", i);
		check(d->is_hotplugged == rows[i].is_hotplugged, "row %zu", i);
	}
	machine_release(&m);
}

static void a_device_is_found_by_its_id(void **state)
{
	struct machine m = { 0 };

	(void)state;
	read_text(&m, recorded);
	assert_ptr_equal(machine_device(&m, "d1"), &m.devices[3]);
	assert_null(machine_device(&m, "d2"));
	assert_null(machine_device(&m, ""));
	assert_string_equal(memdev_name(&m.devices[0]), "d0");
	assert_string_equal(memdev_name(&m.devices[1]), "(without id)");
	m.devices[1].handle = xstrdup("/machine/peripheral-anon/device[0]");
	assert_string_equal(memdev_name(&m.devices[1]), "/machine/peripheral-anon/device[0]");
	assert_ptr_equal(machine_device(&m, "/machine/peripheral-anon/device[0]"), &m.devices[1]);
	machine_release(&m);
	assert_int_equal(m.devices_count, 0);
}

static void devices_come_by_address_whatever_the_order_of_the_answer(void **state)
{
	struct machine m = { 0 };

	(void)state;
	read_text(&m, "[{\"type\": \"dimm\", \"data\": {\"size\": 1, \"addr\": 8589934592, \"id\": "
		      "\"c\"}},"
		      " {\"type\": \"dimm\", \"data\": {\"size\": 1, \"addr\": 4294967296, \"id\": "
		      "\"a\"}},"
		      " {\"type\": \"dimm\", \"data\": {\"size\": 1, \"addr\": 4831838208, \"id\": "
		      "\"b\"}}]");
	assert_string_equal(m.devices[0].id, "a");
	assert_string_equal(m.devices[1].id, "b");
	assert_string_equal(m.devices[2].id, "c");
	read_text(&m, "[]");
	assert_int_equal(m.devices_count, 0);
	machine_release(&m);
}

static void an_empty_id_and_a_foreign_backend_are_unknown(void **state)
{
	struct machine m = { 0 };

	(void)state;
	read_text(&m, "[{\"type\": \"dimm\", \"data\": {\"size\": 1, \"id\": \"\","
		      " \"memdev\": \"/machine/unattached/mem\"}}]");
	assert_null(m.devices[0].id);
	assert_null(m.devices[0].handle);
	assert_null(m.devices[0].backend);
	assert_int_equal(m.devices[0].has, 0);
	machine_release(&m);
}

static void a_list_that_makes_no_sense_is_refused(void **state)
{
	static const char *const texts[] = {
		"{}",
		"7",
		"[7]",
		"[{}]",
		"[{\"type\": 7, \"data\": {\"size\": 1}}]",
		"[{\"type\": \"dimm\"}]",
		"[{\"type\": \"dimm\", \"data\": []}]",
		"[{\"type\": \"dimm\", \"data\": {}}]",
		"[{\"type\": \"dimm\", \"data\": {\"size\": \"1\"}}]",
		"[{\"type\": \"dimm\", \"data\": {\"size\": -1}}]",
		"[{\"type\": \"dimm\", \"data\": {\"size\": 1.5}}]",
		"[{\"type\": \"dimm\", \"data\": {\"size\": 1}}, null]",
		/* 2^60 + 1 bytes, an address beyond, and what cannot be */
		"[{\"type\": \"dimm\", \"data\": {\"size\": 1152921504606846977}}]",
		"[{\"type\": \"dimm\", \"data\": {\"size\": 18446744073709551615}}]",
		"[{\"type\": \"dimm\", \"data\": {\"size\": 1, \"addr\": 1152921504606846977}}]",
		"[{\"type\": \"virtio-mem\", \"data\": {\"size\": 4194304, \"max-size\": 2097152, "
		"\"requested-size\": 0, \"block-size\": 2097152}}]",
		"[{\"type\": \"virtio-mem\", \"data\": {\"size\": 0, \"max-size\": 2097152, "
		"\"requested-size\": 4194304, \"block-size\": 2097152}}]",
		"[{\"type\": \"virtio-mem\", \"data\": {\"size\": 0, \"max-size\": 2097152, "
		"\"requested-size\": 0, \"block-size\": 1}}]",
		"[{\"type\": \"virtio-mem\", \"data\": {\"size\": 0, \"max-size\": 2097152, "
		"\"requested-size\": 0, \"block-size\": 3145728}}]",
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_json_ struct json_object *reply = json_tokener_parse(texts[i]);
		struct machine m = { 0 };
		struct err err = { 0 };

		check(machine_read_devices(&m, reply, &err) == -1, "%s", texts[i]);
		check(err.code == ERR_FAILED && err.message[0], "%s", texts[i]);
		machine_release(&m);
	}
}

/* So many DIMMs of that size. */
static int read_many(struct machine *m, unsigned count, uint64_t size_bytes, struct err *err)
{
	_cleanup_json_ struct json_object *reply = json_object_new_array();
	unsigned i;

	for (i = 0; i < count; i++) {
		struct json_object *device = json_object_new_object();
		struct json_object *data = json_object_new_object();

		json_add_string(device, "type", "dimm");
		json_object_object_add(device, "data", data);
		json_add_u64(data, "size", true, size_bytes);
		json_object_array_add(reply, device);
	}
	return machine_read_devices(m, reply, err);
}

static void a_list_that_adds_up_beyond_reason_is_refused(void **state)
{
	struct machine m = { 0 };
	struct err err = { 0 };

	(void)state;
	assert_int_equal(read_many(&m, 256, UINT64_C(1) << 52, &err), 0);
	assert_true(machine_span_bytes(&m) == UINT64_C(1) << 60);
	assert_int_equal(read_many(&m, 257, UINT64_C(1) << 52, &err), -1);
	assert_non_null(strstr(err.message, "add up beyond reason"));
	assert_int_equal(read_many(&m, 1024, 1, &err), 0);
	assert_int_equal(read_many(&m, 1025, 1, &err), -1);
	assert_non_null(strstr(err.message, "more than 1024"));
	machine_release(&m);
}

static void a_name_that_fills_the_screen_is_refused(void **state)
{
	static const char *const keys[] = { "id", "memdev" };
	_cleanup_free_ char *name = xcalloc(1, 300);
	size_t i;

	(void)state;
	memset(name, 'x', 299);
	for (i = 0; i < ARRAY_SIZE(keys); i++) {
		_cleanup_free_ char *text =
			xasprintf("[{\"type\": \"dimm\", \"data\": {\"size\": 1, \"%s\": "
				  "\"/objects/%s\"}}]",
				  keys[i], name);
		_cleanup_json_ struct json_object *reply = json_tokener_parse(text);
		struct machine m = { 0 };
		struct err err = { 0 };

		check(machine_read_devices(&m, reply, &err) == -1, "%s", keys[i]);
		check(strstr(err.message, "more than 255 bytes") != NULL, "%s", err.message);
		machine_release(&m);
	}
}

static void slots_and_objects_in_use_are_known(void **state)
{
	struct machine m = { 0 };

	(void)state;
	read_text(&m, recorded);
	assert_int_equal(machine_slots_used(&m), 4);
	assert_false(machine_has_object(&m, "d0-mem"));
	m.objects = xcalloc(2, sizeof(*m.objects));
	m.objects[m.objects_count++] = xstrdup("pc.ram");
	m.objects[m.objects_count++] = xstrdup("d0-mem");
	assert_true(machine_has_object(&m, "d0-mem"));
	assert_true(machine_has_object(&m, "pc.ram"));
	assert_false(machine_has_object(&m, "d0"));
	machine_release(&m);
}

/* A DIMM at "addr" of "size" MiB, as the lists below have it. */
struct place {
	uint64_t address, size_mib;
};

static void put_devices(struct machine *m, const struct place *places)
{
	m->devices = xcalloc(16, sizeof(*m->devices));
	for (; places->size_mib; places++)
		m->devices[m->devices_count++] = (struct memdev){
			.type = xstrdup("dimm"),
			.address = places->address,
			.has = MEMDEV_HAS_ADDRESS,
			.size_bytes = places->size_mib * M,
			.span_bytes = places->size_mib * M,
		};
}

static bool predict(const struct machine *m, uint64_t size_bytes, uint64_t *address)
{
	return machine_place(m, &size_bytes, 1, 2 * M, address);
}

/* Each row was measured: those DIMMs were there, that size was added, and QEMU 7.2 put it there. */
static void a_dimm_goes_where_qemu_puts_it(void **state)
{
	static const struct {
		struct place places[10];
		uint64_t size_mib, address;
	} rows[] = {
		{ { { 0 } }, 512, 0x100000000 },
		{ { { 0x110000000, 256 }, { 0x128000000, 128 }, { 0x160000000, 512 } },
		  512,
		  0x130000000 },
		{ { { 0x110000000, 256 },
		    { 0x128000000, 128 },
		    { 0x130000000, 512 },
		    { 0x160000000, 512 } },
		  256,
		  0x100000000 },
		{ { { 0x100000000, 256 },
		    { 0x110000000, 256 },
		    { 0x128000000, 128 },
		    { 0x130000000, 512 },
		    { 0x160000000, 512 } },
		  128,
		  0x120000000 },
		{ { { 0x100000000, 256 },
		    { 0x110000000, 256 },
		    { 0x120000000, 128 },
		    { 0x128000000, 128 },
		    { 0x130000000, 512 },
		    { 0x160000000, 512 } },
		  640,
		  0x180000000 },
		{ { { 0x100000000, 256 },
		    { 0x110000000, 256 },
		    { 0x120000000, 128 },
		    { 0x128000000, 128 },
		    { 0x130000000, 512 },
		    { 0x160000000, 512 },
		    { 0x180000000, 640 } },
		  384,
		  0x1a8000000 },
		{ { { 0x100000000, 256 },
		    { 0x110000000, 256 },
		    { 0x120000000, 128 },
		    { 0x128000000, 128 },
		    { 0x130000000, 512 },
		    { 0x160000000, 512 },
		    { 0x180000000, 640 },
		    { 0x1a8000000, 384 } },
		  128,
		  0x150000000 },
		{ { { 0x100000000, 130 } }, 128, 0x108200000 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct machine m = { .has_base_address = true, .base_address = 0x100000000 };
		uint64_t address = 0;

		put_devices(&m, rows[i].places);
		check(predict(&m, rows[i].size_mib * M, &address), "row %zu", i);
		check(address == rows[i].address, "row %zu: 0x%llx", i,
		      (unsigned long long)address);
		machine_release(&m);
	}
}

/* Measured: 384 MiB more went behind the virtio-pmem, since virtio-mem keeps room for its max-size.
 */
static void a_dimm_does_not_go_where_virtio_mem_may_grow(void **state)
{
	struct machine m = { .has_base_address = true, .base_address = 0x100000000 };
	uint64_t address = 0;

	(void)state;
	read_text(&m, recorded);
	assert_true(predict(&m, 384 * M, &address));
	assert_int_equal(address, 0x190000000);
	machine_release(&m);
}

static void several_dimms_go_behind_and_between_each_other(void **state)
{
	struct machine m = { .has_base_address = true, .base_address = 0x100000000 };
	const uint64_t sizes[] = { 256 * M, 128 * M, 128 * M };
	uint64_t addresses[ARRAY_SIZE(sizes)];

	(void)state;
	read_text(&m,
		  "[{\"type\": \"dimm\", \"data\": {\"addr\": 4429185024, \"size\": 134217728}}]");
	assert_true(machine_place(&m, sizes, ARRAY_SIZE(sizes), 2 * M, addresses));
	assert_int_equal(addresses[0], 0x110000000);
	assert_int_equal(addresses[1], 0x100000000);
	assert_int_equal(addresses[2], 0x120000000);
	machine_release(&m);
}

/* What a guest can use begins and ends at its blocks, whatever QEMU would take. */
static void several_places_are_multiples_of_the_alignment(void **state)
{
	static const struct {
		struct place places[4];
		uint64_t base, sizes_mib[3], align_mib, addresses[3];
	} rows[] = {
		{ { { 0x100000000, 130 } },
		  0x100000000,
		  { 128, 256, 128 },
		  128,
		  { 0x110000000, 0x118000000, 0x128000000 } },
		{ { { 0x100000000, 126 } },
		  0x100000000,
		  { 128, 256, 128 },
		  128,
		  { 0x108000000, 0x110000000, 0x120000000 } },
		/* the gap before the second is too small for one, and just right for another */
		{ { { 0x100000000, 2 }, { 0x114000000, 64 } },
		  0x100000000,
		  { 256, 128, 128 },
		  128,
		  { 0x118000000, 0x108000000, 0x128000000 } },
		/* device memory that begins inside a block, as loongarch has it */
		{ { { 0 } },
		  0xb0000000,
		  { 512, 1024, 512 },
		  512,
		  { 0xc0000000, 0xe0000000, 0x120000000 } },
	};
	size_t i, j;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct machine m = { .has_base_address = true, .base_address = rows[i].base };
		uint64_t sizes[3], addresses[3];

		put_devices(&m, rows[i].places);
		for (j = 0; j < 3; j++)
			sizes[j] = rows[i].sizes_mib[j] * M;
		assert_true(machine_place(&m, sizes, 3, rows[i].align_mib * M, addresses));
		for (j = 0; j < 3; j++)
			check(addresses[j] == rows[i].addresses[j], "row %zu, %zu: 0x%llx", i, j,
			      (unsigned long long)addresses[j]);
		machine_release(&m);
	}
}

static void the_largest_gap_is_one_that_can_be_used(void **state)
{
	static const struct {
		struct place places[4];
		uint64_t base, end, gap_mib;
	} rows[] = {
		{ { { 0 } }, 0x100000000, 0x140000000, 1024 },
		{ { { 0 } }, 0xb4000000, 0xda000000, 512 },
		{ { { 0x100000000, 130 } }, 0x100000000, 0x140000000, 768 },
		{ { { 0x104000000, 128 }, { 0x138000000, 2 } }, 0x100000000, 0x140000000, 640 },
		{ { { 0x100000000, 1024 } }, 0x100000000, 0x140000000, 0 },
		{ { { 0x100000000, 2048 } }, 0x100000000, 0x140000000, 0 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct machine m = { .has_base_address = true, .base_address = rows[i].base };
		uint64_t gap;

		put_devices(&m, rows[i].places);
		gap = machine_largest_gap(&m, rows[i].end, 128 * M);
		check(gap == rows[i].gap_mib * M, "row %zu: %llu", i, (unsigned long long)gap / M);
		machine_release(&m);
	}
}

static void a_device_is_found_by_what_it_takes(void **state)
{
	static const struct place places[] = { { 0x108000000, 128 }, { 0x118000000, 130 }, { 0 } };
	struct machine m = { 0 };

	(void)state;
	put_devices(&m, places);
	assert_null(machine_device_in(&m, 0x100000000, 128 * M));
	assert_ptr_equal(machine_device_in(&m, 0x100000000, 128 * M + 1), &m.devices[0]);
	assert_ptr_equal(machine_device_in(&m, 0x10fffffff, 1), &m.devices[0]);
	assert_null(machine_device_in(&m, 0x110000000, 128 * M));
	assert_ptr_equal(machine_device_in(&m, 0x120000000, 128 * M), &m.devices[1]);
	assert_null(machine_device_in(&m, 0x120200000, UINT64_MAX - 0x120200000));
	machine_release(&m);
}

static void no_address_is_predicted_from_half_the_facts(void **state)
{
	struct machine m = { .base_address = 0x100000000 };
	uint64_t address;

	(void)state;
	assert_false(predict(&m, 128 * M, &address));
	m.has_base_address = true;
	read_text(&m, "[{\"type\": \"dimm\", \"data\": {\"size\": 134217728}}]");
	assert_false(predict(&m, 128 * M, &address));
	m.devices[0].has = MEMDEV_HAS_ADDRESS;
	assert_false(predict(&m, UINT64_MAX, &address));
	m.devices[0].span_bytes = UINT64_MAX;
	assert_false(predict(&m, 128 * M, &address));
	machine_release(&m);
}

static void says(struct json_object *request, const char *wanted)
{
	assert_string_equal(json_text(request), wanted);
	json_object_put(request);
}

static void requests_are_what_qemu_reads(void **state)
{
	struct dimm_request r = { .backend_id = xstrdup("memhp0-mem"),
				  .device_id = xstrdup("memhp0-dimm"),
				  .size_bytes = 512 * M };

	(void)state;
	says(machine_request_device_add(&r), "{\"execute\":\"device_add\",\"arguments\":{"
					     "\"driver\":\"pc-dimm\",\"id\":\"memhp0-dimm\","
					     "\"memdev\":\"memhp0-mem\"}}");
	r.has_slot = r.has_node = r.has_address = true;
	r.slot = 3;
	r.address = 0x140000000;
	says(machine_request_device_add(&r),
	     "{\"execute\":\"device_add\",\"arguments\":{\"driver\":\"pc-dimm\",\"id\":\"memhp0-"
	     "dimm\","
	     "\"memdev\":\"memhp0-mem\",\"slot\":3,\"node\":0,\"addr\":5368709120}}");
	says(machine_request_device_del("/machine/peripheral-anon/device[0]"),
	     "{\"execute\":\"device_del\",\"arguments\":{\"id\":\"/machine/peripheral-anon/"
	     "device[0]\"}}");
	says(machine_request_object_del("memhp0-mem"),
	     "{\"execute\":\"object-del\",\"arguments\":{\"id\":\"memhp0-mem\"}}");
	dimm_request_release(&r);
	assert_null(r.backend_id);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_of_device_is_read),
		cmocka_unit_test(a_device_is_found_by_its_id),
		cmocka_unit_test(devices_come_by_address_whatever_the_order_of_the_answer),
		cmocka_unit_test(an_empty_id_and_a_foreign_backend_are_unknown),
		cmocka_unit_test(a_list_that_makes_no_sense_is_refused),
		cmocka_unit_test(a_list_that_adds_up_beyond_reason_is_refused),
		cmocka_unit_test(a_name_that_fills_the_screen_is_refused),
		cmocka_unit_test(slots_and_objects_in_use_are_known),
		cmocka_unit_test(a_dimm_goes_where_qemu_puts_it),
		cmocka_unit_test(a_dimm_does_not_go_where_virtio_mem_may_grow),
		cmocka_unit_test(several_dimms_go_behind_and_between_each_other),
		cmocka_unit_test(several_places_are_multiples_of_the_alignment),
		cmocka_unit_test(the_largest_gap_is_one_that_can_be_used),
		cmocka_unit_test(a_device_is_found_by_what_it_takes),
		cmocka_unit_test(no_address_is_predicted_from_half_the_facts),
		cmocka_unit_test(requests_are_what_qemu_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
