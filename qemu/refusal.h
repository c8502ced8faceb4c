/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * refusal: what to do when QEMU refuses a memory device or its backend, recognised by its message.
 * Never changes the message.
 */
#ifndef QEMU_REFUSAL_H
#define QEMU_REFUSAL_H

#include <stdbool.h>

#include "lib/err.h"

/* refusal_hint() - add a hint if QEMU's reason is a known one and @err has no hint yet */
void refusal_hint(struct err *err);

/* refusal_is_of_slots() - is the reason that KVM or a vhost backend has no memory slot left? */
bool refusal_is_of_slots(const struct err *err);

#endif
