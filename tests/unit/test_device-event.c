/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What QEMU's events say about a device that comes or goes. */
#include "unit.h"

#include "qemu/device-event.h"

static char id_d0[] = "d0", path_anon[] = "/machine/peripheral-anon/device[0]", dimm[] = "dimm";

static const struct memdev d0 = {
	.id = id_d0, .handle = id_d0, .type = dimm, .has = MEMDEV_HAS_SLOT, .slot = 5
};
static const struct memdev anonymous = {
	.handle = path_anon, .type = dimm, .has = MEMDEV_HAS_SLOT, .slot = 5
};

static enum device_event read_text(const char *event, const char *data, const struct memdev *d,
				   bool is_eject, char why[128])
{
	_cleanup_json_ struct json_object *object = data ? json_tokener_parse(data) : NULL;

	snprintf(why, 128, "untouched");
	return device_event_read(event, object, d, is_eject, why, 128);
}

static char *ost(const char *slot, const char *type, unsigned source, unsigned status)
{
	return xasprintf(
		"{\"info\": {\"device\": \"d0\", \"source\": %u, \"status\": %u, \"slot\": \"%s\","
		" \"slot-type\": \"%s\"}}",
		source, status, slot, type);
}

static void the_acpi_answers_to_a_new_dimm_are_understood(void **state)
{
	static const struct {
		unsigned source, status;
		enum device_event expected;
		const char *why;
	} rows[] = {
		{ 1, 0, DEVICE_EVENT_INSERTED, NULL },
		{ 0, 0, DEVICE_EVENT_INSERTED, NULL },
		{ 1, 0x80, DEVICE_EVENT_PROGRESS, NULL }, /* in progress */
		{ 1, 1, DEVICE_EVENT_REFUSED, "OST status 1" },
		{ 0, 1, DEVICE_EVENT_REFUSED, "OST status 1" },
		{ 1, 2, DEVICE_EVENT_REFUSED, "OST status 2" },
		{ 1, 0x81, DEVICE_EVENT_REFUSED, "OST status 129" },
		{ 1, 0x82, DEVICE_EVENT_REFUSED, "OST status 130" },
		/* ejections do not concern a DIMM being plugged: an earlier answer may be late */
		{ 3, 0, DEVICE_EVENT_PROGRESS, NULL },
		{ 3, 1, DEVICE_EVENT_PROGRESS, NULL },
		{ 0x103, 0x82, DEVICE_EVENT_PROGRESS, NULL },
		{ 2, 0, DEVICE_EVENT_PROGRESS, NULL },
		{ 0x200, 0, DEVICE_EVENT_PROGRESS, NULL },
	};
	char why[128];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *data = ost("5", "DIMM", rows[i].source, rows[i].status);

		check(read_text("ACPI_DEVICE_OST", data, &d0, false, why) == rows[i].expected, "%s",
		      data);
		check(!rows[i].why || strstr(why, rows[i].why), "%s: %s", data, why);
	}
}

static void the_acpi_answers_to_an_ejection_are_understood(void **state)
{
	static const struct {
		unsigned status;
		enum device_event expected;
		const char *why, *words;
	} rows[] = {
		{ 0, DEVICE_EVENT_PROGRESS, NULL, NULL },    /* DEVICE_DELETED decides */
		{ 0x84, DEVICE_EVENT_PROGRESS, NULL, NULL }, /* in progress */
		{ 1, DEVICE_EVENT_REFUSED, "OST status 1", NULL },
		{ 0x80, DEVICE_EVENT_REFUSED, "OST status 128", "not supported" },
		{ 0x81, DEVICE_EVENT_REFUSED, "OST status 129", "in use" },
		{ 0x82, DEVICE_EVENT_REFUSED, "OST status 130", "busy" },
		{ 0x83, DEVICE_EVENT_REFUSED, "OST status 131", "depends" },
		{ 0x85, DEVICE_EVENT_REFUSED, "OST status 133", NULL },
	};
	static const unsigned sources[] = { 3, 0x103 };
	char why[128];
	size_t i, j;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		for (j = 0; j < ARRAY_SIZE(sources); j++) {
			_cleanup_free_ char *data = ost("5", "DIMM", sources[j], rows[i].status);

			check(read_text("ACPI_DEVICE_OST", data, &d0, true, why) ==
				      rows[i].expected,
			      "%s", data);
			check(!rows[i].why || strstr(why, rows[i].why), "%s: %s", data, why);
			check(!rows[i].words || strstr(why, rows[i].words), "%s: %s", data, why);
		}
	}
}

