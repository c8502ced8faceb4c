/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Do other processes use the VM's memory? */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/peer.h"
#include "lib/util.h"
#include "qemu/sharing.h"

/* The first QEMU whose shared memory-backend-ram has a descriptor to pass on (system/physmem.c,
 * "fd-based shared memory"). */
#define SHARED_RAM_VERSION 10

#define MEMDEVS_MAX 4096 /* more than there are slots and nodes */

enum query { QUERY_BOOT, QUERY_MEMDEVS, QUERY_DEVICES, QUERY_NAMELESS, QUERY_NETWORK };

static const struct {
	const char *command;
	const char *keys[2], *values[2];
} queries[SHARING_QUERIES] = {
	[QUERY_BOOT] = { "qom-get", { "path", "property" }, { "/machine", "memory-backend" } },
	[QUERY_MEMDEVS] = { "query-memdev", { NULL }, { NULL } },
	[QUERY_DEVICES] = { "qom-list", { "path" }, { "/machine/peripheral" } },
	[QUERY_NAMELESS] = { "qom-list", { "path" }, { "/machine/peripheral-anon" } },
	[QUERY_NETWORK] = { "human-monitor-command", { "command-line" }, { "info network" } },
};

int sharing_send(struct sharing *s, struct qmp *q, struct err *err)
{
	size_t i, j;

	for (i = 0; i < SHARING_QUERIES; i++) {
		struct json_object *arguments = json_object_new_object();

		for (j = 0; j < ARRAY_SIZE(queries[i].keys) && queries[i].keys[j]; j++)
			json_add_string(arguments, queries[i].keys[j], queries[i].values[j]);
		if (qmp_send(q, qmp_request(queries[i].command, arguments), &s->ids[i], err))
			return -1;
	}
	return 0;
}

/* A property of an object, owned by the caller; NULL if it has none of that name. */
static struct json_object *property(struct qmp *q, const char *path, const char *name)
{
	struct json_object *arguments = json_object_new_object(), *value = NULL;
	struct err ignored;

	json_add_string(arguments, "path", path);
	json_add_string(arguments, "property", name);
	return qmp_execute(q, "qom-get", arguments, &value, &ignored) ? NULL : value;
}

/* Is the device served by a process that maps the VM's memory? ivshmem shares only its own memory,
 * and vhost and vhost-vdpa are in the host's kernel. */
static bool is_sharer(const char *type)
{
	return strstr(type, "vhost-user") || !strncmp(type, "child<vfio-user-pci", 19) ||
	       !strncmp(type, "child<x-pci-proxy-dev", 21);
}

static void set_reason(struct sharing *s, char *reason)
{
	if (s->reason)
		free(reason);
	else
		s->reason = reason;
}

/* Length of the type in "vhost-user-blk-pci>", bounded by QEMU's longest. */
static int name_len(const char *type)
{
	size_t len = strcspn(type, ">");

	return len < 64 ? (int)len : 64;
}

/* Find devices in a reply to qom-list: {"name": "vu0", "type": "child<vhost-user-blk-pci>"}. */
static void find_sharers(struct sharing *s, struct json_object *list, bool are_named)
{
	size_t i, count = json_object_is_type(list, json_type_array)
				  ? json_object_array_length(list)
				  : 0;

	for (i = 0; i < count; i++) {
		struct json_object *child = json_object_array_get_idx(list, i);
		const char *name, *type;

		if (!json_get_string(child, "name", &name) ||
		    !json_get_string(child, "type", &type) || strncmp(type, "child<", 6) != 0 ||
		    !is_sharer(type))
			continue;
		s->has_sharer = true;
		type += 6;
		set_reason(s,
			   are_named ? xasprintf("the VM has the %.*s device '%.64s'",
						 name_len(type), type, name)
				     : xasprintf("the VM has a %.*s device", name_len(type), type));
	}
}

/* "net1: index=0,type=vhost-user,vhost-user0 to chr0"; passt reports it after its own type
 * (net/vhost-user.c, net/passt.c) */
