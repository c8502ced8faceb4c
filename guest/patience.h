/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * patience: how an answer of a guest is waited for: when it is asked for again, and how long a
 * first sign of life may take. Times in ms of CLOCK_MONOTONIC.
 */
#ifndef GUEST_PATIENCE_H
#define GUEST_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>

struct patience {
	int64_t asked_ms, limit_ms;
	bool is_urgent, is_noisy; /* is_noisy: what has come may have damaged the answer */
	unsigned agains;
};

/* patience_begin() - an answer is waited for from now on; an urgent one is asked for often */
void patience_begin(struct patience *p, bool is_urgent);

/* patience_due_ms() - when the answer is to be asked for again */
int64_t patience_due_ms(const struct patience *p);

/* patience_ask() - it has been asked for again, now */
void patience_ask(struct patience *p);

#endif