static void a_late_answer_to_the_insertion_does_not_end_an_ejection(void **state)
{
	static const unsigned statuses[] = { 0, 1, 0x80, 0x82, 0x84 };
	char why[128];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(statuses); i++) {
		_cleanup_free_ char *check_data = ost("5", "DIMM", 1, statuses[i]);
		_cleanup_free_ char *bus_data = ost("5", "DIMM", 0, statuses[i]);

		assert_int_equal(read_text("ACPI_DEVICE_OST", check_data, &d0, true, why),
				 DEVICE_EVENT_PROGRESS);
		assert_int_equal(read_text("ACPI_DEVICE_OST", bus_data, &d0, true, why),
				 DEVICE_EVENT_PROGRESS);
	}
}

static void the_acpi_answers_of_others_are_ignored(void **state)
{
	static const char *const datas[] = {
		"{\"info\": {\"source\": 3, \"status\": 130, \"slot\": \"4\", \"slot-type\": "
		"\"DIMM\"}}",
		"{\"info\": {\"source\": 3, \"status\": 130, \"slot\": \"55\", \"slot-type\": "
		"\"DIMM\"}}",
		"{\"info\": {\"source\": 3, \"status\": 130, \"slot\": \"5\", \"slot-type\": "
		"\"CPU\"}}",
		"{\"info\": {\"source\": 3, \"status\": 130, \"slot\": 5, \"slot-type\": "
		"\"DIMM\"}}",
		"{\"info\": {\"source\": 3, \"status\": 130, \"slot\": \"x\", \"slot-type\": "
		"\"DIMM\"}}",
		"{\"info\": {\"source\": 3, \"status\": 130, \"slot\": \"\", \"slot-type\": "
		"\"DIMM\"}}",
		"{\"info\": {\"source\": 3, \"status\": 130, \"slot\": \"5\"}}",
		"{\"info\": {\"source\": 3, \"slot\": \"5\", \"slot-type\": \"DIMM\"}}",
		"{\"info\": {\"status\": 130, \"slot\": \"5\", \"slot-type\": \"DIMM\"}}",
		"{\"info\": {\"source\": \"3\", \"status\": \"130\", \"slot\": \"5\", "
		"\"slot-type\": \"DIMM\"}}",
		"{\"info\": {\"source\": 3, \"status\": -126, \"slot\": \"5\", \"slot-type\": "
		"\"DIMM\"}}",
		"{\"info\": []}",
		"{}",
		NULL,
	};
	char why[128];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(datas); i++) {
		const char *data = datas[i];

		check(read_text("ACPI_DEVICE_OST", data, &d0, true, why) == DEVICE_EVENT_NONE, "%s",
		      data);
		check(read_text("ACPI_DEVICE_OST", data, &d0, false, why) == DEVICE_EVENT_NONE,
		      "%s", data);
		check(!strcmp(why, "untouched"), "%s", data);
	}
}

static void a_device_without_a_slot_has_no_acpi_answers(void **state)
{
	struct memdev d = d0;
	char why[128];

	(void)state;
	d.has = 0;
	d.slot = 0;
	assert_int_equal(read_text("ACPI_DEVICE_OST",
				   "{\"info\": {\"source\": 3, \"status\": 130, \"slot\": \"0\","
				   " \"slot-type\": \"DIMM\"}}",
				   &d, true, why),
			 DEVICE_EVENT_NONE);
}

