/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * pool: what taking blocks offline costs the guest besides their memory (huge pages,
 * vm.min_free_kbytes, cpusets), and restoring it. A job that takes blocks offline sets
 * t->view.is_taking before its first query.
 */
#ifndef HOTPLUG_POOL_H
#define HOTPLUG_POOL_H

#include "hotplug/transaction.h"

/*
 * hotplug_check_pool() - would the guest lose huge pages of its pools with the online blocks of
 * @list? Pages in use move into free ones where there are any.
 * Return: 0; -1 with ERR_GUEST_REFUSED; always 0 when forced, or when the guest cannot be asked
 */
int hotplug_check_pool(struct transaction *t, const struct block_list *list, struct err *err)
	__attribute__((warn_unused_result));

/*
 * hotplug_restore_floor() - with blocks offline and t->view.after read: restore a
 * vm.min_free_kbytes that an administrator had set and the kernel has raised. Failures are ignored.
 */
void hotplug_restore_floor(struct transaction *t);

/*
 * hotplug_restore_pools() - after hotplug_restore(): also restore what taking the blocks offline
 * had cost, and read it back.
 * Return: 0; -1 with ERR_PARTIAL, naming what is missing
 */
int hotplug_restore_pools(struct transaction *t, struct err *err)
	__attribute__((warn_unused_result));

/* A loss of huge pages of one size. */
struct loss {
	uint64_t page_bytes, pages, left;
};

/* hotplug_losses() - the huge pages that the guest has lost; the caller frees the array */
struct loss *hotplug_losses(const struct view *v, unsigned *count);

/* hotplug_append_losses() - append the losses to a message; returns -1 */
int hotplug_append_losses(const struct view *v, struct err *err);

#endif
