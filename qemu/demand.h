/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * demand: the memory to be added to a QEMU on this machine, and what it takes from the host.
 * Changes nothing.
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
	uint64_t size_bytes;		       /* of all devices to be added */
	uint64_t device_bytes;		       /* of the largest of them */
	bool is_growth;			       /* existing devices grow */
	uint64_t boot_bytes;		       /* the guest's memory at boot */
	uint64_t guest_bytes;		       /* all of the guest's memory so far */
	/* the rest is filled in by demand_complete() */
	bool is_locking;	/* QEMU locks all of its memory (mem-lock, vfio) ... */
	bool is_pinning;	/* ... for a host device, huge pages included */
	uint64_t locked_bytes;	/* locked so far */
	bool is_prealloc;	/* the backend preallocates */
	uint64_t unused_bytes;	/* of guest_bytes, what QEMU has not taken from the host yet */
	uint64_t besides_bytes; /* the part of unused_bytes that counts now */
	bool has_path;		/* path is valid */
	struct mem_path path;
	bool is_huge;	      /* in huge pages */
	uint64_t page_bytes;  /* size of a huge page; 0: the host's default, not known */
	bool is_file;	      /* QEMU creates a file as large as a device, named or not */
	bool is_private;      /* a private mapping: QEMU writes to copies of the pages */
	uint64_t taken_bytes; /* ordinary memory taken when all is used */
	uint64_t huge_bytes;  /* huge pages, likewise */
	uint64_t file_bytes;  /* file system space behind --mem-path, likewise */
};

/* bytes_less() - the difference, at least 0 */
static inline uint64_t bytes_less(uint64_t bytes, uint64_t part)
{
	return bytes > part ? bytes - part : 0;
}

/* demand_is_of() - can that process be a QEMU with this much memory? The listening process may be
 * another: a relay, or the one that passed the socket to QEMU. */
bool demand_is_of(pid_t pid, uint64_t boot_bytes);

/* demand_complete() - false if the process is not known to be this QEMU */
bool demand_complete(struct demand *d);

/* demand_is_now() - is the memory taken when it is added, not on first use? */
bool demand_is_now(const struct demand *d);

#endif