static void a_deletion_is_known_by_id_and_by_path(void **state)
{
	static const struct {
		const struct memdev *device;
		const char *data;
		enum device_event expected;
	} rows[] = {
		{ &d0, "{\"device\": \"d0\", \"path\": \"/machine/peripheral/d0\"}",
		  DEVICE_EVENT_DELETED },
		{ &d0, "{\"device\": \"d0\"}", DEVICE_EVENT_DELETED },
		{ &d0, "{\"device\": \"d1\", \"path\": \"/machine/peripheral/d1\"}",
		  DEVICE_EVENT_NONE },
		{ &d0, "{\"device\": \"d\", \"path\": \"/machine/peripheral/d\"}",
		  DEVICE_EVENT_NONE },
		{ &d0, "{\"path\": \"/machine/peripheral-anon/device[0]\"}", DEVICE_EVENT_NONE },
		/* a part of a device is deleted before the device */
		{ &d0, "{\"path\": \"/machine/peripheral/d0\"}", DEVICE_EVENT_DELETED },
		{ &d0, "{\"path\": \"/machine/peripheral/d01\"}", DEVICE_EVENT_NONE },
		{ &d0, "{\"path\": \"d0\"}", DEVICE_EVENT_NONE },
		{ &d0, "{\"path\": \"/machine/peripheral/d0/virtio-backend\"}", DEVICE_EVENT_NONE },
		{ &d0, "{\"device\": 7}", DEVICE_EVENT_NONE },
		{ &d0, "{}", DEVICE_EVENT_NONE },
		{ &d0, NULL, DEVICE_EVENT_NONE },
		{ &anonymous, "{\"path\": \"/machine/peripheral-anon/device[0]\"}",
		  DEVICE_EVENT_DELETED },
		{ &anonymous, "{\"path\": \"/machine/peripheral-anon/device[1]\"}",
		  DEVICE_EVENT_NONE },
		{ &anonymous, "{\"path\": \"/machine/peripheral-anon/device[0]/x\"}",
		  DEVICE_EVENT_NONE },
		{ &anonymous, "{\"device\": \"d0\", \"path\": \"/machine/peripheral/d0\"}",
		  DEVICE_EVENT_NONE },
	};
	char why[128];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++)
		check(read_text("DEVICE_DELETED", rows[i].data, rows[i].device, true, why) ==
			      rows[i].expected,
		      "row %zu: %s", i, rows[i].data);
}

static void the_refusals_of_other_machines_are_understood(void **state)
{
	static const struct {
		const struct memdev *device;
		const char *event, *data;
		enum device_event expected;
		const char *why;
	} rows[] = {
		{ &d0, "MEM_UNPLUG_ERROR", "{\"device\": \"d0\", \"msg\": \"LMBs are in use\"}",
		  DEVICE_EVENT_REFUSED, "LMBs are in use" },
		{ &d0, "MEM_UNPLUG_ERROR", "{\"device\": \"d0\"}", DEVICE_EVENT_REFUSED,
		  "no reason given" },
		{ &d0, "MEM_UNPLUG_ERROR", "{\"device\": \"d1\", \"msg\": \"busy\"}",
		  DEVICE_EVENT_NONE, "untouched" },
		{ &d0, "DEVICE_UNPLUG_GUEST_ERROR",
		  "{\"device\": \"d0\", \"path\": \"/machine/peripheral/d0\"}",
		  DEVICE_EVENT_REFUSED, "no reason given" },
		{ &d0, "DEVICE_UNPLUG_GUEST_ERROR", "{\"path\": \"/machine/peripheral/d0\"}",
		  DEVICE_EVENT_REFUSED, "no reason given" },
		{ &d0, "MEM_UNPLUG_ERROR",
		  "{\"path\": \"/machine/peripheral/d0\", \"msg\": \"busy\"}", DEVICE_EVENT_REFUSED,
		  "busy" },
		{ &d0, "DEVICE_UNPLUG_GUEST_ERROR", "{\"path\": \"/machine/peripheral/d1\"}",
		  DEVICE_EVENT_NONE, "untouched" },
		{ &anonymous, "DEVICE_UNPLUG_GUEST_ERROR",
		  "{\"path\": \"/machine/peripheral-anon/device[0]\"}", DEVICE_EVENT_REFUSED,
		  "no reason given" },
		{ &d0, "DEVICE_NOT_DELETED", "{\"device\": \"d0\"}", DEVICE_EVENT_NONE,
		  "untouched" },
		{ &d0, "MEMORY_DEVICE_SIZE_CHANGE", "{\"device\": \"d0\", \"size\": 0}",
		  DEVICE_EVENT_NONE, "untouched" },
		{ &d0, "RESET", NULL, DEVICE_EVENT_NONE, "untouched" },
		{ &d0, "", "{\"device\": \"d0\"}", DEVICE_EVENT_NONE, "untouched" },
	};
	char why[128];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		check(read_text(rows[i].event, rows[i].data, rows[i].device, true, why) ==
			      rows[i].expected,
		      "row %zu", i);
		check(!strcmp(why, rows[i].why), "row %zu: %s", i, why);
	}
}

