/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Memory backends. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/size.h"
#include "lib/util.h"
#include "qemu/backend.h"
#include "qmp.h"

const char *const backend_types[] = { [BACKEND_AUTO] = "",
				      [BACKEND_RAM] = "ram",
				      [BACKEND_MEMFD] = "memfd",
				      [BACKEND_FILE] = "file",
				      NULL };
const char *const backend_reserves[] = {
	[RESERVE_UNSET] = "", [RESERVE_ON] = "on", [RESERVE_OFF] = "off", NULL
};
const char *const backend_policies[] = { [POLICY_UNSET] = "",
					 [POLICY_DEFAULT] = "default",
					 [POLICY_PREFERRED] = "preferred",
					 [POLICY_BIND] = "bind",
					 [POLICY_INTERLEAVE] = "interleave",
					 NULL };

bool backend_read_nodes(const char *text, bool nodes[static NODES_MAX])
{
	_cleanup_free_ char *list = xstrdup(text);
	char *rest = list, *word;

	while ((word = strsep(&rest, ","))) {
		char *dash = strchr(word, '-');
		uint64_t first, last;

		if (dash)
			*dash = '\0';
		if (!parse_u64(word, 10, &first) || !parse_u64(dash ? dash + 1 : word, 10, &last) ||
		    first > last || last >= NODES_MAX)
			return false;
		memset(nodes + first, true, last - first + 1);
	}
	return true;
}

/* The nodes of a list in QEMU's form: each once, in ascending order. */
static struct json_object *json_nodes(const char *text)
{
	struct json_object *array = json_object_new_array();
	bool nodes[NODES_MAX] = { false };
	unsigned i;

	backend_read_nodes(text, nodes);
	for (i = 0; i < NODES_MAX; i++)
		if (nodes[i])
			json_object_array_add(array, json_object_new_uint64(i));
	return array;
}

static int check_type(struct backend_options *b, struct err *err)
{
	if (b->type == BACKEND_AUTO)
		b->type = b->mem_path	      ? BACKEND_FILE
			  : b->hugetlb.is_set ? BACKEND_MEMFD
					      : BACKEND_AUTO;
	if (b->mem_path && b->type != BACKEND_FILE)
		return err_set(err, ERR_USAGE, "--mem-path goes with --backend file, not with '%s'",
			       backend_types[b->type]);
	if (b->type == BACKEND_FILE && !b->mem_path)
		return err_set(err, ERR_USAGE, "--backend file needs --mem-path");
	if (b->hugetlb.is_set && b->type != BACKEND_MEMFD) {
		err_set(err, ERR_USAGE, "--hugetlb goes with --backend memfd, not with '%s'",
			backend_types[b->type]);
		return err_hint(err, "for a file name a directory on hugetlbfs: "
				     "--mem-path /dev/hugepages");
	}
	return 0;
}

static int check_placement(const struct backend_options *b, struct err *err)
{
	bool wants_nodes = b->policy > POLICY_DEFAULT, nodes[NODES_MAX] = { false };

	if (b->host_nodes && !backend_read_nodes(b->host_nodes, nodes)) {
		err_set(err, ERR_USAGE, "bad value '%s' for --host-nodes", b->host_nodes);
		return err_hint(err, "write a list such as 0 or 0-1,3");
	}
	if (wants_nodes && !b->host_nodes)
		return err_set(err, ERR_USAGE, "--policy %s needs --host-nodes",
			       backend_policies[b->policy]);
	if (!wants_nodes && b->host_nodes)
		return err_set(err, ERR_USAGE,
			       "--host-nodes needs --policy bind, preferred or interleave");
	return 0;
}

int backend_check(struct backend_options *b, struct err *err)
{
	if (check_type(b, err) || check_placement(b, err))
		return -1;
	if (b->prealloc.is_set && b->reserve == RESERVE_OFF)
		return err_set(err, ERR_USAGE, "--prealloc and --reserve off exclude each other");
	if (b->hugetlb.value & (b->hugetlb.value - 1))
		return err_set(err, ERR_USAGE, "the size of --hugetlb is not a power of two");
	return 0;
}

enum backend_type backend_type(const struct backend_options *b)
{
	if (b->type != BACKEND_AUTO)
		return b->type;
	return b->is_shared ? BACKEND_MEMFD : BACKEND_RAM;
}

