/* SPDX-License-Identifier: GPL-3.0-or-later */
/* qom: paths, names and properties of QEMU's object tree. */
#ifndef QEMU_QOM_H
#define QEMU_QOM_H

#include "lib/err.h"
#include "lib/json.h"

#define QOM_NAME_MAX 255 /* bytes of an id, a type, a state: all of them may be displayed */

/* qom_copy_name() - replace *@out by a copy of a name that may be displayed; -1 with ERR_FAILED
 * when it is longer than QOM_NAME_MAX */
int qom_copy_name(const char *text, char **out, struct err *err)
	__attribute__((warn_unused_result));

/* qom_arguments() - the arguments of qom-get (of qom-list with @property NULL); the caller owns
 * them */
struct json_object *qom_arguments(const char *path, const char *property);

/* qom_device_path() - the QOM path of a device from its id or path; the caller frees it */
char *qom_device_path(const char *handle);

#endif
