/* SPDX-License-Identifier: GPL-3.0-or-later */
/* QEMU's events in words. */
#include "unit.h"

#include "cmd/event.h"

static bool describe(const char *name, const char *data, struct buf *out)
{
	_cleanup_json_ struct json_object *event = json_object_new_object();

	json_add_string(event, "event", name);
	if (data)
		json_object_object_add(event, "data", json_tokener_parse(data));
	return event_describe(event, out);
}

static void the_events_of_memory_are_put_in_words(void **state)
{
	static const struct {
		const char *name, *data, *words;
	} rows[] = {
		{ "DEVICE_DELETED", "{\"device\": \"d0\", \"path\": \"/machine/peripheral/d0\"}",
		  "d0: released" },
		{ "DEVICE_DELETED", "{\"path\": \"/machine/peripheral-anon/device[0]\"}",
		  "/machine/peripheral-anon/device[0]: released" },
		{ "DEVICE_DELETED", "{}", "a device: released" },
		{ "DEVICE_DELETED", NULL, "a device: released" },
		{ "DEVICE_UNPLUG_GUEST_ERROR", "{\"device\": \"d0\"}",
		  "d0: the guest does not give it up" },
		{ "MEM_UNPLUG_ERROR", "{\"device\": \"d0\", \"msg\": \"in use\"}",
		  "d0: the guest does not give it up: in use" },
		{ "MEMORY_DEVICE_SIZE_CHANGE", "{\"id\": \"vm0\", \"size\": 1073741824}",
		  "vm0: 1 GiB now" },
		{ "MEMORY_DEVICE_SIZE_CHANGE",
		  "{\"size\": 0, \"qom-path\": \"/machine/peripheral/vm0\"}",
		  "/machine/peripheral/vm0: 0 B now" },
		{ "ACPI_DEVICE_OST",
		  "{\"info\": {\"device\": \"d0\", \"source\": 1, \"status\": 0, \"slot\": \"3\","
		  " \"slot-type\": \"DIMM\"}}",
		  "slot 3 (d0): " },
		{ "ACPI_DEVICE_OST",
		  "{\"info\": {\"source\": 3, \"status\": 130, \"slot\": \"3\","
		  " \"slot-type\": \"DIMM\"}}",
		  "slot 3: " },
		{ "MIGRATION", "{\"status\": \"active\"}", "migration: active" },
		{ "STOP", NULL, "the VM is paused" },
		{ "RESUME", NULL, "the VM runs again" },
		{ "GUEST_PANICKED", "{\"action\": \"pause\"}", "the guest has panicked" },
		{ "SHUTDOWN", "{\"guest\": true}", "the VM shuts down" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_buf_ struct buf out = { 0 };
		size_t len = strlen(rows[i].words);

		check(describe(rows[i].name, rows[i].data, &out), "%s", rows[i].name);
		/* ACPI's meaning is tested in test_device-event.c; here it must just be present */
		check(rows[i].words[len - 1] == ' '
			      ? !strncmp(buf_text(&out), rows[i].words, len) && out.len > len
			      : !strcmp(buf_text(&out), rows[i].words),
		      "%s: '%s'", rows[i].words, buf_text(&out));
	}
}

static void other_and_broken_events_are_passed_over(void **state)
{
	static const struct {
		const char *name, *data;
	} rows[] = {
		{ "RTC_CHANGE", "{\"offset\": 1}" },
		{ "device_deleted", NULL },
		{ "", NULL },
		{ "ACPI_DEVICE_OST", NULL },
		{ "ACPI_DEVICE_OST", "{\"info\": []}" },
		{ "ACPI_DEVICE_OST",
		  "{\"info\": {\"source\": 1, \"status\": 0, \"slot\": \"3\", \"slot-type\": "
		  "\"CPU\"}}" },
		{ "MEMORY_DEVICE_SIZE_CHANGE", "{\"id\": \"vm0\"}" },
		{ "MEMORY_DEVICE_SIZE_CHANGE", "{\"id\": \"vm0\", \"size\": -1}" },
		{ "MEMORY_DEVICE_SIZE_CHANGE", NULL },
		{ "MIGRATION", "{\"status\": 7}" },
		{ "MIGRATION", NULL },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_buf_ struct buf out = { 0 };

		check(!describe(rows[i].name, rows[i].data, &out), "%s %s: '%s'", rows[i].name,
		      rows[i].data ? rows[i].data : "", buf_text(&out));
	}
}

static void an_event_without_a_name_is_passed_over(void **state)
{
	_cleanup_json_ struct json_object *event = json_tokener_parse("{\"event\": 7}");
	_cleanup_json_ struct json_object *none = json_tokener_parse("{\"data\": {}}");
	_cleanup_buf_ struct buf out = { 0 };

	(void)state;
	assert_false(event_describe(event, &out));
	assert_false(event_describe(none, &out));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_events_of_memory_are_put_in_words),
		cmocka_unit_test(other_and_broken_events_are_passed_over),
		cmocka_unit_test(an_event_without_a_name_is_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