static void a_device_that_comes_is_not_told_of_its_going(void **state)
{
	static const char data[] =
		"{\"device\": \"d0\", \"path\": \"/machine/peripheral/d0\", \"msg\": \"x\"}";
	char why[128];

	(void)state;
	assert_int_equal(read_text("DEVICE_DELETED", data, &d0, false, why), DEVICE_EVENT_NONE);
	assert_int_equal(read_text("MEM_UNPLUG_ERROR", data, &d0, false, why), DEVICE_EVENT_NONE);
	assert_int_equal(read_text("DEVICE_UNPLUG_GUEST_ERROR", data, &d0, false, why),
			 DEVICE_EVENT_NONE);
}

static void a_device_that_cannot_be_named_is_not_in_any_event(void **state)
{
	const struct memdev nameless = { .type = dimm };
	char why[128];

	(void)state;
	assert_int_equal(read_text("DEVICE_DELETED", "{\"device\": \"\", \"path\": \"\"}",
				   &nameless, true, why),
			 DEVICE_EVENT_NONE);
}

static void a_long_reason_is_cut(void **state)
{
	_cleanup_json_ struct json_object *data = json_object_new_object();
	char text[300], why[16];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	json_add_string(data, "device", "d0");
	json_add_string(data, "msg", text);
	assert_int_equal(device_event_read("MEM_UNPLUG_ERROR", data, &d0, true, why, sizeof(why)),
			 DEVICE_EVENT_REFUSED);
	assert_string_equal(why, "xxxxxxxxxxxxxxx");
}

static void an_ejection_that_goes_on_is_seen_in_the_slots(void **state)
{
	static const struct {
		const char *slots;
		bool is_pending;
	} rows[] = {
		{ "[{\"slot\": \"5\", \"slot-type\": \"DIMM\", \"source\": 3, \"status\": 132}]",
		  true },
		{ "[{\"slot\": \"5\", \"slot-type\": \"DIMM\", \"source\": 259, \"status\": 132}]",
		  true },
		{ "[{\"slot\": \"5\", \"slot-type\": \"CPU\", \"source\": 3, \"status\": 132},"
		  " {\"slot\": \"5\", \"slot-type\": \"DIMM\", \"source\": 3, \"status\": 132}]",
		  true },
		/* ended, refused, another slot, an insertion, nonsense */
		{ "[{\"slot\": \"5\", \"slot-type\": \"DIMM\", \"source\": 3, \"status\": 0}]",
		  false },
		{ "[{\"slot\": \"5\", \"slot-type\": \"DIMM\", \"source\": 3, \"status\": 130}]",
		  false },
		{ "[{\"slot\": \"6\", \"slot-type\": \"DIMM\", \"source\": 3, \"status\": 132}]",
		  false },
		{ "[{\"slot\": \"5\", \"slot-type\": \"DIMM\", \"source\": 1, \"status\": 132}]",
		  false },
		{ "[{\"slot\": 5, \"slot-type\": \"DIMM\", \"source\": 3, \"status\": 132}]",
		  false },
		{ "[null, 1, [], {}]", false },
		{ "{}", false },
		{ "[]", false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_json_ struct json_object *slots = json_tokener_parse(rows[i].slots);

		assert_int_equal(device_event_is_pending(slots, &d0), rows[i].is_pending);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_acpi_answers_to_a_new_dimm_are_understood),
		cmocka_unit_test(the_acpi_answers_to_an_ejection_are_understood),
		cmocka_unit_test(a_late_answer_to_the_insertion_does_not_end_an_ejection),
		cmocka_unit_test(the_acpi_answers_of_others_are_ignored),
		cmocka_unit_test(a_device_without_a_slot_has_no_acpi_answers),
		cmocka_unit_test(a_deletion_is_known_by_id_and_by_path),
		cmocka_unit_test(the_refusals_of_other_machines_are_understood),
		cmocka_unit_test(a_device_that_comes_is_not_told_of_its_going),
		cmocka_unit_test(a_device_that_cannot_be_named_is_not_in_any_event),
		cmocka_unit_test(a_long_reason_is_cut),
		cmocka_unit_test(an_ejection_that_goes_on_is_seen_in_the_slots),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
