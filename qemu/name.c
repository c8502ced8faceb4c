/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Names for backends and devices that are to be made. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/util.h"
#include "qemu/machine.h"

uint64_t machine_next_number(const struct machine *m, const char *base)
{
	uint64_t number = 0, used;
	unsigned i;

	for (i = 0; i < m->devices_count + m->objects_count; i++) {
		const char *id =
			i < m->devices_count ? m->devices[i].id : m->objects[i - m->devices_count];
		_cleanup_free_ char *digits = NULL;

		if (!id || strncmp(id, base, strlen(base)) != 0)
			continue;
		id += strlen(base);
		digits = xstrndup(id, strspn(id, "0123456789"));
		if (parse_u64(digits, 10, &used) && used >= number && used < UINT32_MAX)
			number = used + 1;
	}
	return number;
}

int machine_name(const struct machine *m, const char *name, const char *kind, char **backend_id,
		 char **device_id, struct err *err)
{
	*backend_id = xasprintf("%s-mem", name);
	*device_id = xasprintf("%s-%s", name, kind);
	if (!machine_has_object(m, *backend_id) && !machine_device(m, *device_id))
		return 0;
	err_set(err, ERR_FAILED, "the name '%s' is in use", name);
	return err_hint(err, "see memhp list; without --name the next free one is taken");
}
