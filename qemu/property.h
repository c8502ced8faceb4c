/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * property: the properties of a QEMU object, and those that differ from QEMU's defaults as command
 * line options. The values are QEMU's; every name printed is one of the caller's. Changes nothing.
 */
#ifndef QEMU_PROPERTY_H
#define QEMU_PROPERTY_H

#include <stdbool.h>

#include "lib/err.h"
#include "lib/json.h"
#include "lib/util.h"
#include "qmp.h"

/* A property known to the caller. */
struct property_rule {
	const char *name;
	const char *default_text; /* its default as text; NULL: always printed */
};

/* The "default_text" of a property that is never printed: it cannot be set, or is handled
 * elsewhere. */
extern const char property_left_out[];

struct property {
	char *name;
	struct json_object *value; /* NULL: QEMU does not report it */
};

/* Zero-initialise it. */
struct properties {
	struct property *list;
	unsigned count;
};

/*
 * properties_query() - query all properties of the object at the QOM path @path
 * @known:	its members are not queried again; borrowed; NULL: none
 */
int properties_query(struct properties *p, struct qmp *q, const char *path,
		     struct json_object *known, struct err *err)
	__attribute__((warn_unused_result));

/* properties_query_named() - query @count properties by name; those that QEMU does not report have
 * no value */
int properties_query_named(struct properties *p, struct qmp *q, const char *path,
			   const char *const *names, unsigned count, struct err *err)
	__attribute__((warn_unused_result));

/* properties_query_defaults() - query the default values of a device type as far as QEMU reports
 * them (device-list-properties); the machine type may override them */
int properties_query_defaults(struct properties *p, struct qmp *q, const char *type,
			      struct err *err) __attribute__((warn_unused_result));

void properties_free(struct properties *p);

/* properties_value() - borrowed; NULL if there is none of that name */
struct json_object *properties_value(const struct properties *p, const char *name);

/* properties_text() - the value of a string property; NULL also if it is no string */
const char *properties_text(const struct properties *p, const char *name);

/* property_add() - ",NAME=VALUE", with commas doubled as QemuOpts reads them */
void property_add(struct buf *out, const char *name, const char *value);

/*
 * properties_add() - append what differs from its default, in the order of the rules
 * @defaults:	override a rule's "default_text" unless that is NULL; NULL: none are known
 * @tables:	tables of rules, each ending with an empty rule; the list ends with NULL; the first
 *		rule for a name counts
 * @subject:	the object's name, for messages
 * Return: 0; -1 with ERR_FAILED and the name of a property that differs and has no rule
 */
int properties_add(const struct properties *p, const struct properties *defaults,
		   const struct property_rule *const *tables, const char *subject, struct buf *out,
		   struct err *err) __attribute__((warn_unused_result));

#endif
