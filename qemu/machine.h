/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * machine: what QEMU reports about memory: devices, backends, slots, maxmem. Never talks to the
 * guest and decides nothing.
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

/* What QEMU reports about itself; has_* for what an old QEMU may lack. */
struct machine {
	char *version;	 /* "7.2.19"; NULL when unknown */
	char *type;	 /* "pc-q35-7.2"; NULL when unknown */
	char *arch;	 /* "x86_64"; NULL when unknown */
	char *status;	 /* RunState, "running" */
	char *migration; /* MigrationStatus during a migration, else NULL */
	bool is_running;
	bool has_acpi_ost; /* DIMM events come as ACPI_DEVICE_OST */
	bool has_limits, has_slots, has_base_address;
	uint64_t base_memory_bytes; /* at boot */
	uint64_t plugged_memory_bytes;
	uint64_t max_memory_bytes; /* -m maxmem=, base included; valid with has_limits */
	uint64_t slots;		   /* valid with has_slots; 0 if QEMU reports no maxmem */
	uint64_t base_address; /* start of the space for memory devices; valid with has_base_address
				*/
	struct memdev *devices; /* by address */
	unsigned devices_count;
	char **objects; /* ids below /objects */
	unsigned objects_count;
	const char **backends; /* the memory backends among them; borrowed from objects */
	unsigned backends_count;
	bool has_vhost_object; /* an object passes the VM's memory to another process */
};

/* A DIMM to be added. */
struct dimm_request {
	char *backend_id;
	char *device_id;
	uint64_t size_bytes;
	bool has_slot, has_node, has_address;
	uint64_t slot, node, address;
};

/* machine_query() - query everything, in one batch; the caller frees @m */
int machine_query(struct machine *m, struct qmp *q, struct err *err)
	__attribute__((warn_unused_result));

/* machine_query_state() - refresh only status, is_running */
int machine_query_state(struct machine *m, struct qmp *q, struct err *err)
	__attribute__((warn_unused_result));

/* machine_is_over() - is the VM stopped in a state that `cont` cannot leave? */
bool machine_is_over(const struct machine *m);

/* machine_describe_state() - append why the guest of a stopped VM cannot answer, such as "the VM
 * has migrated away (postmigrate)"; nothing if it runs */
void machine_describe_state(const struct machine *m, struct buf *out);

/* machine_check_runs() - 0; -1 with ERR_FAILED, why the VM does not run, and what to do */
int machine_check_runs(const struct machine *m, struct err *err)
	__attribute__((warn_unused_result));

/* machine_query_devices() - refresh only the devices */
int machine_query_devices(struct machine *m, struct qmp *q, struct err *err)
	__attribute__((warn_unused_result));

/*
 * machine_query_total() - query the present total: QEMU's base plus what is plugged
 * @node:	only of this guest node, from the human monitor's "info numa"; -1: all
 */
int machine_query_total(struct qmp *q, int node, uint64_t *bytes, struct err *err)
	__attribute__((warn_unused_result));

#define MACHINE_NODES_MAX 128 /* MAX_NODES of QEMU's include/sysemu/numa.h */

/* A NUMA node of the VM, numbered as by QEMU and device_add's "node". */
struct machine_node {
	bool is_there, has_cpus;
	unsigned first_cpu;		     /* valid with has_cpus */
	uint64_t total_bytes, plugged_bytes; /* the total includes what was plugged */
};

struct machine_nodes {
	struct machine_node list[MACHINE_NODES_MAX];
	unsigned count;	   /* the last node's number plus 1; 0: the VM has none */
	bool has_all_cpus; /* no further CPU of the guest's tables can be plugged */
};

/* machine_query_nodes() - query the NUMA nodes from the human monitor's "info numa" and the
 * machine's "smp" (SMPConfiguration, qapi/machine.json) */
int machine_query_nodes(struct machine_nodes *nodes, struct qmp *q, struct err *err)
	__attribute__((warn_unused_result));

/* machine_check_node() - does the VM have the node @node? 0, also if it reports no nodes; -1 with
 * ERR_FAILED and the nodes there are */
int machine_check_node(const struct machine_nodes *nodes, uint64_t node, struct err *err)
	__attribute__((warn_unused_result));

/* The arguments that give QEMU a device from its start; zero-initialise it. */
struct machine_args {
	char *object;	/* "memory-backend-ram,id=..." */
	char *device;	/* "pc-dimm,id=..." */
	char *mem_path; /* the file or directory that the object opens; NULL: none */
};

