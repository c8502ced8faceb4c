/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What must be true before DIMMs are plugged. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "hotplug/ask.h"
#include "hotplug/check.h"
#include "hotplug/memmap.h"
#include "lib/size.h"
#include "lib/util.h"
#include "qemu/host-limits.h"

#define HEADROOM_BYTES (UINT64_C(16) << 20)

/* QEMU's rule for ids (id_wellformed() in util/id.c): a letter, then letters, digits, "-", "." and
 * "_". */
static int check_name(const char *name, struct err *err)
{
	const char *s;

	if (!name)
		return 0;
	for (s = name; *s; s++)
		if (!isascii((unsigned char)*s) ||
		    !(s == name ? isalpha((unsigned char)*s)
				: isalnum((unsigned char)*s) || strchr("-._", *s)))
			break;
	if (!*s && s != name && strlen(name) <= 64)
		return 0;
	err_set(err, ERR_USAGE, "bad name '%s'", name);
	return err_hint(err,
			"QEMU takes a letter, then letters, digits, '-', '.' and '_', up to 64");
}

int plug_check_request(struct plug_request *r, struct err *err)
{
	if (!r->is_online_wanted && r->zone != ZONE_AUTO)
		return err_set(err, ERR_USAGE, "--zone and --no-online exclude each other");
	if (r->size_bytes > SIZE_LIMIT_BYTES || (r->has_address && r->address > SIZE_LIMIT_BYTES))
		return err_set(err, ERR_FAILED, "no machine has that much memory");
	return check_name(r->name, err) || backend_check(&r->backend, err) ? -1 : 0;
}

static const struct memdev *device_in_slot(const struct machine *m, uint64_t slot)
{
	unsigned i;

	for (i = 0; i < m->devices_count; i++)
		if ((m->devices[i].has & MEMDEV_HAS_SLOT) && m->devices[i].slot == slot)
			return &m->devices[i];
	return NULL;
}

static int check_slot(const struct machine *m, uint64_t slot, struct err *err)
{
	const struct memdev *d = device_in_slot(m, slot);
	uint64_t unused = 0;

	if (slot < m->slots && !d)
		return 0;
	while (unused < m->slots && device_in_slot(m, unused))
		unused++;
	if (d)
		err_set(err, ERR_FAILED, "slot %llu holds '%s'", (unsigned long long)slot,
			memdev_name(d));
	else
		err_set(err, ERR_FAILED, "no slot %llu: the VM has slots 0 to %llu",
			(unsigned long long)slot, (unsigned long long)m->slots - 1);
	if (unused < m->slots)
		return err_hint(err, "leave out --slot, or take %llu, which is free",
				(unsigned long long)unused);
	return -1;
}

static int check_slots(const struct machine *m, const struct plug_request *r, unsigned count,
		       struct err *err)
{
	if (!m->has_slots)
		return 0;
	if (!m->slots) {
		err_set(err, ERR_FAILED, "the VM has no memory slots");
		return err_hint(err,
				"start QEMU with -m SIZE,slots=N,maxmem=SIZE on a machine type "
				"that can hotplug memory (q35, pc, virt, pseries)");
	}
	if (r->has_slot && check_slot(m, r->slot, err))
		return -1;
	if (machine_slots_used(m) + count <= m->slots)
		return 0;
	if (machine_slots_used(m) >= m->slots)
		err_set(err, ERR_FAILED, "no free slot (%u of %llu used)", machine_slots_used(m),
			(unsigned long long)m->slots);
	else
		err_set(err, ERR_FAILED, "%u DIMMs, but only %llu free slots", count,
			(unsigned long long)m->slots - machine_slots_used(m));
	return err_hint(err, "unplug something, take larger DIMMs, or start QEMU with more "
			     "-m ...,slots=N");
}

static int check_limit(const struct machine *m, const struct plug_request *r, struct err *err)
{
	uint64_t used = m->base_memory_bytes + machine_devices_max_bytes(m);
	char left[SIZE_TEXT_MAX], max[SIZE_TEXT_MAX];

	if (!m->has_limits ||
	    (used <= m->max_memory_bytes && r->size_bytes <= m->max_memory_bytes - used))
		return 0;
	err_set(err, ERR_FAILED, "only %s left below maxmem (%s)",
		size_exact(left, used < m->max_memory_bytes ? m->max_memory_bytes - used : 0),
		size_exact(max, m->max_memory_bytes));
	return err_hint(err, "start QEMU with a larger -m ...,maxmem=SIZE");
}

