/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How memhp waits for a guest's answer. */
#include "guest/patience.h"
#include "lib/deadline.h"

/* After noise the answer is asked for again at this interval, but only so often: the answer may
 * take long, and requests that are not read fill the queue. After that, and without noise, the
 * interval is longer. */
#define AGAIN_MS      250
#define AGAIN_MAX     8
#define HEARTBEAT_MS  2000
#define ANSWER_MAX_MS 20000 /* a shell gives a first sign of life by then */

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