bool backend_is_shared(const struct backend_options *b)
{
	return b->is_shared || b->type == BACKEND_MEMFD;
}

bool backend_is_plain(const struct backend_options *b)
{
	return b->type <= BACKEND_RAM && !b->prealloc.is_set && !b->is_shared &&
	       b->reserve == RESERVE_UNSET && b->policy == POLICY_UNSET;
}

bool backend_takes_now(const struct backend_options *b)
{
	return b->prealloc.is_set || b->hugetlb.is_set;
}

static void add_options(struct json_object *arguments, const struct backend_options *b)
{
	if (b->mem_path)
		json_add_string(arguments, "mem-path", b->mem_path);
	if (b->hugetlb.is_set)
		json_add_bool(arguments, "hugetlb", true, true);
	if (b->hugetlb.value)
		json_add_u64(arguments, "hugetlbsize", true, b->hugetlb.value);
	if (b->prealloc.is_set)
		json_add_bool(arguments, "prealloc", true, true);
	if (b->prealloc.value)
		json_add_u64(arguments, "prealloc-threads", true, b->prealloc.value);
	if (b->is_shared)
		json_add_bool(arguments, "share", true, true);
	if (b->reserve != RESERVE_UNSET)
		json_add_bool(arguments, "reserve", true, b->reserve == RESERVE_ON);
	if (b->policy != POLICY_UNSET)
		json_add_string(arguments, "policy", backend_policies[b->policy]);
	if (b->host_nodes)
		json_object_object_add(arguments, "host-nodes", json_nodes(b->host_nodes));
}

struct json_object *backend_request(const struct backend_options *b, const char *id,
				    uint64_t size_bytes)
{
	struct json_object *arguments = json_object_new_object();
	_cleanup_free_ char *type = xasprintf("memory-backend-%s", backend_types[backend_type(b)]);

	json_add_string(arguments, "qom-type", type);
	json_add_string(arguments, "id", id);
	json_add_u64(arguments, "size", true, size_bytes);
	add_options(arguments, b);
	return qmp_request("object-add", arguments);
}

struct json_object *backend_find(struct json_object *list, const char *id)
{
	size_t i, count = json_object_is_type(list, json_type_array)
				  ? json_object_array_length(list)
				  : 0;

	for (i = 0; i < count; i++) {
		struct json_object *element = json_object_array_get_idx(list, i);
		const char *name;

		if (json_get_string(element, "id", &name) && !strcmp(name, id))
			return element;
	}
	return NULL;
}

static bool has_flag(struct json_object *object, const char *key, bool want)
{
	bool value;

	return json_get_bool(object, key, &value) && value == want;
}

static bool has_nodes(struct json_object *object, const char *nodes)
{
	_cleanup_json_ struct json_object *want = json_nodes(nodes);
	struct json_object *found;

	return json_get_array(object, "host-nodes", &found) && json_object_equal(found, want);
}

int backend_verify(const struct backend_options *b, const char *id, uint64_t size_bytes,
		   struct json_object *list, struct err *err)
{
	struct json_object *found = backend_find(list, id);
	const char *wrong = NULL, *policy = "";
	uint64_t size = 0;

	if (!found)
		return err_set(err, ERR_FAILED, "QEMU does not list the backend '%s'", id);
	json_get_u64(found, "size", &size);
	json_get_string(found, "policy", &policy);
	if (size != size_bytes)
		wrong = "size";
	else if (b->prealloc.is_set && !has_flag(found, "prealloc", true))
		wrong = "prealloc";
	else if (b->is_shared && !has_flag(found, "share", true))
		wrong = "share";
	else if (b->reserve != RESERVE_UNSET &&
		 !has_flag(found, "reserve", b->reserve == RESERVE_ON))
		wrong = "reserve";
	else if (b->policy != POLICY_UNSET && strcmp(policy, backend_policies[b->policy]) != 0)
		wrong = "policy";
	else if (b->host_nodes && !has_nodes(found, b->host_nodes))
		wrong = "host-nodes";
	if (wrong)
		return err_set(err, ERR_FAILED, "the backend '%s' has another '%s' than asked for",
			       id, wrong);
	return 0;
}
