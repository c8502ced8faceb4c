/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How much memory the VM, or one of its NUMA nodes, has. */
#include "lib/size.h"
#include "lib/util.h"
#include "qemu/machine.h"

static int query_all(struct qmp *q, uint64_t *bytes, struct err *err)
{
	_cleanup_json_ struct json_object *reply = NULL;
	uint64_t base_bytes, plugged_bytes = 0;

	if (qmp_execute(q, "query-memory-size-summary", NULL, &reply, err) ||
	    json_need_u64(reply, "base-memory", &base_bytes, err))
		return err_wrap(err, "cannot ask QEMU (query-memory-size-summary)");
	json_get_u64(reply, "plugged-memory", &plugged_bytes);
	if (base_bytes > SIZE_LIMIT_BYTES || plugged_bytes > SIZE_LIMIT_BYTES)
		return err_set(err, ERR_FAILED, "QEMU reports sizes beyond reason");
	*bytes = base_bytes + plugged_bytes;
	return 0;
}

static int query_node(struct qmp *q, int node, uint64_t *bytes, struct err *err)
{
	struct machine_nodes nodes;

	if (machine_query_nodes(&nodes, q, err) || machine_check_node(&nodes, (uint64_t)node, err))
		return -1;
	if (node >= MACHINE_NODES_MAX || !nodes.list[node].is_there)
		return err_set(err, ERR_FAILED, "the VM has no NUMA node %d", node);
	*bytes = nodes.list[node].total_bytes;
	return 0;
}

int machine_query_total(struct qmp *q, int node, uint64_t *bytes, struct err *err)
{
	return node < 0 ? query_all(q, bytes, err) : query_node(q, node, bytes, err);
}
