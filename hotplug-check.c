/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What must hold before a DIMM is plugged: names, slots, limits, blocks, headroom. Nothing is
 * changed here. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "hotplug.h"
#include "size.h"
#include "util.h"

#define BACKEND_SUFFIX	"-mem"
#define DEVICE_SUFFIX	"-dimm"
#define DEFAULT_NAME	"memhp"
#define X86_BLOCK_BYTES (UINT64_C(128) << 20) /* no x86 guest has smaller blocks */
#define HEADROOM_BYTES	(UINT64_C(16) << 20)

/* QEMU's rule for ids (id_wellformed() in util/id.c): a letter, then letters, digits, "-", "." and
 * "_". */
int plug_check_name(const struct plug *plug, struct err *err)
{
	const char *name = plug->name, *s;

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

static bool is_free(const struct machine *m, const char *name)
{
	_cleanup_free_ char *backend = xasprintf("%s" BACKEND_SUFFIX, name);
	_cleanup_free_ char *device = xasprintf("%s" DEVICE_SUFFIX, name);

	return !machine_has_object(m, backend) && !machine_device(m, device);
}

/*
 * The number after the highest in use: the highest is then always the one plugged last, which is
 * what "unplug" without a name takes.
 */
static char *next_name(const struct machine *m)
{
	uint64_t number = 0, used;
	unsigned i;

	for (i = 0; i < m->devices_count + m->objects_count; i++) {
		const char *id =
			i < m->devices_count ? m->devices[i].id : m->objects[i - m->devices_count];
		_cleanup_free_ char *digits = NULL;

		if (!id || strncmp(id, DEFAULT_NAME, strlen(DEFAULT_NAME)) != 0)
			continue;
		id += strlen(DEFAULT_NAME);
		digits = xstrndup(id, strspn(id, "0123456789"));
		if (parse_u64(digits, 10, &used) && used >= number && used < UINT32_MAX)
			number = used + 1;
	}
	return xasprintf(DEFAULT_NAME "%llu", (unsigned long long)number);
}

static int choose_ids(const struct hotplug *h, struct plug *plug, struct err *err)
{
	_cleanup_free_ char *name = plug->name ? xstrdup(plug->name) : next_name(&h->machine);

	if (!is_free(&h->machine, name)) {
		err_set(err, ERR_FAILED, "the name '%s' is in use", name);
		return err_hint(err, "see memhp list; without --name the next free one is taken");
	}
	plug->dimm = (struct dimm_request){
		.backend_id = xasprintf("%s" BACKEND_SUFFIX, name),
		.device_id = xasprintf("%s" DEVICE_SUFFIX, name),
		.size_bytes = plug->size_bytes,
		.has_slot = plug->has_slot,
		.has_node = plug->has_node,
		.has_address = plug->has_address,
		.slot = plug->slot,
		.node = plug->node,
		.address = plug->address,
	};
	return 0;
}

static int check_slot(const struct machine *m, const struct plug *plug, struct err *err)
{
	unsigned i;

	if (!m->has_limits)
		return 0;
	if (!m->slots) {
		err_set(err, ERR_FAILED, "the VM has no memory slots");
		return err_hint(err,
				"start QEMU with -m SIZE,slots=N,maxmem=SIZE on a machine type "
				"that can hotplug memory (q35, pc, virt, pseries)");
	}
	if (plug->has_slot && plug->slot >= m->slots)
		return err_set(err, ERR_FAILED, "no slot %llu: the VM has slots 0 to %llu",
			       (unsigned long long)plug->slot, (unsigned long long)m->slots - 1);
	for (i = 0; plug->has_slot && i < m->devices_count; i++)
		if ((m->devices[i].has & MEMDEV_HAS_SLOT) && m->devices[i].slot == plug->slot)
			return err_set(err, ERR_FAILED, "slot %llu holds '%s'",
				       (unsigned long long)plug->slot, memdev_name(&m->devices[i]));
	if (machine_slots_used(m) >= m->slots) {
		err_set(err, ERR_FAILED, "no free slot (%u of %llu used)", machine_slots_used(m),
			(unsigned long long)m->slots);
		return err_hint(err, "unplug something, or start QEMU with more -m ...,slots=N");
	}
	return 0;
}

static int check_limit(const struct machine *m, const struct plug *plug, struct err *err)
{
	uint64_t used = m->base_memory_bytes + m->plugged_memory_bytes;
	char left[SIZE_TEXT_MAX], max[SIZE_TEXT_MAX];

	if (!m->has_limits ||
	    (used <= m->max_memory_bytes && plug->size_bytes <= m->max_memory_bytes - used))
		return 0;
	err_set(err, ERR_FAILED, "only %s left below maxmem (%s)",
		size_format(left, used < m->max_memory_bytes ? m->max_memory_bytes - used : 0),
		size_format(max, m->max_memory_bytes));
	return err_hint(err, "start QEMU with a larger -m ...,maxmem=SIZE");
}

/* QEMU takes what the guest cannot use: a part of a block, or an address inside one. */
static int check_blocks(const struct hotplug *h, const struct plug *plug, struct err *err)
{
	bool is_x86 = h->machine.arch && !strcmp(h->machine.arch, "x86_64");
	uint64_t block_bytes = h->has_guest ? h->before.block_size_bytes
			       : is_x86	    ? X86_BLOCK_BYTES
					    : 0;
	char block[SIZE_TEXT_MAX], below[SIZE_TEXT_MAX], above[SIZE_TEXT_MAX];

	if (!block_bytes)
		return 0;
	if (plug->size_bytes % block_bytes) {
		uint64_t down_bytes = plug->size_bytes - plug->size_bytes % block_bytes;

		err_set(err, ERR_FAILED, "not a multiple of the guest's memory block size, %s",
			size_format(block, block_bytes));
		if (!down_bytes)
			return err_hint(err, "the smallest size is %s", block);
		return err_hint(err, "take %s or %s", size_format(below, down_bytes),
				size_format(above, down_bytes + block_bytes));
	}
	if (plug->has_address && plug->address % block_bytes)
		return err_set(
			err, ERR_FAILED,
			"the address 0x%llx is not a multiple of the guest's memory block size, %s",
			(unsigned long long)plug->address, size_format(block, block_bytes));
	return 0;
}

/* The kernel takes 64 bytes per 4 KiB page from the memory it has, before it can use the new. */
static int check_headroom(const struct hotplug *h, const struct plug *plug, struct err *err)
{
	const struct guest_memory *g = &h->before;
	uint64_t need_bytes = plug->size_bytes / 64, fit_bytes;
	char need[SIZE_TEXT_MAX], have[SIZE_TEXT_MAX], fit[SIZE_TEXT_MAX];

	if (!h->has_guest || h->is_forced || g->memmap_on_memory ||
	    !(g->has & GUEST_HAS_AVAILABLE) || g->available_bytes >= need_bytes + HEADROOM_BYTES)
		return 0;
	fit_bytes = g->available_bytes > HEADROOM_BYTES ? (g->available_bytes - HEADROOM_BYTES) * 64
							: 0;
	fit_bytes -= fit_bytes % g->block_size_bytes;
	err_set(err, ERR_GUEST_REFUSED,
		"the guest needs %s for its memory map and has %s available",
		size_format(need, need_bytes), size_format(have, g->available_bytes));
	return err_hint(err, "at most %s fits now; --force tries anyway",
			size_format(fit, fit_bytes));
}

int plug_check(const struct hotplug *h, struct plug *plug, struct err *err)
{
	return choose_ids(h, plug, err) || check_slot(&h->machine, plug, err) ||
			       check_limit(&h->machine, plug, err) || check_blocks(h, plug, err) ||
			       check_headroom(h, plug, err)
		       ? -1
		       : 0;
}
