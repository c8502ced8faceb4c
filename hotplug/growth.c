/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Do host and guest have room for the growth of virtio-mem devices? */
#include <stdlib.h>
#include <string.h>

#include "hotplug/check.h"
#include "hotplug/growth.h"
#include "lib/util.h"
#include "qemu/host-limits.h"
#include "qemu/property.h"
#include "qemu/qom.h"

uint64_t growth_bytes(const struct vmem *vmem)
{
	uint64_t bytes = 0;
	unsigned i;

	for (i = 0; i < vmem->devices_count; i++)
		if (vmem->devices[i].target_bytes > vmem->devices[i].before_bytes)
			bytes += vmem->devices[i].target_bytes - vmem->devices[i].before_bytes;
	return bytes;
}

/* The growth of all devices with the same kind of backend. */
struct share {
	struct backend_options options;
	char *mem_path;	 /* of the first of them; NULL: none */
	uint64_t device; /* its file system */
	uint64_t bytes;
	bool is_now; /* taken at once (virtio-mem's prealloc) */
};

struct shares {
	struct share *list;
	unsigned count;
};

static void shares_free(struct shares *s)
{
	unsigned i;

	for (i = 0; i < s->count; i++)
		free(s->list[i].mem_path);
	free(s->list);
}

static bool is_on(const struct properties *p, const char *name)
{
	struct json_object *value = properties_value(p, name);

	return json_object_is_type(value, json_type_boolean) && json_object_get_boolean(value);
}

/* Read the kind of a device's backend; false when QEMU does not tell. */
static bool read_backend(struct share *share, const struct view *v, const struct memdev *d)
{
	static const char *const names[] = { "type", "mem-path", "share", "hugetlb",
					     "hugetlbsize" };
	_cleanup_free_ char *path = xasprintf("/objects/%s", d->backend ? d->backend : "");
	struct properties p = { 0 };
	struct json_object *size;
	struct err ignored;
	const char *type, *file;

	*share = (struct share){ .options = { .type = BACKEND_RAM } };
	if (properties_query_named(&p, v->qmp, path, names, ARRAY_SIZE(names), &ignored)) {
		properties_free(&p);
		return false;
	}
	type = properties_text(&p, "type");
	file = properties_text(&p, "mem-path");
	size = properties_value(&p, "hugetlbsize");
	if (file && type && !strcmp(type, "memory-backend-file")) {
		share->mem_path = xstrdup(file);
		share->options.type = BACKEND_FILE;
		share->options.is_shared = is_on(&p, "share");
	} else if (is_on(&p, "hugetlb")) {
		share->options.type = BACKEND_MEMFD;
		share->options.hugetlb.is_set = true;
		share->options.hugetlb.value =
			json_object_is_type(size, json_type_int) ? json_object_get_uint64(size) : 0;
	}
	share->options.mem_path = share->mem_path;
	properties_free(&p);
	return type;
}

/* Does the device preallocate its memory? */
static bool is_prealloc(const struct view *v, const char *handle)
{
	static const char *const names[] = { "prealloc" };
	_cleanup_free_ char *path = qom_device_path(handle);
	struct properties p = { 0 };
	struct err ignored;
	bool is_now = !properties_query_named(&p, v->qmp, path, names, 1, &ignored) &&
		      is_on(&p, names[0]);

	properties_free(&p);
	return is_now;
}

/* Do both use the same memory? Without huge pages and files all memory is the same. */
static bool is_same(const struct share *a, const struct share *b)
{
	return a->options.type == b->options.type && a->device == b->device &&
	       a->options.is_shared == b->options.is_shared &&
	       a->options.hugetlb.value == b->options.hugetlb.value;
}

/* Takes ownership of @share. */
static void add(struct shares *s, struct share *share)
{
	unsigned i = 0;

	while (i < s->count && !is_same(&s->list[i], share))
		i++;
	if (i < s->count) {
		s->list[i].bytes += share->bytes;
		s->list[i].is_now |= share->is_now;
		free(share->mem_path);
		return;
	}
	s->list = xgrow(s->list, s->count, sizeof(*s->list));
	s->list[s->count++] = *share;
}

static void find_shares(struct shares *s, const struct view *v, const struct vmem *vmem)
{
	pid_t pid = qmp_peer_pid(v->qmp);
	unsigned i;

	for (i = 0; i < vmem->devices_count; i++) {
		const struct vmem_device *device = &vmem->devices[i];
		const struct memdev *d = machine_device(&v->machine, device->handle);
		struct mem_path path;
		struct share share;

		if (!d || device->target_bytes <= device->before_bytes ||
		    !read_backend(&share, v, d))
			continue;
		share.bytes = device->target_bytes - device->before_bytes;
		share.is_now = is_prealloc(v, device->handle);
		if (share.mem_path && mem_path_read(&path, pid, share.mem_path))
			share.device = path.device;
		add(s, &share);
	}
}

static void warn(void *context, const char *text)
{
	transaction_warn(context, text);
}

static int check_share(struct transaction *t, const struct share *share, struct err *err)
{
	struct demand demand = { .pid = qmp_peer_pid(t->view.qmp),
				 .backend = &share->options,
				 .size_bytes = share->bytes,
				 .is_growth = true,
				 .boot_bytes = t->view.machine.base_memory_bytes,
				 .guest_bytes = t->view.machine.base_memory_bytes +
						t->view.machine.plugged_memory_bytes };

	if (!demand_complete(&demand))
		return 0;
	if (share->is_now && host_limits_check_taken(&demand, err))
		return -1;
	host_limits_warn(&demand, warn, t);
	return 0;
}

int growth_check(struct transaction *t, const struct vmem *vmem, struct err *err)
{
	struct shares shares = { 0 };
	int status = 0;
	unsigned i;

	if (t->is_forced || !growth_bytes(vmem) ||
	    !demand_is_of(qmp_peer_pid(t->view.qmp), t->view.machine.base_memory_bytes))
		return 0;
	find_shares(&shares, &t->view, vmem);
	for (i = 0; i < shares.count && !status; i++)
		status = check_share(t, &shares.list[i], err);
	shares_free(&shares);
	return status;
}

/* With more blocks than this, fewer and larger pieces are checked instead. */
#define PIECES_MAX 65536

int growth_check_headroom(struct transaction *t, const struct vmem *vmem, uint64_t bytes,
			  struct err *err)
{
	uint64_t movable_bytes = t->movable_added_bytes, kernel_bytes = t->kernel_added_bytes;
	uint64_t piece_bytes = t->view.before.block_size_bytes, count, i, kernels;
	_cleanup_free_ uint64_t *sizes = NULL;
	char reason[ZONE_REASON_MAX];

	if (!t->view.has_guest)
		return 0;
	while (bytes / piece_bytes >= PIECES_MAX)
		piece_bytes *= 2;
	count = bytes / piece_bytes + !!(bytes % piece_bytes);
	sizes = xcalloc(count + 1, sizeof(*sizes));
	for (i = 0; i < count; i++)
		sizes[i] = piece_bytes;
	kernels = zone_split_even(t, vmem->zone, piece_bytes, count, reason);
	t->movable_added_bytes = movable_bytes;
	t->kernel_added_bytes = kernel_bytes;
	return plug_check_blocks_headroom(t, sizes, (unsigned)count, (unsigned)kernels, err);
}
