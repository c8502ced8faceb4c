/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * opener: lets a transaction open the sessions of a VM, without knowing which VM is meant or how
 * its monitor and its guest are found.
 */
#ifndef CMD_OPENER_H
#define CMD_OPENER_H

#include "hotplug/view.h"
#include "vm/vm.h"

/* opener_of() - an opener for transaction_init(); @vm is borrowed, and closed by the caller after
 * the transaction has been freed */
struct view_opener opener_of(struct vm *vm);

#endif