/* QEMU accepts what the guest cannot use: a size that is no multiple of a block ... */
static int check_size(uint64_t size_bytes, uint64_t block_bytes, struct err *err)
{
	uint64_t down_bytes = size_bytes - size_bytes % block_bytes;
	char block[SIZE_TEXT_MAX], below[SIZE_TEXT_MAX], above[SIZE_TEXT_MAX];

	if (down_bytes == size_bytes)
		return 0;
	err_set(err, ERR_FAILED, "not a multiple of the guest's memory block size, %s",
		size_format(block, block_bytes));
	if (!down_bytes)
		return err_hint(err, "the smallest size is %s", block);
	return err_hint(err, "take %s or %s", size_exact(below, down_bytes),
			size_exact(above, down_bytes + block_bytes));
}

static int check_sizes(const struct view *v, const uint64_t *sizes, unsigned count, struct err *err)
{
	uint64_t block_bytes = place_block_bytes(v);
	unsigned i;

	for (i = 0; block_bytes && i < count; i++)
		if (check_size(sizes[i], block_bytes, err))
			return -1;
	return 0;
}

/* ... or an address inside a block. */
static int find_places(const struct view *v, const struct plug_request *r, const uint64_t *sizes,
		       unsigned count, struct device_place *places, struct err *err)
{
	if (!r->has_address)
		return place_choose(v, &r->backend, sizes, count, places, err);
	places[0] =
		(struct device_place){ .is_known = true, .is_told = true, .address = r->address };
	return place_check(v, r->address, sizes[0], err);
}

/* Several DIMMs cannot share one file as their memory. */
static int check_file(const struct view *v, const struct plug_request *r, unsigned count,
		      struct err *err)
{
	pid_t pid = qmp_peer_pid(v->qmp);
	struct mem_path path;

	if (count < 2 || !r->backend.mem_path || !pid ||
	    (mem_path_read(&path, pid, r->backend.mem_path) && path.is_directory))
		return 0;
	err_set(err, ERR_FAILED, "several DIMMs cannot share the file '%s'", r->backend.mem_path);
	return err_hint(err, "name a directory with --mem-path: each DIMM gets its own file there");
}

static void warn(void *context, const char *text)
{
	transaction_warn(context, text);
}

/* Memory that is taken at once must be available; for other memory a shortage is a warning. */
static int check_host(struct transaction *t, const struct plug_request *r, const uint64_t *sizes,
		      unsigned count, struct err *err)
{
	struct demand demand = { .pid = qmp_peer_pid(t->view.qmp),
				 .backend = &r->backend,
				 .size_bytes = r->size_bytes,
				 .boot_bytes = t->view.machine.base_memory_bytes,
				 .guest_bytes = t->view.machine.base_memory_bytes +
						t->view.machine.plugged_memory_bytes +
						r->growing_bytes };
	unsigned i;

	for (i = 0; i < count; i++)
		if (sizes[i] > demand.device_bytes)
			demand.device_bytes = sizes[i];
	if (!demand_complete(&demand))
		return 0;
	if (r->backend.mem_path &&
	    mem_path_check(demand.pid, r->backend.mem_path, demand.device_bytes, err))
		return -1;
	if (t->is_forced)
		return 0;
	if (host_limits_check(&demand, err) ||
	    (demand_is_now(&demand) && host_limits_check_taken(&demand, err)))
		return -1;
	host_limits_warn(&demand, warn, t);
	return 0;
}

/*
 * Linux on x86 uses larger blocks if its boot memory ends at 64 GiB or above: the largest size up
 * to 2 GiB that divides that end (probe_memory_block_size()). QEMU places devices from the next GiB
 * after it. 0: not known, or no larger blocks.
 */
