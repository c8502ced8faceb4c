/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * transaction: the transaction. A command is a list of steps, each with its undo; when one fails,
 * those begun are undone in reverse, in the share of time that the deadline keeps for it. Must
 * never: print.
 */
#ifndef HOTPLUG_TRANSACTION_H
#define HOTPLUG_TRANSACTION_H

#include <stdbool.h>
#include <stdint.h>

#include "hotplug/view.h"
#include "hotplug/watch.h"
#include "lib/err.h"
#include "lib/progress.h"

/* What became of the machine; the JSON "state" of a failure. */
enum outcome {
	OUTCOME_UNCHANGED, /* nothing was done */
	OUTCOME_DONE,
	OUTCOME_ROLLED_BACK, /* something was done, and undone */
	OUTCOME_PENDING,     /* undone as far as memhp can; the guest may still let go of a DIMM */
	OUTCOME_PARTIAL,     /* something could not be undone, or was to be kept */
};

struct transaction;

struct step {
	const char *phase; /* name in phases_ms and on the progress line */
	/* 0: done; 1: done, and the job's steps are to be run once more; -1: failed */
	int (*run)(struct transaction *t, void *job, struct err *err);
	/* undo what run did, wholly or in part; NULL: nothing to undo */
	int (*undo)(struct transaction *t, void *job, struct err *err);
	/* add to t->plan what run would do; NULL: nothing to show */
	void (*show)(struct transaction *t, void *job);
	/* in place of undo when QEMU has ended: remove what stays on the host; NULL: nothing */
	void (*leave)(struct transaction *t, void *job);
};

/* A line of --dry-run. */
struct plan_line {
	const char *where; /* "qmp", "guest", "event" */
	char *text;	   /* a QMP request, a command for a shell, an event to wait for; owned */
};

#define STEPS_MAX  12
#define PHASES_MAX 16

struct transaction {
	struct view view;
	struct deadline *deadline; /* borrowed */
	bool is_dry_run, is_forced;
	enum outcome outcome;
	struct {
		const struct step *step;
		void *job; /* borrowed */
	} steps[STEPS_MAX];
	unsigned steps_count, steps_begun;
	unsigned steps_committed; /* the first so many are not undone any more */
	struct plan_line *plan;
	unsigned plan_count;
	char **warnings; /* what is done all the same, but may end badly; owned */
	unsigned warnings_count;
	struct progress progress; /* of the phase that is going on; none at the ends */
	struct {
		const char *name;
		int64_t ms;
	} phases[PHASES_MAX];
	unsigned phases_count;
	int64_t phase_start_ms;
	struct guest_watch watch; /* from the first query to transaction_free() */
	/* what the jobs that were prepared will add */
	uint64_t movable_added_bytes, kernel_added_bytes;
	bool is_try; /* a change of blocks that hangs is not the end: others are to be tried */
	/* a block hung when time was up: what holds it is asked for when all is as it was */
	bool has_hanging;
	uint64_t hanging_block;
	bool is_pool_safe; /* the blocks hold none of the guest's huge pages */
};

/* What a command needs to know before it decides. */
enum { QUERY_QEMU = 1, QUERY_GUEST = 2, QUERY_CHANGE = 4 };

/* transaction_init() - begin; what is given is borrowed until transaction_free() */
void transaction_init(struct transaction *t, struct view_opener opener, struct deadline *deadline);
void transaction_free(struct transaction *t);

/*
 * transaction_query() - open the sessions, and ask QEMU and the guest for everything
 * @what:	QUERY_QEMU: QEMU is needed (else it is asked when a monitor was given)
 *		QUERY_GUEST: the guest is needed (else it is asked when a channel is found)
 *		QUERY_CHANGE: something is going to be changed: a paused or migrating VM and a guest
 *		shell that is not root are refused
 */
int transaction_query(struct transaction *t, unsigned what, struct err *err)
	__attribute__((warn_unused_result));

/* transaction_restart() - forget the steps and what became of them, to look and plan once more */
void transaction_restart(struct transaction *t);

/* transaction_add_steps() - what is to be done, after what was added before; @job is handed to them
 */
void transaction_add_steps(struct transaction *t, const struct step *steps, unsigned count,
			   void *job);

/* transaction_run() - run the steps; on failure undo them, set t->outcome and complete @err */
int transaction_run(struct transaction *t, struct err *err) __attribute__((warn_unused_result));

/* transaction_undo() - undo what has succeeded but could not be reported; completes @err; returns
 * -1 */
int transaction_undo(struct transaction *t, struct err *err);

/* transaction_commit() - what was done so far stays, whatever fails later */
void transaction_commit(struct transaction *t);

/* transaction_can_undo() - is anything done that transaction_undo() would undo? */
bool transaction_can_undo(const struct transaction *t);

/* transaction_phase() - what follows is @name; NULL ends the last phase */
void transaction_phase(struct transaction *t, const char *name);

/* transaction_elapsed_ms() - from the start of the command to that of the present phase, or the end
 * of the last: what all phases together must account for */
int64_t transaction_elapsed_ms(const struct transaction *t);

/*
 * transaction_guest_has_ended() - has the guest been reset, panicked or shut down since the first
 * look? The wait that it ended has failed with ERR_GUEST_UNREACHABLE. Nothing more is said to the
 * guest, and what an undo leaves in its hands it has for the time of a boot only.
 */
bool transaction_guest_has_ended(const struct transaction *t);

/*
 * transaction_notice_stop() - is it the event that says that the VM does not run any more? Waits on
 * the guest notice by themselves; a wait for other events hands them in, then
 * transaction_check_runs()
 */
bool transaction_notice_stop(struct transaction *t, const char *event);

/*
 * transaction_check_runs() - where a stop was noticed, ask QEMU why, and whether it is over
 * Return: 0; -1 with ERR_PARTIAL when the guest will not answer any more, or the monitor is gone
 */
int transaction_check_runs(struct transaction *t, struct err *err)
	__attribute__((warn_unused_result));

/* transaction_plan() - add a line to the plan; @text is taken over */
void transaction_plan(struct transaction *t, const char *where, char *text);
/* transaction_plan_guest() - add what a person would type in the guest in place of a request */
void transaction_plan_guest(struct transaction *t, const struct request *r);
/* transaction_plan_request() - add a QMP request, which is consumed */
void transaction_plan_request(struct transaction *t, struct json_object *request);

/* transaction_warn() - add a warning to the report; said once */
void transaction_warn(struct transaction *t, const char *text);

/*
 * transaction_take_reply() - wait for the reply to a request
 * @id:	of qmp_send(); 0: none is under way, and so it is once QEMU has answered
 * Return: 0 also where none was; -1 when QEMU refused, or has not said
 */
int transaction_take_reply(struct transaction *t, uint64_t *id, struct err *err)
	__attribute__((warn_unused_result));

/* transaction_request() - send one QMP request, which is consumed, and wait for its reply */
int transaction_request(struct transaction *t, struct json_object *request, struct err *err)
	__attribute__((warn_unused_result));

#endif