static void find_networks(struct sharing *s, struct json_object *reply)
{
	const char *text =
		json_object_is_type(reply, json_type_string) ? json_object_get_string(reply) : "";

	if (!strstr(text, ",type=vhost-user,") && !strstr(text, ",type=passt,vhost-user,"))
		return;
	s->has_sharer = true;
	set_reason(s, xstrdup("the VM has a vhost-user network"));
}

static bool is_of_device(const struct machine *m, const char *id)
{
	unsigned i;

	for (i = 0; i < m->devices_count; i++)
		if (m->devices[i].backend && !strcmp(m->devices[i].backend, id))
			return true;
	return false;
}

/* Before version 6.1 query-memdev does not report whether memory is shared. */
static bool is_shared(struct qmp *q, struct json_object *memdev, const char *id)
{
	_cleanup_free_ char *path = xasprintf("/objects/%s", id);
	_cleanup_json_ struct json_object *value = NULL;
	bool flag;

	if (json_get_bool(memdev, "share", &flag))
		return flag;
	value = property(q, path, "share");
	return json_object_is_type(value, json_type_boolean) && json_object_get_boolean(value);
}

/* The shared backend of the VM's boot memory, borrowed from s->memdevs; NULL if that is private.
 * The machine names it, by id or since version 7.0 by path; with "-numa node,memdev=" it names
 * none: then it is a backend that no device uses. */
static const char *shared_boot(const struct sharing *s, const struct machine *m, struct qmp *q,
			       struct json_object *boot)
{
	const char *name =
		json_object_is_type(boot, json_type_string) ? json_object_get_string(boot) : "";
	size_t i, count = json_object_is_type(s->memdevs, json_type_array)
				  ? json_object_array_length(s->memdevs)
				  : 0;

	if (count > MEMDEVS_MAX)
		count = MEMDEVS_MAX;
	if (!strncmp(name, "/objects/", 9))
		name += 9;
	for (i = 0; i < count; i++) {
		struct json_object *memdev = json_object_array_get_idx(s->memdevs, i);
		const char *id;

		if (json_get_string(memdev, "id", &id) &&
		    (*name ? !strcmp(name, id) : !is_of_device(m, id)) && is_shared(q, memdev, id))
			return id;
	}
	return NULL;
}

/* The file type (S_IF...) of a path as QEMU sees it; 0 if not known. */
static mode_t file_kind(pid_t pid, const char *path)
{
	int fd = peer_open_path(pid, path, O_PATH);
	struct stat status;
	bool is_known;

	if (fd < 0)
		return 0;
	is_known = peer_stat(fd, &status);
	close(fd);
	return is_known ? status.st_mode & S_IFMT : 0;
}

/* A directory for an unnamed file on the same file system, since one file cannot be the memory of
 * two backends; NULL if not known, or if the memory is a device's. */
static char *directory_of(struct qmp *q, const char *path)
{
	const char *slash = strrchr(path, '/');
	pid_t pid = qmp_peer_pid(q);
	mode_t kind = pid && *path ? file_kind(pid, path) : 0;

	if (kind == S_IFDIR)
		return xstrdup(path);
	if (kind != S_IFREG)
		return NULL;
	return slash ? xstrndup(path, slash == path ? 1 : (size_t)(slash - path)) : xstrdup(".");
}

/* Give new memory the kind that the VM booted with: its file system, its huge pages. If that is not
 * known or has no descriptor, use a memfd. */
static void find_kind(struct sharing *s, struct qmp *q, const char *boot)
{
	_cleanup_free_ char *path = xasprintf("/objects/%s", boot);
	_cleanup_json_ struct json_object *file = property(q, path, "mem-path");
	_cleanup_json_ struct json_object *hugetlb = property(q, path, "hugetlb");
	_cleanup_json_ struct json_object *size = property(q, path, "hugetlbsize");

	if (json_object_is_type(file, json_type_string))
		s->memory_path = directory_of(q, json_object_get_string(file));
	if (s->memory_path) {
		s->kind.type = BACKEND_FILE;
		s->kind.mem_path = s->memory_path;
	}
	if (!json_object_is_type(hugetlb, json_type_boolean) || !json_object_get_boolean(hugetlb))
		return;
	s->kind.hugetlb.is_set = true;
	if (json_object_is_type(size, json_type_int) && json_object_get_int64(size) > 0)
		s->kind.hugetlb.value = json_object_get_uint64(size);
}

