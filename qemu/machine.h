/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * machine: QEMU's memory vocabulary: DIMMs, backends, slots, maxmem, ACPI's answers. Must never:
 * talk to the guest, decide anything.
 */
#ifndef QEMU_MACHINE_H
#define QEMU_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"
#include "lib/json.h"
#include "lib/util.h"
#include "qemu/memdev.h"
#include "qemu/property.h"
#include "qmp.h"

/* What QEMU says about itself; has_* where an old QEMU may not know. */
struct machine {
	char *version;	 /* "7.2.19"; NULL when unknown */
	char *type;	 /* "pc-q35-7.2"; NULL when unknown */
	char *arch;	 /* "x86_64"; NULL when unknown */
	char *status;	 /* RunState, "running" */
	char *migration; /* MigrationStatus while one is under way, else NULL */
	bool is_running;
	bool has_acpi_ost; /* DIMM events come as ACPI_DEVICE_OST */
	bool has_limits, has_slots, has_base_address;
	uint64_t base_memory_bytes; /* at boot */
	uint64_t plugged_memory_bytes;
	uint64_t max_memory_bytes; /* -m maxmem=, base included; valid with has_limits */
	uint64_t slots;		   /* valid with has_slots; 0 where maxmem is not told */
	uint64_t base_address;	   /* where memory devices begin; valid with has_base_address */
	struct memdev *devices;	   /* by address */
	unsigned devices_count;
	char **objects; /* ids below /objects */
	unsigned objects_count;
	const char **backends; /* those of them that are memory backends; borrowed from objects */
	unsigned backends_count;
	bool has_vhost_object; /* one of the objects hands the VM's memory to another process */
};

/* The DIMM that a plug asks for. */
struct dimm_request {
	char *backend_id;
	char *device_id;
	uint64_t size_bytes;
	bool has_slot, has_node, has_address;
	uint64_t slot, node, address;
};

/* machine_query() - ask QEMU everything, in one batch; the caller frees @m */
int machine_query(struct machine *m, struct qmp *q, struct err *err)
	__attribute__((warn_unused_result));

/* machine_query_state() - refresh only status and is_running */
int machine_query_state(struct machine *m, struct qmp *q, struct err *err)
	__attribute__((warn_unused_result));

/* machine_is_over() - is the VM stopped in a state that `cont` cannot leave? */
bool machine_is_over(const struct machine *m);

/* machine_describe_state() - why the guest of a VM that does not run cannot answer, as
 * "the VM has migrated away (postmigrate)"; "" for one that runs */
void machine_describe_state(const struct machine *m, struct buf *out);

/* machine_check_runs() - 0; -1 with ERR_FAILED, why the VM does not run and what can be done */
int machine_check_runs(const struct machine *m, struct err *err)
	__attribute__((warn_unused_result));

/* machine_query_devices() - refresh only the devices */
int machine_query_devices(struct machine *m, struct qmp *q, struct err *err)
	__attribute__((warn_unused_result));

/*
 * machine_query_total() - QEMU's base plus what is plugged, now
 * @node:	only of this guest node, as "info numa" of the human monitor has it; -1: all
 */
int machine_query_total(struct qmp *q, int node, uint64_t *bytes, struct err *err)
	__attribute__((warn_unused_result));

#define MACHINE_NODES_MAX 128 /* MAX_NODES of QEMU's include/sysemu/numa.h */

/* A NUMA node of the VM, as QEMU counts them: its number is that of device_add's "node". */
struct machine_node {
	bool is_there, has_cpus;
	unsigned first_cpu;		     /* valid with has_cpus */
	uint64_t total_bytes, plugged_bytes; /* the total includes what was plugged */
};

struct machine_nodes {
	struct machine_node list[MACHINE_NODES_MAX];
	unsigned count;	   /* one more than the last; 0: the VM has none */
	bool has_all_cpus; /* none can be plugged that the guest has seen in its tables */
};

/* machine_query_nodes() - the NUMA nodes, as "info numa" of the human monitor has them, and the
 * machine's "smp" (SMPConfiguration, qapi/machine.json) */
int machine_query_nodes(struct machine_nodes *nodes, struct qmp *q, struct err *err)
	__attribute__((warn_unused_result));

/* machine_check_node() - has the VM the node @node, of those that were asked for? 0, also where it
 * told of none; -1 with ERR_FAILED, and which there are */
int machine_check_node(const struct machine_nodes *nodes, uint64_t node, struct err *err)
	__attribute__((warn_unused_result));

/* What to start a QEMU with that is to have a device from the start; zero-initialise it. */
struct machine_args {
	char *object;	/* "memory-backend-ram,id=..." */
	char *device;	/* "pc-dimm,id=..." */
	char *mem_path; /* the file or directory that the object would open; NULL: none */
};

