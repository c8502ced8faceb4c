/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * patience: how memhp waits for a guest's answer: when to ask for it again, and how long a first
 * sign of life may take. Times are in ms of CLOCK_MONOTONIC.
 */
#ifndef GUEST_PATIENCE_H
#define GUEST_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>

struct patience {
	int64_t asked_ms, limit_ms;
	bool is_urgent, is_noisy; /* is_noisy: other output may have damaged the answer */
	unsigned agains;
};

/* patience_begin() - the wait for an answer begins; an urgent one is asked for often */
void patience_begin(struct patience *p, bool is_urgent);

/* patience_due_ms() - when to ask for the answer again */
int64_t patience_due_ms(const struct patience *p);

/* patience_ask() - note that it has been asked for again now */
void patience_ask(struct patience *p);

#endif
