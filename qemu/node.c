/* SPDX-License-Identifier: GPL-3.0-or-later */
/* QEMU's NUMA nodes. */
#include <stdio.h>
#include <string.h>

#include "lib/size.h"
#include "lib/util.h"
#include "qemu/machine.h"

/* "node 1 cpus: 2 3", "node 1 size: 512 MB" with what was plugged, "node 1 plugged: 256 MB"
 * (hmp_info_numa() of QEMU) */
static void read_line(struct machine_nodes *nodes, const char *line)
{
	struct machine_node *node;
	unsigned long long mib;
	unsigned number, cpu;
	int at = 0;

	if (sscanf(line, "node %u %n", &number, &at) != 1 || !at || number >= MACHINE_NODES_MAX)
		return;
	node = &nodes->list[number];
	if (!strncmp(line + at, "cpus:", 5)) {
		node->has_cpus = sscanf(line + at + 5, "%u", &cpu) == 1;
		node->first_cpu = node->has_cpus ? cpu : 0;
	} else if (sscanf(line + at, "size: %llu MB", &mib) == 1 && mib <= SIZE_LIMIT_BYTES >> 20) {
		node->is_there = true;
		node->total_bytes = (uint64_t)mib << 20;
		if (number >= nodes->count)
			nodes->count = number + 1;
	} else if (sscanf(line + at, "plugged: %llu MB", &mib) == 1 &&
		   mib <= SIZE_LIMIT_BYTES >> 20) {
		node->plugged_bytes = (uint64_t)mib << 20;
	}
}

int machine_check_node(const struct machine_nodes *nodes, uint64_t node, struct err *err)
{
	if (!nodes->count || (node < nodes->count && nodes->list[node].is_there))
		return 0;
	err_set(err, ERR_FAILED, "the VM has no NUMA node %llu", (unsigned long long)node);
	if (nodes->count == 1)
		return err_hint(err, "there is only node 0: leave out --node");
	return err_hint(err, "there are nodes 0 to %u", nodes->count - 1);
}

static bool has_all_cpus(struct qmp *q)
{
	struct json_object *arguments = json_object_new_object();
	_cleanup_json_ struct json_object *reply = NULL;
	uint64_t cpus, max;
	struct err ignored;

	json_add_string(arguments, "path", "/machine");
	json_add_string(arguments, "property", "smp");
	return !qmp_execute(q, "qom-get", arguments, &reply, &ignored) &&
	       json_get_u64(reply, "cpus", &cpus) && json_get_u64(reply, "maxcpus", &max) &&
	       cpus == max;
}

int machine_query_nodes(struct machine_nodes *nodes, struct qmp *q, struct err *err)
{
	struct json_object *arguments = json_object_new_object();
	_cleanup_json_ struct json_object *reply = NULL;
	_cleanup_free_ char *text = NULL;
	char *save, *line;

	*nodes = (struct machine_nodes){ 0 };
	json_add_string(arguments, "command-line", "info numa");
	if (qmp_execute(q, "human-monitor-command", arguments, &reply, err))
		return err_wrap(err, "cannot ask QEMU (info numa)");
	if (!json_object_is_type(reply, json_type_string))
		return err_set(err, ERR_FAILED, "info numa did not answer with text");
	nodes->has_all_cpus = has_all_cpus(q);
	text = xstrdup(json_object_get_string(reply));
	for (line = strtok_r(text, "\r\n", &save); line; line = strtok_r(NULL, "\r\n", &save))
		read_line(nodes, line);
	return 0;
}