static uint64_t likely_block_bytes(const struct view *v)
{
	const uint64_t gib = UINT64_C(1) << 30;
	uint64_t rest = v->machine.base_memory_bytes % gib, bytes = 2 * gib;
	uint64_t end = v->machine.base_address - (rest ? gib - rest : 0);

	if (v->has_guest || !place_block_bytes(v) || !v->machine.has_base_address || end < 64 * gib)
		return 0;
	while (bytes > place_block_bytes(v) && end % bytes)
		bytes /= 2;
	return bytes;
}

static void warn_blocks(struct transaction *t, const uint64_t *sizes, unsigned count,
			const struct device_place *places)
{
	uint64_t block_bytes = likely_block_bytes(&t->view);
	_cleanup_free_ char *text = NULL;
	char block[SIZE_TEXT_MAX];
	bool is_odd = false;
	unsigned i;

	for (i = 0; block_bytes && i < count; i++)
		is_odd |= sizes[i] % block_bytes ||
			  (places[i].is_known && places[i].address % block_bytes);
	if (!is_odd)
		return;
	text = xasprintf("a Linux guest of that much memory may have blocks of %s, and use nothing "
			 "of what does not begin and end at one: without a channel (--guest) "
			 "that is not known",
			 size_format(block, block_bytes));
	transaction_warn(t, text);
}

int plug_check_device(struct transaction *t, const struct plug_request *r,
		      struct device_place *place, struct err *err)
{
	if (check_limit(&t->view.machine, r, err) ||
	    check_sizes(&t->view, &r->size_bytes, 1, err) ||
	    find_places(&t->view, r, &r->size_bytes, 1, place, err) ||
	    check_host(t, r, &r->size_bytes, 1, err))
		return -1;
	warn_blocks(t, &r->size_bytes, 1, place);
	return 0;
}

int plug_check(struct transaction *t, const struct plug_request *r, const uint64_t *sizes,
	       unsigned count, struct device_place *places, struct err *err)
{
	if (check_slots(&t->view.machine, r, count, err) || check_limit(&t->view.machine, r, err) ||
	    check_sizes(&t->view, sizes, count, err) ||
	    find_places(&t->view, r, sizes, count, places, err) ||
	    check_host(t, r, sizes, count, err) || check_file(&t->view, r, count, err))
		return -1;
	warn_blocks(t, sizes, count, places);
	return 0;
}

/* What the kernel can use for itself: not what is free in Movable. */
static uint64_t kernel_bytes(const struct guest_memory *g, uint64_t movable_bytes)
{
	return g->available_bytes > movable_bytes ? g->available_bytes - movable_bytes : 0;
}

/* May the check for the memory map's room be skipped? */
static bool is_headroom_free(const struct transaction *t)
{
	return !t->view.has_guest || t->is_forced || !(t->view.before.has & GUEST_HAS_AVAILABLE);
}

/* What is to be plugged, one by one. */
struct pieces {
	const uint64_t *sizes; /* bytes; borrowed */
	unsigned count;
	bool is_virtio_mem; /* blocks added by the driver: their map is never inside them */
};

/* What the kernel needs for a piece from its present memory. */
static uint64_t map_bytes(const struct view *v, const struct pieces *p, unsigned i)
{
	bool is_inside =
		!p->is_virtio_mem && memmap_lies_inside(view_now(v), v->machine.arch, p->sizes[i]);

	return is_inside ? 0 : p->sizes[i] / MAP_SHARE;
}

static uint64_t all_map_bytes(const struct view *v, const struct pieces *p)
{
	uint64_t bytes = 0;
	unsigned i;

	for (i = 0; i < p->count; i++)
		bytes += map_bytes(v, p, i);
	return bytes;
}

/*
 * What the kernel has for the memory map of all DIMMs. The first estimate needs no query: it
 * assumes that all of zone Movable is free and that the page size is the one that needs most. Only
 * if that is too little is the guest asked.
 */
static int kernel_available(struct transaction *t, const struct pieces *p, uint64_t *bytes,
			    struct err *err)
{
	const struct guest_memory *g = view_now(&t->view);
	uint64_t movable_bytes = sysfs_sum(g->is_partial ? &t->view.before : g, -1).movable_bytes;
	_cleanup_request_ struct request r = { 0 };

