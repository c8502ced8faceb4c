/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How an answer of a guest is waited for. */
#include "guest/patience.h"
#include "lib/deadline.h"

/* With noise the answer is asked for again in such intervals, and so often: it may take long, and
 * what is not read fills the queue; later, and without noise, in longer ones. */
#define AGAIN_MS      250
#define AGAIN_MAX     8
#define HEARTBEAT_MS  2000
#define ANSWER_MAX_MS 20000 /* a first sign of life takes no longer, where there is a shell */

void patience_begin(struct patience *p, bool is_urgent)
{
	p->asked_ms = monotonic_ms();
	p->limit_ms = p->asked_ms + ANSWER_MAX_MS;
	p->is_urgent = p->is_noisy = is_urgent;
	p->agains = 0;
}

int64_t patience_due_ms(const struct patience *p)
{
	bool is_soon = p->is_noisy && p->agains < AGAIN_MAX;

	return p->asked_ms + (is_soon ? AGAIN_MS : HEARTBEAT_MS);
}

void patience_ask(struct patience *p)
{
	p->agains++;
	p->asked_ms = monotonic_ms();
	p->is_noisy = p->is_urgent;
}
