/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One round trip to the guest within a step. */
#include "hotplug/ask.h"
#include "hotplug/memory.h"
#include "hotplug/refusal.h"

#define FOREVER_SECONDS 86400 /* for guest.sh when there is no deadline */

unsigned hotplug_seconds_left(const struct transaction *t)
{
	int64_t left_ms = deadline_left_ms(t->deadline);

	return left_ms / 1000 >= FOREVER_SECONDS ? FOREVER_SECONDS : (unsigned)(left_ms / 1000) + 1;
}

int hotplug_cancel(struct transaction *t, struct answer *answer, struct err *err)
{
	int64_t final_ms = t->deadline->final_ms;
	int status;

	deadline_undo(t->deadline);
	t->deadline->final_ms = deadline_within(t->deadline, deadline_left_ms(t->deadline) / 2);
	status = guest_cancel(t->view.guest, answer, err);
	t->deadline->final_ms = final_ms;
	return status;
}

/*
 * Stop the write that hangs. The rest of the answer shows how far it got. VERB_OFFLINE_FAST gives
 * no such answer because stopping it ends the session: another session reads the blocks.
 */
static void stop(struct transaction *t, const struct request *r, struct answer *answer)
{
	_cleanup_request_ struct request scan = { 0 };
	struct err ignored;
	int status;

	guest_memory_free(&t->view.after);
	status = hotplug_cancel(t, answer, &ignored);
	if (status && guest_is_lost(t->view.guest) && request_has(r, VERB_OFFLINE_FAST)) {
		request_add(&scan, VERB_SCAN);
		r = &scan;
		status = guest_run(t->view.guest, r, answer, &ignored);
	}
	if (!status && memory_read(&t->view.after, r, answer, &ignored))
		guest_memory_free(&t->view.after);
}

/* The zone as the progress line names it. */
static const char *zone_text(enum zone zone)
{
	return zone == ZONE_MOVABLE ? "Movable" : zone == ZONE_KERNEL ? "kernel" : NULL;
}

/* Show what the request changes as progress, unless the job counts bytes itself. */
static void expect(struct transaction *t, const struct request *r)
{
	struct progress *p = &t->progress;
	uint64_t blocks = request_blocks(r);

	if (p->total_bytes && !p->unit)
		return;
	progress_begin(p, p->phase);
	if (blocks)
		progress_expect(p, "blocks", blocks, blocks * t->view.before.block_size_bytes,
				zone_text(request_zone(r)));
}

/* Receives the guest's progress while a request runs. */
struct hearing {
	struct transaction *t;
	const struct request *request;
};

static void hear(void *context, uint64_t block)
{
	const struct hearing *hearing = context;
	struct transaction *t = hearing->t;
	uint64_t done = request_position(hearing->request, block);

	if (done && t->progress.unit)
		progress_reach(&t->progress, done, done * t->view.before.block_size_bytes,
			       monotonic_ms());
}

/* Run the request and follow its progress. */
static int run(struct transaction *t, const struct request *r, struct answer *answer,
	       struct err *err)
{
	struct hearing hearing = { t, r };
	int status;

	expect(t, r);
	guest_listen(t->view.guest, hear, &hearing);
	status = guest_run(t->view.guest, r, answer, err);
	guest_listen(t->view.guest, NULL, NULL);
	return status;
}

int hotplug_ask(struct transaction *t, const struct request *r, enum work work, struct err *err)
{
	struct answer answer = { 0 };
	int status;

	if (transaction_guest_has_ended(t))
		return watch_report(&t->watch, err);
	status = run(t, r, &answer, err);
	if (!status)
		status = memory_read(&t->view.after, r, &answer, err);
	else if (err->code == ERR_TIMEOUT || err->code == ERR_INTERRUPTED)
		stop(t, r, &answer);
	if (!status)
		status = refusal_report(t, &answer, work, err);
	answer_free(&answer);
	if (status < 0)
		refusal_explain(t, r, work, err);
	return status;
}

int hotplug_scan(struct transaction *t, struct err *err)
{
	_cleanup_request_ struct request r = { 0 };

	request_add(&r, VERB_SCAN);
	if (t->view.is_taking)
		request_add(&r, VERB_POOLS);
	return hotplug_ask(t, &r, WORK_READ, err);
}
