/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * pool: what going offline would take from the guest, or has taken, and giving it back. A
 * job whose blocks go offline sets t->view.is_taking before it looks.
 */
#ifndef HOTPLUG_POOL_H
#define HOTPLUG_POOL_H

#include "hotplug/transaction.h"

/*
 * hotplug_check_pool() - would the guest lose huge pages of its pools with the online blocks of
 * @list? Those in use move, into free ones where there are any.
 * Return: 0; -1 with ERR_GUEST_REFUSED; always 0 when forced, or when the guest cannot be asked
 */
int hotplug_check_pool(struct transaction *t, const struct block_list *list, struct err *err)
	__attribute__((warn_unused_result));

/*
 * hotplug_restore_floor() - blocks are offline, and t->view.after has been read: put a
 * vm.min_free_kbytes back that somebody has set and the kernel has raised. What cannot be put back
 * is left.
 */
void hotplug_restore_floor(struct transaction *t);

/*
 * hotplug_give_back() - after hotplug_restore(): what went offline is back, and so is to be what
 * that took. Reads it back.
 * Return: 0; -1 with ERR_PARTIAL, and what is missing
 */
int hotplug_give_back(struct transaction *t, struct err *err) __attribute__((warn_unused_result));

/* What has become less: huge pages of one size. */
struct taken {
	uint64_t page_bytes, pages, left;
};

/* hotplug_taken() - what the guest lacks now of what it had; the caller frees the array */
struct taken *hotplug_taken(const struct view *v, unsigned *count);

/* hotplug_tell_taken() - append it to a message; returns -1 */
int hotplug_tell_taken(const struct view *v, struct err *err);

#endif
