/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * sharing: whether other processes use the VM's memory, and what new memory must be like for them.
 * A vhost-user backend maps what it is handed a descriptor of (docs/interop/vhost-user.rst of
 * QEMU); memory that is private to QEMU it cannot reach, and a request in it is never answered.
 * Must never: change anything.
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

/* What QEMU says; zero-initialised nothing is known, and nothing is demanded. */
struct sharing {
	uint64_t ids[SHARING_QUERIES]; /* of what was asked and is not answered yet */
	bool is_known;
	bool has_sharer; /* a device that another process serves is there */
	char *reason;	 /* "the VM has ...": new memory has to be shared; NULL: it need not */
	struct backend_options kind; /* what it then is; its path is memory_path */
	char *memory_path;
	struct json_object *memdevs; /* the reply to query-memdev; NULL: none */
};

/* sharing_send() - ask QEMU, without a wait: the questions go with those of machine_query() */
int sharing_send(struct sharing *s, struct qmp *q, struct err *err)
	__attribute__((warn_unused_result));

/*
 * sharing_receive() - the answers; asks further only where memory has to be shared
 * @m:	tells which backends are those of devices
 */
int sharing_receive(struct sharing *s, const struct machine *m, struct qmp *q, struct err *err)
	__attribute__((warn_unused_result));

void sharing_free(struct sharing *s);

/*
 * sharing_apply() - let a backend be shared where it has to be
 * @b:	where its type is open, it becomes what the VM booted with; b->reason, borrowed from @s,
 *	says why
 * Return: 0; -1 with ERR_FAILED when it was asked to be what cannot be shared
 */
int sharing_apply(const struct sharing *s, const struct machine *m, struct backend_options *b,
		  struct err *err) __attribute__((warn_unused_result));

/* sharing_excludes() - is that a backend which a device served by another process cannot reach? */
bool sharing_excludes(const struct sharing *s, const char *backend_id);

#endif
