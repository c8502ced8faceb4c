/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * property: the properties of one of QEMU's objects, and those that are not as QEMU makes them by
 * itself, in the words of its command line. QEMU gives the values; every name that is put out is
 * one of the caller's. Must never: change anything.
 */
#ifndef QEMU_PROPERTY_H
#define QEMU_PROPERTY_H

#include <stdbool.h>

#include "lib/err.h"
#include "lib/json.h"
#include "lib/util.h"
#include "qmp.h"

/* A property that the caller knows. */
struct property_rule {
	const char *name;
	const char *usual; /* what it is unless it was set, as text; NULL: always put out */
};

/* The "usual" of what is put out otherwise, or cannot be set. */
extern const char property_left_out[];

struct property {
	char *name;
	struct json_object *value; /* NULL: QEMU does not tell it */
};

/* Zero-initialise it. */
struct properties {
	struct property *list;
	unsigned count;
};

/*
 * properties_query() - ask for all of the object at the QOM path @path
 * @known:	members of this are not asked for again; borrowed; NULL: nothing is known
 */
int properties_query(struct properties *p, struct qmp *q, const char *path,
		     struct json_object *known, struct err *err)
	__attribute__((warn_unused_result));

/* properties_query_named() - ask for @count of them; what QEMU does not tell has no value */
int properties_query_named(struct properties *p, struct qmp *q, const char *path,
			   const char *const *names, unsigned count, struct err *err)
	__attribute__((warn_unused_result));

/* properties_query_defaults() - what QEMU makes the properties of a type of device by itself, where
 * it says so (device-list-properties); the machine type may have other ideas */
int properties_query_defaults(struct properties *p, struct qmp *q, const char *type,
			      struct err *err) __attribute__((warn_unused_result));

void properties_free(struct properties *p);

/* properties_value() - borrowed; NULL when there is none of that name */
struct json_object *properties_value(const struct properties *p, const char *name);

/* properties_text() - the same of a text; NULL also when it is none */
const char *properties_text(const struct properties *p, const char *name);

/* property_add() - ",NAME=VALUE", with commas doubled as QemuOpts reads them */
void property_add(struct buf *out, const char *name, const char *value);

/*
 * properties_add() - put out what differs from its default, in the order of the rules
 * @defaults:	count more than a rule's "usual" that is not NULL; NULL: none are known
 * @tables:	of rules, each with an empty one at its end, the last table NULL; the first rule of
 *		a name counts
 * @subject:	whose properties they are, for messages
 * Return: 0; -1 with ERR_FAILED and the name of what differs and has no rule
 */
int properties_add(const struct properties *p, const struct properties *defaults,
		   const struct property_rule *const *tables, const char *subject, struct buf *out,
		   struct err *err) __attribute__((warn_unused_result));

#endif
