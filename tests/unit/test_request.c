/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Requests to QEMU, in the form that it reads. */
#include "unit.h"

#include "qemu/machine.h"

#define M (UINT64_C(1) << 20)

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
	dimm_request_free(&r);
	assert_null(r.backend_id);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_are_what_qemu_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
