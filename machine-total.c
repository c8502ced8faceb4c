/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How much memory the VM, or one of its NUMA nodes, has. */
#include <stdio.h>
#include <string.h>

#include "machine.h"
#include "size.h"
#include "util.h"

static int query_all(struct qmp *q, uint64_t *bytes, struct err *err)
{
	_cleanup_json_ struct json_object *reply = NULL;
	uint64_t base_bytes, plugged_bytes = 0;

	if (qmp_execute(q, "query-memory-size-summary", NULL, &reply, err) ||
	    json_need_u64(reply, "base-memory", &base_bytes, err))
		return err_wrap(err, "cannot ask QEMU (query-memory-size-summary)");
	json_get_u64(reply, "plugged-memory", &plugged_bytes);
	if (base_bytes > SIZE_LIMIT_BYTES || plugged_bytes > SIZE_LIMIT_BYTES)
		return err_set(err, ERR_FAILED, "QEMU tells of sizes beyond reason");
	*bytes = base_bytes + plugged_bytes;
	return 0;
}

/* "node 1 size: 512 MB": the part that was plugged is in it (hmp_info_numa() of QEMU) */
static bool find_node(const char *text, int node, uint64_t *bytes)
{
	_cleanup_free_ char *start = xasprintf("node %d size: ", node);
	const char *at = strstr(text, start);
	unsigned long long mib;

	if (!at || (at > text && at[-1] != '\n') ||
	    sscanf(at + strlen(start), "%llu MB", &mib) != 1 || mib > SIZE_LIMIT_BYTES >> 20)
		return false;
	*bytes = (uint64_t)mib << 20;
	return true;
}

static int query_node(struct qmp *q, int node, uint64_t *bytes, struct err *err)
{
	struct json_object *arguments = json_object_new_object();
	_cleanup_json_ struct json_object *reply = NULL;

	json_add_string(arguments, "command-line", "info numa");
	if (qmp_execute(q, "human-monitor-command", arguments, &reply, err))
		return err_wrap(err, "cannot ask QEMU (info numa)");
	if (!json_object_is_type(reply, json_type_string) ||
	    !find_node(json_object_get_string(reply), node, bytes))
		return err_set(err, ERR_FAILED, "the VM has no NUMA node %d", node);
	return 0;
}

int machine_query_total(struct qmp *q, int node, uint64_t *bytes, struct err *err)
{
	return node < 0 ? query_all(q, bytes, err) : query_node(q, node, bytes, err);
}
