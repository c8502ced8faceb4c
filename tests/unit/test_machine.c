/* SPDX-License-Identifier: GPL-3.0-or-later */
/* QEMU's memory devices, parsed from QEMU 7.2's answers. */
#include "recorded.h"

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
	machine_free(&m);
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
	machine_free(&m);
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
	machine_free(&m);
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
	machine_free(&m);
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
		/* 2^60 + 1 bytes, an address above, and impossible values */
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
		machine_free(&m);
	}
}

/* Read @count DIMMs of that size. */
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
	assert_true(machine_devices_max_bytes(&m) == UINT64_C(1) << 60);
	assert_int_equal(read_many(&m, 257, UINT64_C(1) << 52, &err), -1);
	assert_non_null(strstr(err.message, "add up beyond reason"));
	assert_int_equal(read_many(&m, 1024, 1, &err), 0);
	assert_int_equal(read_many(&m, 1025, 1, &err), -1);
	assert_non_null(strstr(err.message, "more than 1024"));
	machine_free(&m);
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
		machine_free(&m);
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
	machine_free(&m);
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
