/* SPDX-License-Identifier: GPL-3.0-or-later */
/* vmem-plug: the job of adding a virtio-mem device and growing it to its size. */
#ifndef HOTPLUG_VMEM_PLUG_H
#define HOTPLUG_VMEM_PLUG_H

#include "hotplug/check.h"
#include "hotplug/vmem.h"
#include "qemu/mem-path.h"

struct vmem_plug {
	struct plug_request request; /* without a slot */
	struct dimm_request device;  /* its names and place */
	char *bus;		     /* a PCIe root port; NULL: the machine's own bus; owned */
	struct vmem vmem;	     /* the device, once it exists */
	uint64_t ids[2];	     /* of object-add and device_add while unanswered; 0: none */
	bool is_object_there, is_device_there;
	struct mem_file file; /* of --mem-path */
};

/* hotplug_vmem_plug() - the whole command */
int hotplug_vmem_plug(struct transaction *t, struct vmem_plug *plug, struct err *err)
	__attribute__((warn_unused_result));

void vmem_plug_free(struct vmem_plug *plug);

#endif
