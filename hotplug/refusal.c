/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Explain why the guest has not done what it was asked to do. */
#include <string.h>

#include "hotplug/blocker.h"
#include "hotplug/refusal.h"

#define LAST_WORDS_MS 200 /* for QEMU's last events when it or the guest ends */

/* "the guest cannot VERB 'memory32' TO" */
static const struct {
	const char *verb, *to;
} phrases[] = {
	[WORK_READ] = { "read", "again" },     [WORK_FREEZE] = { "hold", "" },
	[WORK_ONLINE] = { "bring", "online" }, [WORK_OFFLINE] = { "take", "offline" },
	[WORK_RESTORE] = { "put", "back" },
};

/* The first block of a range, in its order, that has not reached the requested state. */
static bool find_unchanged(const struct block_list *blocks, const struct range *range,
			   bool is_online, uint64_t *block)
{
	bool is_up = range->from <= range->to;

	for (*block = range->from;;) {
		const struct blocks *run = block_list_find(blocks, *block);

		if (!run || !(is_online ? blocks_are_online(run) : blocks_are_offline(run)))
			return true;
		if (is_up ? run->last >= range->to : run->first <= range->to)
			return false;
		*block = is_up ? run->last + 1 : run->first - 1;
	}
}

/* The block that was being changed when the request was stopped: the changes go in order. */
static bool find_hanging(const struct view *v, const struct request *r, uint64_t *block)
{
	unsigned i, j;

	for (i = 0; i < r->count; i++) {
		const struct command *c = &r->list[i];

		for (j = 0; verb_changes(c->verb) && j < c->ranges_count; j++)
			if (find_unchanged(&v->after.blocks, &c->ranges[j], verb_is_online(c->verb),
					   block))
				return true;
	}
	return false;
}

/* Was the block online in a kernel zone? Its memory may then be unmovable. */
static bool is_kernels(const struct view *v, uint64_t block)
{
	const struct blocks *b = block_list_find(&v->before.blocks, block);

	return b && blocks_are_online(b) && b->zones[0] && blocks_zone(b) != ZONE_MOVABLE;
}

static int refused(const struct view *v, const struct answer *answer, enum work work,
		   struct err *err)
{
	const char *why = answer->why;

	err_set(err, ERR_GUEST_REFUSED, "the guest cannot %s 'memory%llu' %s: %.200s",
		phrases[work].verb, (unsigned long long)answer->block, phrases[work].to,
		*why ? why : "no reason given");
	if (strstr(why, "busy") && is_kernels(v, answer->block))
		err_hint(err, "it lies in the kernel's own zone, where some memory cannot be "
			      "moved; memory "
			      "plugged with --zone movable can be taken back");
	else if (strstr(why, "busy") && v->before.is_agent_only)
		err_hint(err,
			 "the guest's kernel chose its zone: with memory_hotplug.online_policy="
			 "auto-movable on its command line new memory can be movable");
	return -1;
}

/* The guest's kernel has killed the writer before the deadline. */
static int ended(enum work work, struct err *err)
{
	err_set(err, ERR_GUEST_REFUSED,
		"the guest ended the shell that was to %s its memory %s "
		"(has it run out of memory?)",
		phrases[work].verb, phrases[work].to);
	return err_hint(err, "free memory in the guest first");
}

int refusal_report(const struct transaction *t, const struct answer *answer, enum work work,
		   struct err *err)
{
	switch (answer->result) {
	case RESULT_FAILED:
		return refused(&t->view, answer, work, err);
	case RESULT_GONE:
		return err_set(err, ERR_GUEST_REFUSED,
			       "the guest has not added the memory: its kernel has dealt with the "
			       "DIMM and shows no 'memory%llu'",
			       (unsigned long long)answer->block);
	case RESULT_STOPPED:
		return deadline_left_ms(t->deadline) ? ended(work, err)
						     : deadline_passed(t->deadline, err);
	case RESULT_ABSENT:
		return 1;
	case RESULT_DONE:
		break;
	}
	return 0;
}

static bool is_nothing(const char *name, struct json_object *data, void *context)
{
	(void)name, (void)data, (void)context;
	return false;
}

/* The shell in the guest has ended during its work, as *err says. QEMU may know why; or QEMU itself
 * has ended, which ends the wait. */
static void explain_loss(struct view *v, enum work work, struct err *err)
{
	_cleanup_json_ struct json_object *event = NULL;
	int64_t until_ms = monotonic_ms() + LAST_WORDS_MS;
	struct err gone = { 0 };

	if (v->qmp && qmp_wait_event(v->qmp, is_nothing, NULL, until_ms, &event, &gone) < 0) {
		*err = gone;
		return;
	}
	err->code = ERR_GUEST_REFUSED;
	err_wrap(err, "the %s that was to %s the guest's memory %s has gone",
		 v->before.is_agent_only ? "agent" : "shell", phrases[work].verb, phrases[work].to);
	err_hint(err, "the guest's dmesg may tell why; it may have run out of memory");
}

/* Name the block that was being changed at the deadline and, if it was to go offline, its
 * blocker. */
static void explain_block(struct transaction *t, const struct request *r, enum work work,
			  struct err *err)
{
	bool is_ended = err->code == ERR_TIMEOUT || err->code == ERR_INTERRUPTED;
	uint64_t block;

	if ((!is_ended && err->code != ERR_GUEST_REFUSED) || !t->view.after.blocks.count ||
	    !find_hanging(&t->view, r, &block))
		return;
	if (t->is_try && err->code == ERR_TIMEOUT)
		err_set(err, ERR_TIMEOUT, "its share of the time passed");
	/* a block that does not even exist is reported as that */
	if (is_ended && block_list_find(&t->view.after.blocks, block))
		err_wrap(err, "the guest has not managed to %s 'memory%llu' %s", phrases[work].verb,
			 (unsigned long long)block, phrases[work].to);
	if (work != WORK_OFFLINE || err->code == ERR_INTERRUPTED)
		return;
	/* ask for the blocker after the undo: a slow answer would use up the undo's time */
	t->has_hanging = err->code == ERR_TIMEOUT;
	t->hanging_block = block;
	if (!t->has_hanging)
		hotplug_explain_blocker(t, block, err);
}

void refusal_explain(struct transaction *t, const struct request *r, enum work work,
		     struct err *err)
{
	if (guest_has_panicked(t->view.guest)) {
		watch_note_panic(&t->watch);
		watch_report(&t->watch, err);
	}
	if (guest_is_lost(t->view.guest) && err->code != ERR_INTERRUPTED &&
	    !transaction_guest_has_ended(t))
		explain_loss(&t->view, work, err);
	explain_block(t, r, work, err);
}
