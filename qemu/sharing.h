/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * sharing: do other processes use the VM's memory, and what does that require of new memory? A
 * vhost-user backend maps memory through descriptors that it is passed (QEMU's
 * docs/interop/vhost-user.rst); it cannot reach memory private to QEMU and never answers a request
 * in it. Changes nothing.
 */
#ifndef QEMU_SHARING_H
#define QEMU_SHARING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "qemu/backend.h"
#include "qemu/machine.h"
#include "qmp.h"

#define SHARING_QUERIES 5

/* QEMU's answers; zero-initialised: not known, and nothing required. */
struct sharing {
	uint64_t ids[SHARING_QUERIES]; /* of queries not answered yet */
	bool is_known;
	bool has_sharer; /* a device is served by another process */
	char *reason;	 /* "the VM has ...": why new memory must be shared; NULL: it need not */
	struct backend_options
		kind; /* the kind of shared backend to use; its path is memory_path */
	char *memory_path;
	struct json_object *memdevs; /* the reply to query-memdev; NULL: none */
};

/* sharing_send() - send the queries without waiting, in one batch with machine_query() */
int sharing_send(struct sharing *s, struct qmp *q, struct err *err)
	__attribute__((warn_unused_result));

/*
 * sharing_receive() - receive the replies; queries more only if memory must be shared
 * @m:	to tell which backends belong to devices
 */
int sharing_receive(struct sharing *s, const struct machine *m, struct qmp *q, struct err *err)
	__attribute__((warn_unused_result));

void sharing_free(struct sharing *s);

/*
 * sharing_apply() - make a backend shared if it must be
 * @b:	without a given type it gets the kind that the VM booted with; b->reason, borrowed from @s,
 *		says why
 * Return: 0; -1 with ERR_FAILED when the requested kind cannot be shared
 */
int sharing_apply(const struct sharing *s, const struct machine *m, struct backend_options *b,
		  struct err *err) __attribute__((warn_unused_result));

/* sharing_excludes() - is that backend out of reach for a device served by another process? */
bool sharing_excludes(const struct sharing *s, const char *backend_id);

#endif
