/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * memdev: one of QEMU's memory devices: a DIMM, a virtio-mem device, or a type that memhp only
 * lists.
 */
#ifndef QEMU_MEMDEV_H
#define QEMU_MEMDEV_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"
#include "lib/json.h"
#include "qmp.h"

/* QEMU has at most 256 slots (hw/acpi/acpi.c); virtio devices on PCI buses add some. */
#define MEMDEV_MAX 1024

enum {
	MEMDEV_HAS_SLOT = 1,
	MEMDEV_HAS_NODE = 2,
	MEMDEV_HAS_ADDRESS = 4,
	MEMDEV_HAS_HOTPLUGGED = 8
};

/* A memory device (query-memory-devices, qapi/machine.json). */
struct memdev {
	char *id;	  /* NULL if it has none */
	char *handle;	  /* what device_del takes: the id or the QOM path; NULL if not found */
	char *type;	  /* "dimm", "nvdimm", "virtio-mem", "virtio-pmem", ... */
	char *backend;	  /* id below /objects; NULL when unknown */
	unsigned has;	  /* MEMDEV_HAS_* */
	uint64_t address; /* guest-physical, bytes */
	uint64_t size_bytes;
	uint64_t
		max_size_bytes; /* address space it takes: virtio-mem's max-size, else size_bytes */
	uint64_t slot;
	uint64_t node;
	bool is_hotplugged;	  /* added after the VM's start; valid with MEMDEV_HAS_HOTPLUGGED */
	uint64_t requested_bytes; /* virtio-mem: its requested-size */
	uint64_t block_size_bytes; /* virtio-mem: its block-size, of which sizes are multiples; else
				      0 */
};

/*
 * memdev_read() - read one element of query-memory-devices: {"type": "dimm", "data": {...}}
 * @d:	must be zeroed; the caller calls memdev_free(), also on failure
 */
int memdev_read(struct memdev *d, struct json_object *element, struct err *err)
	__attribute__((warn_unused_result));

/* memdev_complete() - query what query-memory-devices leaves out: the QOM paths of devices without
 * an id, and which were hotplugged; what cannot be queried stays unknown */
void memdev_complete(struct memdev *devices, unsigned count, struct qmp *q);

/* memdev_copy() - a copy that outlives the device's list; memdev_free() it */
struct memdev memdev_copy(const struct memdev *d);
void memdev_free(struct memdev *d);

/* memdev_is_dimm(), memdev_is_virtio_mem() - the types that memhp changes; QEMU cannot unplug an
 * nvdimm */
bool memdev_is_dimm(const struct memdev *d);
bool memdev_is_virtio_mem(const struct memdev *d);

/* memdev_name() - id, else QOM path, else "(without id)"; owned by @d */
const char *memdev_name(const struct memdev *d);

/* memdev_is_same() - are both the same device? */
bool memdev_is_same(const struct memdev *a, const struct memdev *b);

/* memdev_is_on_node() - is it on that guest node? -1: any */
bool memdev_is_on_node(const struct memdev *d, int node);

#endif
