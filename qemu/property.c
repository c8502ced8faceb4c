/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The properties of a QEMU object. */
#include <stdlib.h>
#include <string.h>

#include "qemu/property.h"

const char property_left_out[] = "";

#define PROPERTIES_MAX 512 /* a virtio device in QEMU 11 has about 80 */

static void add(struct properties *p, const char *name, struct json_object *value)
{
	p->list = xgrow(p->list, p->count, sizeof(*p->list));
	p->list[p->count++] = (struct property){ xstrdup(name), value };
}

void properties_free(struct properties *p)
{
	unsigned i;

	for (i = 0; i < p->count; i++) {
		free(p->list[i].name);
		json_object_put(p->list[i].value);
	}
	free(p->list);
	*p = (struct properties){ 0 };
}

static int ask(struct qmp *q, const char *command, const char *key, const char *value,
	       struct json_object **list, struct err *err)
{
	struct json_object *arguments = json_object_new_object();

	json_add_string(arguments, key, value);
	if (qmp_execute(q, command, arguments, list, err))
		return err_wrap(err, "cannot ask QEMU (%s)", command);
	if (!json_object_is_type(*list, json_type_array) ||
	    json_object_array_length(*list) > PROPERTIES_MAX)
		return err_set(err, ERR_FAILED, "QEMU's answer to %s makes no sense", command);
	return 0;
}

/* Children are separate objects; "legacy-" repeats a value as text; and a device's run-time states
 * are not options (hw/core/qdev.c). */
static bool is_value(const char *name, const char *type)
{
	return strncmp(type, "child<", 6) != 0 && strncmp(name, "legacy-", 7) != 0 &&
	       strcmp(name, "realized") != 0 && strcmp(name, "hotplugged") != 0 &&
	       strcmp(name, "hotpluggable") != 0;
}

static int send_get(struct qmp *q, const char *path, const char *name, uint64_t *id,
		    struct err *err)
{
	struct json_object *arguments = json_object_new_object();

	json_add_string(arguments, "path", path);
	json_add_string(arguments, "property", name);
	return qmp_send(q, qmp_request("qom-get", arguments), id, err);
}

/* Query all missing values in one batch; QEMU does not report write-only properties. */
static int get_values(struct properties *p, struct qmp *q, const char *path, struct err *err)
{
	uint64_t ids[PROPERTIES_MAX] = { 0 };
	unsigned i;

	for (i = 0; i < p->count; i++)
		if (!p->list[i].value && send_get(q, path, p->list[i].name, &ids[i], err))
			return -1;
	for (i = 0; i < p->count; i++)
		if (ids[i] && qmp_receive(q, ids[i], &p->list[i].value, err) &&
		    err->code != ERR_QEMU_REFUSED)
			return -1;
	return 0;
}

int properties_query(struct properties *p, struct qmp *q, const char *path,
		     struct json_object *known, struct err *err)
{
	_cleanup_json_ struct json_object *list = NULL;
	size_t i;

	if (ask(q, "qom-list", "path", path, &list, err))
		return -1;
	for (i = 0; i < json_object_array_length(list); i++) {
		struct json_object *element = json_object_array_get_idx(list, i);
		struct json_object *value = NULL;
		const char *name, *type;

		if (!json_get_string(element, "name", &name) ||
		    !json_get_string(element, "type", &type) || !is_value(name, type))
			continue;
		json_object_object_get_ex(known, name, &value);
		add(p, name, json_object_get(value));
	}
	return get_values(p, q, path, err);
}

int properties_query_named(struct properties *p, struct qmp *q, const char *path,
			   const char *const *names, unsigned count, struct err *err)
{
	unsigned i;

	for (i = 0; i < count; i++)
		add(p, names[i], NULL);
	return get_values(p, q, path, err);
}

int properties_query_defaults(struct properties *p, struct qmp *q, const char *type,
			      struct err *err)
{
	_cleanup_json_ struct json_object *list = NULL;
	struct json_object *value;
	const char *name;
	size_t i;

	if (ask(q, "device-list-properties", "typename", type, &list, err))
		return -1;
	for (i = 0; i < json_object_array_length(list); i++) {
		struct json_object *element = json_object_array_get_idx(list, i);

		if (json_get_string(element, "name", &name) &&
		    json_object_object_get_ex(element, "default-value", &value))
			add(p, name, json_object_get(value));
	}
	return 0;
}