	*bytes = kernel_bytes(g, movable_bytes);
	if (*bytes >= HEADROOM_BYTES + all_map_bytes(&t->view, p) ||
	    (!movable_bytes && !memmap_wants_page_size(g, t->view.machine.arch)))
		return 0;
	request_add(&r, VERB_SCAN);
	request_add(&r, VERB_FREE_PAGES);
	if (hotplug_ask(t, &r, WORK_READ, err))
		return -1;
	g = &t->view.after;
	movable_bytes = g->has & GUEST_HAS_MOVABLE_FREE ? g->movable_free_bytes : 0;
	*bytes = kernel_bytes(g, movable_bytes);
	return 0;
}

int plug_count_fitting(struct transaction *t, const uint64_t *sizes, unsigned count,
		       struct err *err)
{
	struct pieces p = { sizes, count, false };
	uint64_t need_bytes, have_bytes;

	if (is_headroom_free(t))
		return (int)count;
	if (kernel_available(t, &p, &have_bytes, err))
		return -1;
	need_bytes = all_map_bytes(&t->view, &p);
	for (; count && need_bytes && need_bytes + HEADROOM_BYTES > have_bytes; count--)
		need_bytes -= map_bytes(&t->view, &p, count - 1);
	return (int)count;
}

static int no_headroom(const struct view *v, const struct pieces *p, uint64_t have_bytes,
		       struct err *err)
{
	uint64_t block_bytes = v->before.block_size_bytes;
	uint64_t fit_bytes =
		have_bytes > HEADROOM_BYTES ? (have_bytes - HEADROOM_BYTES) * MAP_SHARE : 0;
	char need[SIZE_TEXT_MAX], have[SIZE_TEXT_MAX], fit[SIZE_TEXT_MAX];

	err_set(err, ERR_GUEST_REFUSED,
		"the guest needs %s for its memory map and its kernel has %s available",
		size_format(need, all_map_bytes(v, p)), size_format(have, have_bytes));
	size_exact(fit, fit_bytes - fit_bytes % block_bytes);
	if (!p->is_virtio_mem && memmap_lies_inside(view_now(v), v->machine.arch, block_bytes))
		return err_hint(err,
				"at most %s fits; DIMMs of one block hold their map themselves, as "
				"memmap_on_memory is on: --dimm %lluM; --force tries anyway",
				fit, (unsigned long long)(block_bytes >> 20));
	if (p->count > 1)
		return err_hint(err,
				"at most %s fits in zone movable; --zone auto gives the kernel "
				"its share; --force tries anyway",
				fit);
	return err_hint(err,
			"at most %s fits in one DIMM: split it with --dimm; --force tries "
			"anyway",
			fit);
}

/* Do the pieces fit one by one, the first @kernels of them making room for the others? */
static int check_pieces(struct transaction *t, struct pieces *p, unsigned kernels, struct err *err)
{
	uint64_t have_bytes, left_bytes;
	unsigned i;

	if (is_headroom_free(t))
		return 0;
	if (kernel_available(t, p, &have_bytes, err))
		return -1;
	left_bytes = have_bytes;
	for (i = 0; i < p->count; i++) {
		uint64_t need_bytes = map_bytes(&t->view, p, i);

		if (need_bytes && left_bytes < need_bytes + HEADROOM_BYTES) {
			p->count = i ? p->count : 1;
			return no_headroom(&t->view, p, have_bytes, err);
		}
		left_bytes -= need_bytes;
		if (i < kernels)
			left_bytes += p->sizes[i] - (need_bytes ? 0 : p->sizes[i] / MAP_SHARE);
	}
	return 0;
}

int plug_check_headroom(struct transaction *t, const uint64_t *sizes, unsigned count,
			unsigned kernels, struct err *err)
{
	struct pieces p = { sizes, count, false };

	return check_pieces(t, &p, kernels, err);
}

int plug_check_blocks_headroom(struct transaction *t, const uint64_t *sizes, unsigned count,
			       unsigned kernels, struct err *err)
{
	struct pieces p = { sizes, count, true };

	return check_pieces(t, &p, kernels, err);
}
