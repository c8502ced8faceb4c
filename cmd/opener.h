/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * opener: the sessions of a VM, as a transaction opens them: it does not know which VM is meant,
 * nor how its monitor and its guest are found.
 */
#ifndef CMD_OPENER_H
#define CMD_OPENER_H

#include "hotplug/view.h"
#include "vm/vm.h"

/* opener_of() - for transaction_init(); @vm is borrowed, and closed by the caller when the
 * transaction has been freed */
struct view_opener opener_of(struct vm *vm);

#endif