struct json_object *properties_value(const struct properties *p, const char *name)
{
	unsigned i;

	for (i = 0; p && i < p->count; i++)
		if (!strcmp(p->list[i].name, name))
			return p->list[i].value;
	return NULL;
}

const char *properties_text(const struct properties *p, const char *name)
{
	struct json_object *value = properties_value(p, name);

	return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : NULL;
}

void property_add(struct buf *out, const char *name, const char *value)
{
	buf_addf(out, ",%s=", name);
	for (; *value; value++)
		buf_addf(out, *value == ',' ? ",," : "%c", *value);
}

/* A scalar value in command line form, borrowed; NULL for anything else. */
static const char *word_of(struct json_object *value)
{
	switch (json_object_get_type(value)) {
	case json_type_boolean:
		return json_object_get_boolean(value) ? "on" : "off";
	case json_type_int:
	case json_type_string:
		return json_object_get_string(value);
	default:
		return NULL;
	}
}

/* Is it the value of a property that is not set? */
static bool is_nothing(struct json_object *value)
{
	static const char *const words[] = { "", "off", "0", "auto", "default" };
	const char *word = word_of(value);
	size_t i;

	if (json_object_is_type(value, json_type_array))
		return !json_object_array_length(value);
	for (i = 0; word && i < ARRAY_SIZE(words); i++)
		if (!strcmp(word, words[i]))
			return true;
	return false;
}

static bool is_default(struct json_object *value, struct json_object *fallback,
		       const struct property_rule *rule)
{
	const char *word = word_of(value);
	const char *default_text = fallback ? word_of(fallback) : rule ? rule->default_text : NULL;

	if (rule && !rule->default_text)
		return false;
	if (!default_text)
		return is_nothing(value);
	return word ? !strcmp(word, default_text) : !*default_text && is_nothing(value);
}

static const struct property_rule *find_rule(const struct property_rule *const *tables,
					     const char *name)
{
	const struct property_rule *rule;

	for (; *tables; tables++)
		for (rule = *tables; rule->name; rule++)
			if (!strcmp(rule->name, name))
				return rule;
	return NULL;
}

static int cannot_carry(const char *subject, const char *name, struct err *err)
{
	err_set(err, ERR_FAILED, "cannot carry the property '%s' of '%s'", name, subject);
	return err_hint(err, "write its arguments by hand: memhp qmp qom-get says what it has");
}

/* Can everything that differs be printed? Not without a rule, nor if QEMU does not report the value
 * that a rule needs. */
static int check_all(const struct properties *p, const struct properties *defaults,
		     const struct property_rule *const *tables, const char *subject,
		     struct err *err)
{
	unsigned i;

	for (i = 0; i < p->count; i++) {
		const struct property *property = &p->list[i];
		const struct property_rule *rule = find_rule(tables, property->name);
		struct json_object *fallback = properties_value(defaults, property->name);
		bool is_lost =
			rule ? !property->value && rule->default_text != property_left_out
			     : property->value && !is_default(property->value, fallback, NULL);

		if (is_lost)
			return cannot_carry(subject, property->name, err);
	}
	return 0;
}

/* A list repeats the property for each element. */
static int add_value(struct buf *out, const char *name, struct json_object *value,
		     const char *subject, struct err *err)
{
	size_t i, count = json_object_is_type(value, json_type_array)
				  ? json_object_array_length(value)
				  : 0;
	const char *word = word_of(value);

	if (word)
		property_add(out, name, word);
	else if (!count)
		return cannot_carry(subject, name, err);
	for (i = 0; i < count; i++) {
		word = word_of(json_object_array_get_idx(value, i));
		if (!word)
			return cannot_carry(subject, name, err);
		property_add(out, name, word);
	}
	return 0;
}

int properties_add(const struct properties *p, const struct properties *defaults,
		   const struct property_rule *const *tables, const char *subject, struct buf *out,
		   struct err *err)
{
	const struct property_rule *const *table, *rule;

	if (check_all(p, defaults, tables, subject, err))
		return -1;
	for (table = tables; *table; table++) {
		for (rule = *table; rule->name; rule++) {
			struct json_object *value = properties_value(p, rule->name);

			if (!value || rule->default_text == property_left_out ||
			    find_rule(tables, rule->name) != rule ||
			    is_default(value, properties_value(defaults, rule->name), rule))
				continue;
			if (add_value(out, rule->name, value, subject, err))
				return -1;
		}
	}
	return 0;
}
