/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * memdev: a memory device of QEMU's: a DIMM, a virtio-mem device, or one of a kind that memhp only
 * lists.
 */
#ifndef QEMU_MEMDEV_H
#define QEMU_MEMDEV_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"
#include "lib/json.h"
#include "qmp.h"

/* QEMU has at most 256 slots (hw/acpi/acpi.c), and PCI buses for some virtio devices more. */
#define MEMDEV_MAX 1024

enum {
	MEMDEV_HAS_SLOT = 1,
	MEMDEV_HAS_NODE = 2,
	MEMDEV_HAS_ADDRESS = 4,
	MEMDEV_HAS_HOTPLUGGED = 8
};

/* A memory device (query-memory-devices, qapi/machine.json). */
struct memdev {
	char *id;	  /* NULL when it was made without */
	char *handle;	  /* what device_del takes: the id or the QOM path; NULL when not found */
	char *type;	  /* "dimm", "nvdimm", "virtio-mem", "virtio-pmem", ... */
	char *backend;	  /* id below /objects; NULL when unknown */
	unsigned has;	  /* MEMDEV_HAS_* */
	uint64_t address; /* guest-physical, bytes */
	uint64_t size_bytes;
	uint64_t max_size_bytes; /* of the address space: virtio-mem takes its maximum */
	uint64_t slot;
	uint64_t node;
	bool is_hotplugged; /* came after the start of the VM; valid with MEMDEV_HAS_HOTPLUGGED */
	uint64_t requested_bytes;  /* virtio-mem: what the guest has been asked for ... */
	uint64_t block_size_bytes; /* ... in multiples of this; 0 for other devices */
};

/*
 * memdev_read() - one element of query-memory-devices: {"type": "dimm", "data": {...}}
 * @d:	zeroed; to be freed by memdev_free(), also on failure
 */
int memdev_read(struct memdev *d, struct json_object *element, struct err *err)
	__attribute__((warn_unused_result));

/* memdev_complete() - ask for what the list of devices leaves open: the QOM path of those without
 * an id, and which were hotplugged; what cannot be asked stays unknown */
void memdev_complete(struct memdev *devices, unsigned count, struct qmp *q);

/* memdev_copy() - a device that outlives the list it comes from; memdev_free() it */
struct memdev memdev_copy(const struct memdev *d);
void memdev_free(struct memdev *d);

/* memdev_is_dimm(), memdev_is_virtio_mem() - the types that memhp changes; QEMU lets go of no
 * nvdimm */
bool memdev_is_dimm(const struct memdev *d);
bool memdev_is_virtio_mem(const struct memdev *d);

/* memdev_name() - id, else QOM path, else "(without id)"; owned by @d */
const char *memdev_name(const struct memdev *d);

/* memdev_is_same() - do both stand for one device? */
bool memdev_is_same(const struct memdev *a, const struct memdev *b);

/* memdev_is_on_node() - does it belong to that guest node? -1: any */
bool memdev_is_on_node(const struct memdev *d, int node);

#endif
