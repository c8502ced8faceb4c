/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * transaction: a command is a list of steps, each with its undo. If one fails, the steps begun are
 * undone in reverse order, in the time that the deadline reserves for that. Never prints.
 */
#ifndef HOTPLUG_TRANSACTION_H
#define HOTPLUG_TRANSACTION_H

#include <stdbool.h>
#include <stdint.h>

#include "hotplug/view.h"
#include "hotplug/watch.h"
#include "lib/err.h"
#include "lib/progress.h"

/* The final state of the machine; the JSON "state" of a failure. */
enum outcome {
	OUTCOME_UNCHANGED, /* nothing was done */
	OUTCOME_DONE,
	OUTCOME_ROLLED_BACK, /* something was done, and undone */
	OUTCOME_PENDING,     /* undone as far as possible; the guest may still release a DIMM */
	OUTCOME_PARTIAL,     /* something could not be undone, or was kept on purpose */
};

struct transaction;

struct step {
	const char *phase; /* name in phases_ms and on the progress line */
	/* 0: done; 1: done, but run the job's steps once more; -1: failed */
	int (*run)(struct transaction *t, void *job, struct err *err);
	/* undo what run did, completely or in part; NULL: nothing to undo */
	int (*undo)(struct transaction *t, void *job, struct err *err);
	/* add to t->plan what run would do; NULL: nothing to show */
	void (*show)(struct transaction *t, void *job);
	/* instead of undo when QEMU has ended: remove what is left on the host; NULL: nothing */
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
	unsigned steps_committed; /* this many, from the first, are no longer undone */
	struct plan_line *plan;
	unsigned plan_count;
	char **warnings; /* about what is done anyway but may end badly; owned */
	unsigned warnings_count;
	struct progress progress; /* of the current phase */
	struct {
		const char *name;
		int64_t ms;
	} phases[PHASES_MAX];
	unsigned phases_count;
	int64_t phase_start_ms;
	struct guest_watch watch; /* from the first query to transaction_free() */
	/* what the prepared jobs will add */
	uint64_t movable_added_bytes, kernel_added_bytes;
	bool is_try; /* if a change of blocks hangs, others will still be tried */
	/* a block hung at the deadline: ask for its blocker after the undo */
	bool has_hanging;
	uint64_t hanging_block;
	bool is_pool_safe; /* the blocks contain none of the guest's huge pages */
};

/* What a command has to query before it decides. */
enum { QUERY_QEMU = 1, QUERY_GUEST = 2, QUERY_CHANGE = 4 };

/* transaction_init() - begin; the arguments are borrowed until transaction_free() */
void transaction_init(struct transaction *t, struct view_opener opener, struct deadline *deadline);
void transaction_free(struct transaction *t);

/*
 * transaction_query() - open the sessions and query QEMU and the guest
 * @what:	QUERY_QEMU: QEMU is required (else queried if a monitor was given). QUERY_GUEST: the
 *		guest is required (else queried if a channel is found). QUERY_CHANGE: something will
 *		be changed: refuse a paused or migrating VM and a guest shell that is not root.
 */
int transaction_query(struct transaction *t, unsigned what, struct err *err)
	__attribute__((warn_unused_result));

/* transaction_restart() - forget the steps and their results, to query and plan again */
void transaction_restart(struct transaction *t);

/* transaction_add_steps() - append steps; @job is passed to them */
void transaction_add_steps(struct transaction *t, const struct step *steps, unsigned count,
			   void *job);

/* transaction_run() - run the steps; on failure undo them, set t->outcome and complete @err */
int transaction_run(struct transaction *t, struct err *err) __attribute__((warn_unused_result));

/* transaction_undo() - undo a success that could not be reported; completes @err; returns -1 */
int transaction_undo(struct transaction *t, struct err *err);

/* transaction_commit() - keep what was done so far even if a later step fails */
void transaction_commit(struct transaction *t);

/* transaction_can_undo() - is there anything that transaction_undo() would undo? */
bool transaction_can_undo(const struct transaction *t);

/* transaction_phase() - begin the phase @name; NULL ends the last */
void transaction_phase(struct transaction *t, const char *name);

/* transaction_elapsed_ms() - from the start of the command to the start of the current phase, or to
 * the end of the last: the sum of all phases */
int64_t transaction_elapsed_ms(const struct transaction *t);

/*
 * transaction_guest_has_ended() - has the guest been reset, panicked or shut down since the first
 * query? The wait that this ended has failed with ERR_GUEST_UNREACHABLE. Nothing more is sent to
 * the guest, and an undo waits for it only for the time of a boot.
 */
bool transaction_guest_has_ended(const struct transaction *t);

/*
 * transaction_notice_stop() - does the event say that the VM has stopped running? Waits on the
 * guest notice that by themselves; a wait for QMP events passes each event here, then calls
 * transaction_check_runs().
 */
bool transaction_notice_stop(struct transaction *t, const char *event);

/*
 * transaction_check_runs() - after a stop was noticed, ask QEMU why and whether the VM runs
 * again
 * Return: 0; -1 with ERR_PARTIAL when the guest cannot answer any more, or the monitor is gone
 */
int transaction_check_runs(struct transaction *t, struct err *err)
	__attribute__((warn_unused_result));

/* transaction_plan() - add a line to the plan; takes ownership of @text */
void transaction_plan(struct transaction *t, const char *where, char *text);
/* transaction_plan_guest() - add the shell commands equivalent to a request */
void transaction_plan_guest(struct transaction *t, const struct request *r);
/* transaction_plan_request() - add a QMP request, which is consumed */
void transaction_plan_request(struct transaction *t, struct json_object *request);

/* transaction_warn() - add a warning to the report, once */
void transaction_warn(struct transaction *t, const char *text);

/*
 * transaction_take_reply() - wait for the reply to a request
 * @id:	from qmp_send(); 0: none pending; set to 0 once QEMU has answered
 * Return: 0, also if none was pending; -1 when QEMU refused or did not answer
 */
int transaction_take_reply(struct transaction *t, uint64_t *id, struct err *err)
	__attribute__((warn_unused_result));

/* transaction_request() - send one QMP request, which is consumed, and wait for its reply */
int transaction_request(struct transaction *t, struct json_object *request, struct err *err)
	__attribute__((warn_unused_result));

#endif
