/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * refusal: what to do when QEMU refuses a memory device or its backend, by the words it has for
 * it. Must never: change the message.
 */
#ifndef QEMU_REFUSAL_H
#define QEMU_REFUSAL_H

#include <stdbool.h>

#include "lib/err.h"

/* refusal_hint() - where QEMU's reason is a known one, and has no hint yet, say what can be done */
void refusal_hint(struct err *err);

/* refusal_is_of_slots() - is it that KVM or a vhost backend can take no more pieces of memory? */
bool refusal_is_of_slots(const struct err *err);

#endif