/* QEMU's defaults, cached from one device to the next; zero-initialise it. */
struct machine_defaults {
	struct json_object *memdevs; /* the reply to query-memdev about all backends */
	struct properties machine;   /* properties that affect backends */
	struct properties defaults;  /* of the last device's type */
	const char *type;
};

/*
 * machine_args() - every property of a device and its backend that differs from QEMU's default, as
 * a migration target needs it
 * Return: 0; -1 with ERR_FAILED and the type or property that cannot be expressed
 */
int machine_args(const struct memdev *d, struct qmp *q, struct machine_defaults *defaults,
		 struct machine_args *args, struct err *err) __attribute__((warn_unused_result));

void machine_args_free(struct machine_args *args);
void machine_defaults_free(struct machine_defaults *defaults);

/* machine_read_devices() - refresh the devices from a reply to query-memory-devices, borrowed */
int machine_read_devices(struct machine *m, struct json_object *reply, struct err *err)
	__attribute__((warn_unused_result));

void machine_free(struct machine *m);
void dimm_request_free(struct dimm_request *r);

/* machine_device() - the device with that id or QOM path, or NULL; owned by @m */
const struct memdev *machine_device(const struct machine *m, const char *id);

/* machine_has_object() - does that id exist below /objects? */
bool machine_has_object(const struct machine *m, const char *id);

/*
 * machine_query_map() - query the guest's physical memory map as text (the human monitor's "info
 * mtree -f")
 * @map:	receives it; the caller frees it
 */
int machine_query_map(struct qmp *q, char **map, struct err *err)
	__attribute__((warn_unused_result));

/* machine_map_has() - does the map contain the memory of that backend? */
bool machine_map_has(const char *map, const char *backend_id);

/* machine_slots_used() - the number of DIMMs in a slot */
unsigned machine_slots_used(const struct machine *m);

/* machine_devices_max_bytes() - address space taken by all memory devices: virtio-mem counts with
 * its maximum */
uint64_t machine_devices_max_bytes(const struct machine *m);

/* The prefix of backend and device names without --name. */
#define MACHINE_DEFAULT_NAME "memhp"

/*
 * machine_next_number() - the next number after the highest in use with @base: the highest is then
 * always the one plugged last, which "unplug" without a name removes
 */
uint64_t machine_next_number(const struct machine *m, const char *base);

/*
 * machine_name() - "NAME-mem" and "NAME-KIND"
 * @backend_id, @device_id: receive strings that the caller frees, also on failure
 * Return: 0; -1 with ERR_FAILED if one of them exists
 */
int machine_name(const struct machine *m, const char *name, const char *kind, char **backend_id,
		 char **device_id, struct err *err) __attribute__((warn_unused_result));

/*
 * machine_find_port() - find a bus that accepts a hotplugged PCI device
 * @bus:	receives the id of a free PCIe root port, which the caller frees; NULL if the
 *		machine's own bus does
 */
int machine_find_port(const struct machine *m, struct qmp *q, char **bus, struct err *err)
	__attribute__((warn_unused_result));

/*
 * machine_place() - choose addresses for new memory devices: each in the first gap between or after
 * the others that is large enough. With the backend's alignment this is QEMU's own rule
 * (memory_device_get_free_addr() in hw/mem/memory-device.c). The end of the address space is not
 * checked.
 * @sizes:	maximum bytes of each
 * @align_bytes: alignment of each address; at least 1
 * @addresses:	receives @count addresses
 * Return: false if the occupied ranges are not known
 */
bool machine_place(const struct machine *m, const uint64_t *sizes, unsigned count,
		   uint64_t align_bytes, uint64_t *addresses);

/* machine_largest_gap() - bytes of the largest gap before @end between multiples of @align_bytes; 0
 * if not known */
uint64_t machine_largest_gap(const struct machine *m, uint64_t end, uint64_t align_bytes);

/* machine_device_in() - a device that overlaps that address range, or NULL; owned by @m */
const struct memdev *machine_device_in(const struct machine *m, uint64_t address, uint64_t bytes);

/* machine_query_end() - query the end of the address space for memory devices; false if QEMU does
 * not tell */
bool machine_query_end(const struct machine *m, struct qmp *q, uint64_t *end);

/* machine_request_*() - the QMP requests of a transaction; the caller frees or sends them */
struct json_object *machine_request_device_add(const struct dimm_request *r);
/* an empty virtio-mem device; @bus may be NULL; the slot is ignored */
struct json_object *machine_request_vmem_add(const struct dimm_request *r, const char *bus);
struct json_object *machine_request_device_del(const char *handle);
/* request another size of a virtio-mem device */
struct json_object *machine_request_size(const char *handle, uint64_t size_bytes);
struct json_object *machine_request_object_del(const char *backend_id);

#endif