/* What QEMU makes by itself, kept from one device to the next; zero-initialise it. */
struct machine_usual {
	struct json_object *memdevs; /* what query-memdev tells of all backends together */
	struct properties machine;   /* of what backends follow */
	struct properties defaults;  /* of the type of device that came last */
	const char *type;
};

/*
 * machine_args() - all of a device and its backend that is not as QEMU makes it by itself, as the
 * target of a migration must have it
 * Return: 0; -1 with ERR_FAILED and the name of what cannot be carried: a type, a property
 */
int machine_args(const struct memdev *d, struct qmp *q, struct machine_usual *usual,
		 struct machine_args *args, struct err *err) __attribute__((warn_unused_result));

void machine_args_free(struct machine_args *args);
void machine_usual_free(struct machine_usual *usual);

/* machine_read_devices() - refresh the devices from a reply to query-memory-devices, borrowed */
int machine_read_devices(struct machine *m, struct json_object *reply, struct err *err)
	__attribute__((warn_unused_result));

void machine_free(struct machine *m);
void dimm_request_free(struct dimm_request *r);

/* machine_device() - the device with that id or QOM path, or NULL; owned by @m */
const struct memdev *machine_device(const struct machine *m, const char *id);

/* machine_has_object() - is that id taken below /objects? */
bool machine_has_object(const struct machine *m, const char *id);

/*
 * machine_query_map() - the guest's physical memory as text ("info mtree -f" of the human monitor)
 * @map:	receives it; the caller frees it
 */
int machine_query_map(struct qmp *q, char **map, struct err *err)
	__attribute__((warn_unused_result));

/* machine_map_has() - is memory of that name, which is the backend's id, mapped? */
bool machine_map_has(const char *map, const char *backend_id);

/* machine_slots_used() - DIMMs that hold a slot */
unsigned machine_slots_used(const struct machine *m);

/* machine_devices_max_bytes() - address space of all memory devices: virtio-mem takes its maximum
 */
uint64_t machine_devices_max_bytes(const struct machine *m);

/* What the names of backends and devices begin with unless --name says otherwise. */
#define MACHINE_DEFAULT_NAME "memhp"

/*
 * machine_next_number() - the number after the highest in use behind @base: the highest is then
 * always the one plugged last, which is what "unplug" without a name takes
 */
uint64_t machine_next_number(const struct machine *m, const char *base);

/*
 * machine_name() - "NAME-mem" and "NAME-KIND"
 * @backend_id, @device_id: receive strings that the caller frees, also on failure
 * Return: 0; -1 with ERR_FAILED when one of them is taken
 */
int machine_name(const struct machine *m, const char *name, const char *kind, char **backend_id,
		 char **device_id, struct err *err) __attribute__((warn_unused_result));

/*
 * machine_find_port() - a bus that takes a PCI device while the VM runs
 * @bus:	receives the id of a free PCIe root port, which the caller frees; NULL where the
 *		machine's own bus does it
 */
int machine_find_port(const struct machine *m, struct qmp *q, char **bus, struct err *err)
	__attribute__((warn_unused_result));

/*
 * machine_place() - where new memory devices go: each in the first gap that is large enough, behind
 * and between those there are. With the alignment of its backend that is QEMU's own rule
 * (memory_device_get_free_addr() in hw/mem/memory-device.c); where the space ends is not asked
 * @sizes:	bytes of each, at most: virtio-mem takes its maximum
 * @align_bytes: what each address is to be a multiple of; at least 1
 * @addresses:	receives @count addresses
 * Return: false when it is not known what is taken
 */
bool machine_place(const struct machine *m, const uint64_t *sizes, unsigned count,
		   uint64_t align_bytes, uint64_t *addresses);

/* machine_largest_gap() - bytes of the largest gap before @end that begins and ends at multiples of
 * @align_bytes; 0 when that is not known */
uint64_t machine_largest_gap(const struct machine *m, uint64_t end, uint64_t align_bytes);

/* machine_device_in() - a device that lies in that part of the address space, wholly or in part, or
 * NULL; owned by @m */
const struct memdev *machine_device_in(const struct machine *m, uint64_t address, uint64_t bytes);

/* machine_query_end() - where the address space for memory devices ends; false when QEMU does not
 * say */
bool machine_query_end(const struct machine *m, struct qmp *q, uint64_t *end);

/* machine_request_*() - the QMP requests of a transaction; the caller puts or sends them */
struct json_object *machine_request_device_add(const struct dimm_request *r);
/* a virtio-mem device, empty; @bus may be NULL; slot is not used */
struct json_object *machine_request_vmem_add(const struct dimm_request *r, const char *bus);
struct json_object *machine_request_device_del(const char *handle);
/* ask a virtio-mem device for another size */
struct json_object *machine_request_size(const char *handle, uint64_t size_bytes);
struct json_object *machine_request_object_del(const char *backend_id);

#endif
