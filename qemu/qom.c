/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Paths, names and properties of QEMU's object tree. */
#include <stdlib.h>
#include <string.h>

#include "lib/util.h"
#include "qemu/qom.h"

int qom_copy_name(const char *text, char **out, struct err *err)
{
	if (strlen(text) > QOM_NAME_MAX)
		return err_set(err, ERR_FAILED, "a name of more than %d bytes", QOM_NAME_MAX);
	free(*out);
	*out = xstrdup(text);
	return 0;
}

struct json_object *qom_arguments(const char *path, const char *property)
{
	struct json_object *arguments = json_object_new_object();

	json_add_string(arguments, "path", path);
	if (property)
		json_add_string(arguments, "property", property);
	return arguments;
}

char *qom_device_path(const char *handle)
{
	return handle[0] == '/' ? xstrdup(handle) : xasprintf("/machine/peripheral/%s", handle);
}
