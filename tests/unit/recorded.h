/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Memory devices as QEMU 7.2 has reported them. */
#ifndef RECORDED_H
#define RECORDED_H

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

static inline void read_text(struct machine *m, const char *text)
{
	_cleanup_json_ struct json_object *reply = json_tokener_parse(text);
	struct err err = { 0 };

	assert_non_null(reply);
	check(!machine_read_devices(m, reply, &err), "%s", err.message);
}

#endif
