/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which memory the guest's address space is made of. */
#include <string.h>

#include "lib/util.h"
#include "qemu/machine.h"

#define MAP_MAX_BYTES (4 << 20) /* that of 256 DIMMs has a few hundred thousand */

int machine_query_map(struct qmp *q, char **map, struct err *err)
{
	struct json_object *arguments = json_object_new_object();
	_cleanup_json_ struct json_object *reply = NULL;

	json_add_string(arguments, "command-line", "info mtree -f");
	if (qmp_execute(q, "human-monitor-command", arguments, &reply, err))
		return err_wrap(err, "cannot ask QEMU (info mtree)");
	if (!json_object_is_type(reply, json_type_string))
		return err_set(err, ERR_FAILED, "info mtree did not answer with text");
	if (json_object_get_string_len(reply) > MAP_MAX_BYTES)
		return err_set(err, ERR_FAILED, "info mtree answered with more than 4 MiB");
	*map = xstrdup(json_object_get_string(reply));
	return 0;
}

/* "  0000000100000000-000000011fffffff (prio 0, ram): memhp0-mem @0000000000000000" */
bool machine_map_has(const char *map, const char *backend_id)
{
	size_t len = strlen(backend_id);
	const char *at = map;

	while ((at = strstr(at, "): "))) {
		at += strlen("): ");
		if (!strncmp(at, backend_id, len) && strchr(" \r\n", at[len]))
			return true;
	}
	return false;
}
