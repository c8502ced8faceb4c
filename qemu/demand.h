/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * demand: the memory that a QEMU on this machine is to have, and what of the host it takes. Must
 * never: change anything.
 */
#ifndef QEMU_DEMAND_H
#define QEMU_DEMAND_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "qemu/backend.h"
#include "qemu/mem-path.h"

struct demand {
	pid_t pid;
	const struct backend_options *backend; /* as backend_check() leaves it; borrowed */
	uint64_t size_bytes;		       /* of all devices that are added */
	uint64_t device_bytes;		       /* of the largest of them */
	bool is_growth;			       /* of devices that are there already */
	uint64_t boot_bytes;		       /* the guest's memory at boot */
	uint64_t guest_bytes;		       /* all that it has so far */
	/* the rest is found out by demand_complete() */
	bool is_locking;	/* QEMU locks all of its memory (mem-lock, vfio) ... */
	bool is_pinning;	/* ... for a device of the host, huge pages too */
	uint64_t locked_bytes;	/* so much of it */
	bool is_prealloc;	/* the backend takes all at once */
	uint64_t unused_bytes;	/* of guest_bytes, what QEMU has not taken from the host yet */
	uint64_t besides_bytes; /* of that, what is to count now */
	bool has_path;		/* path is valid */
	struct mem_path path;
	bool is_huge;	      /* in huge pages ... */
	uint64_t page_bytes;  /* ... of this size; 0: the host's default, which is not known */
	bool is_file;	      /* QEMU makes a file as large as a device, with or without a name */
	bool is_private;      /* only QEMU maps it, and writes into pages of its own */
	uint64_t taken_bytes; /* of ordinary memory, when all is used */
	uint64_t huge_bytes;  /* of huge pages, likewise */
	uint64_t file_bytes;  /* of the file system behind --mem-path, likewise */
};

/* bytes_less() - the difference; 0 for less than nothing */
static inline uint64_t bytes_less(uint64_t bytes, uint64_t part)
{
	return bytes > part ? bytes - part : 0;
}

/* demand_is_of() - can that process be a QEMU with so much memory? The one that listens may be
 * another one: a relay, or what has handed the socket to QEMU. */
bool demand_is_of(pid_t pid, uint64_t boot_bytes);

/* demand_complete() - false when it is not known that the process is this QEMU */
bool demand_complete(struct demand *d);

/* demand_is_now() - is the memory taken when it is added, not when it is used? */
bool demand_is_now(const struct demand *d);

#endif