static int receive(struct sharing *s, struct qmp *q, struct json_object **replies, struct err *err)
{
	size_t i;

	for (i = 0; i < SHARING_QUERIES; i++) {
		uint64_t id = s->ids[i];

		s->ids[i] = 0;
		if (qmp_receive(q, id, &replies[i], err) && err->code != ERR_QEMU_REFUSED)
			return err_wrap(err, "cannot ask QEMU (%s)", queries[i].command);
	}
	return 0;
}

static void read_replies(struct sharing *s, const struct machine *m, struct qmp *q,
			 struct json_object **replies)
{
	const char *boot;

	s->kind = (struct backend_options){ .type = BACKEND_MEMFD, .is_shared = true };
	s->memdevs = json_object_get(replies[QUERY_MEMDEVS]);
	find_sharers(s, replies[QUERY_DEVICES], true);
	find_sharers(s, replies[QUERY_NAMELESS], false);
	find_networks(s, replies[QUERY_NETWORK]);
	if (m->has_vhost_object) {
		s->has_sharer = true;
		set_reason(s, xstrdup("the VM has a vhost-user object"));
	}
	boot = shared_boot(s, m, q, replies[QUERY_BOOT]);
	if (!boot)
		return;
	set_reason(s, xasprintf("the memory that the VM booted with, '%.64s', is shared", boot));
	find_kind(s, q, boot);
}

int sharing_receive(struct sharing *s, const struct machine *m, struct qmp *q, struct err *err)
{
	struct json_object *replies[SHARING_QUERIES] = { NULL };
	int status = receive(s, q, replies, err);
	size_t i;

	if (!status)
		read_replies(s, m, q, replies);
	s->is_known = !status;
	for (i = 0; i < SHARING_QUERIES; i++)
		json_object_put(replies[i]);
	return status;
}

/* Can its memory be passed on as a descriptor? memfd memory is shared by default. */
static bool is_shareable(const struct backend_options *b, const struct machine *m)
{
	unsigned version;

	switch (b->type) {
	case BACKEND_MEMFD:
		return true;
	case BACKEND_FILE:
		return b->is_shared;
	default:
		return b->type == BACKEND_RAM && b->is_shared && m->version &&
		       sscanf(m->version, "%u.", &version) == 1 && version >= SHARED_RAM_VERSION;
	}
}

int sharing_apply(const struct sharing *s, const struct machine *m, struct backend_options *b,
		  struct err *err)
{
	if (!s->reason || is_shareable(b, m))
		return 0;
	if (b->type != BACKEND_AUTO) {
		err_set(err, ERR_FAILED, "%s: memory of --backend %s%s can be used by QEMU alone",
			s->reason, backend_types[b->type], b->is_shared ? " --share" : "");
		return err_hint(err, b->type == BACKEND_FILE
					     ? "add --share"
					     : "leave out --backend, or take --backend memfd");
	}
	b->type = s->kind.type;
	b->mem_path = s->kind.mem_path;
	b->hugetlb = s->kind.hugetlb;
	b->is_shared = true;
	b->reason = s->reason;
	return 0;
}

bool sharing_excludes(const struct sharing *s, const char *backend_id)
{
	struct json_object *memdev =
		s->has_sharer && backend_id ? backend_find(s->memdevs, backend_id) : NULL;
	bool flag;

	return json_get_bool(memdev, "share", &flag) && !flag;
}

void sharing_free(struct sharing *s)
{
	free(s->reason);
	free(s->memory_path);
	json_object_put(s->memdevs);
	*s = (struct sharing){ 0 };
}
