/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What to do when QEMU refuses a memory device or its backend. */
#include <string.h>

#include "lib/util.h"
#include "qemu/refusal.h"

#define SLOTS_WORDS "free memory slots left"
#define FREE_PLACE  "leave out --addr: QEMU then takes a free place; memhp list shows what is where"
#define FREE_SLOT   "leave out --slot: QEMU then takes a free one; memhp list shows which are used"
#define MULTIPLE    "take a size that is a multiple of that"

/* QEMU's messages since version 5.2, from hw/mem/memory-device.c, hw/mem/pc-dimm.c, hw/i386/pc.c,
 * hw/arm/virt.c, hw/ppc/spapr.c, hw/virtio/virtio-mem.c and backends/hostmem*.c. */
static const struct {
	const char *message, *hint;
} refusals[] = {
	/* "a used vhost backend has no ...", "hypervisor has not enough ..." */
	{ SLOTS_WORDS, "KVM and vhost count pieces of memory, not bytes: unplug small DIMMs (memhp "
		       "list), and plug larger ones" },
	{ "not enough space, currently", "start QEMU with a larger -m ...,maxmem=SIZE" },
	{ "could not find position in guest address space",
	  "unplug something (memhp list), or start QEMU with a larger -m ...,maxmem=SIZE" },
	{ "device too big", "start QEMU with a larger -m ...,maxmem=SIZE" },
	{ "address range conflicts with memory device", FREE_PLACE },
	{ "can't add memory device [", FREE_PLACE },
	{ "address must be aligned to", FREE_PLACE },
	{ "memory size must be multiple of", MULTIPLE },
	{ "memory size must be a multiple of", MULTIPLE },
	{ "size has to be multiples of", MULTIPLE },
	{ "memory hotplug) are not supported by the machine",
	  "start QEMU with a machine type that can hotplug memory (q35, pc, virt, pseries)" },
	{ "please specify the maxmem option", "start QEMU with -m SIZE,slots=N,maxmem=SIZE" },
	{ "memory hotplug is not enabled",
	  "start QEMU with ACPI (-machine acpi=on), on arm64 also without mte=on" },
	{ "nvdimm is not enabled", "start QEMU with -machine nvdimm=on" },
	{ "no free slots available",
	  "unplug something, take larger DIMMs, or start QEMU with more -m ...,slots=N" },
	{ "invalid slot", FREE_SLOT },
	{ " is busy", FREE_SLOT },
	{ "the number of numa nodes", "leave out --node, or see memhp status for the nodes" },
	{ "does not support hotplugging",
	  "start QEMU with -device pcie-root-port,id=port1,chassis=1" },
	{ "cannot bind memory to host NUMA nodes",
	  "the host's nodes are in /sys/devices/system/node/online" },
	{ "backing store",
	  "--mem-path has to be where QEMU's user may make a file; --backend memfd "
	  "needs none" },
	{ "preallocating memory failed",
	  "the host has not all of it, or the file system behind --mem-path: take a smaller size" },
	{ "nsufficient free host memory pages", "take a smaller size, or leave out --prealloc" },
	{ "Cannot allocate memory", "take a smaller size, or --reserve off" },
};

bool refusal_is_of_slots(const struct err *err)
{
	return err->code == ERR_QEMU_REFUSED && strstr(err->message, SLOTS_WORDS);
}

void refusal_hint(struct err *err)
{
	size_t i;

	for (i = 0; err->code == ERR_QEMU_REFUSED && !err->hint[0] && i < ARRAY_SIZE(refusals); i++)
		if (strstr(err->message, refusals[i].message))
			err_hint(err, "%s", refusals[i].hint);
}
