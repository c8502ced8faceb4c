/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * channel: which of QEMU's character devices leads to the guest, according to QEMU. Must never:
 * open it, or trust that it belongs to that QEMU.
 */
#ifndef VM_CHANNEL_H
#define VM_CHANNEL_H

#include <stdbool.h>

#include "lib/address.h"
#include "lib/err.h"
#include "qmp.h"

/* Zero-initialise it. */
struct channel {
	struct address address; /* ADDRESS_SERIAL, ADDRESS_AGENT, or absent; owned */
	char *label;		/* of the character device; NULL for none */
	bool is_pty;		/* according to QEMU */
	bool in_use;		/* another program is connected to it */
};

/*
 * channel_find() - the guest's console, else its agent if that runs
 * @channel:	replaced; the caller frees it
 * Return: 0, without an address when there is none; -1
 */
int channel_find(struct channel *channel, struct qmp *qmp, struct err *err)
	__attribute__((warn_unused_result));

/* channel_has_client() - is a client connected to the character device with that label? */
int channel_has_client(struct qmp *qmp, const char *label, bool *has_client, struct err *err)
	__attribute__((warn_unused_result));

/*
 * channel_listens() - does one of QEMU's character devices listen, according to QEMU, at a path or
 * "@NAME" that @is_there accepts? False also when QEMU does not say.
 */
bool channel_listens(struct qmp *qmp, bool (*is_there)(const void *context, const char *path),
		     const void *context);

void channel_free(struct channel *channel);

#endif
