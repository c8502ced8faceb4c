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

#include "guest/guest.h"
#include "hotplug/watch.h"
#include "lib/err.h"
#include "lib/progress.h"
#include "qemu/machine.h"
#include "qemu/sharing.h"
#include "sysfs.h"
#include "vm/vm.h"

/* What became of the machine; the JSON "state" of a failure. */
enum outcome {
	OUTCOME_UNCHANGED, /* nothing was done */
	OUTCOME_DONE,
	OUTCOME_ROLLED_BACK, /* something was done, and undone */
	OUTCOME_PENDING,     /* undone as far as memhp can; the guest may still let go of a DIMM */
	OUTCOME_PARTIAL,     /* something could not be undone, or was to be kept */
};

struct hotplug;

struct step {
	const char *phase; /* name in phases_ms and on the progress line */
	/* 0: done; 1: done, and the job's steps are to be run once more; -1: failed */
	int (*run)(struct hotplug *h, void *job, struct err *err);
	/* undo what run did, wholly or in part; NULL: nothing to undo */
	int (*undo)(struct hotplug *h, void *job, struct err *err);
	/* add to h->plan what run would do; NULL: nothing to show */
	void (*show)(struct hotplug *h, void *job);
	/* in place of undo when QEMU has ended: remove what stays on the host; NULL: nothing */
	void (*leave)(struct hotplug *h, void *job);
};

/* A line of --dry-run. */
struct plan_line {
	const char *where; /* "qmp", "guest", "event" */
	char *text;	   /* a QMP request, a command for a shell, an event to wait for; owned */
};

#define STEPS_MAX  12
#define PHASES_MAX 16

struct hotplug {
	struct vm *vm;		   /* borrowed */
	struct deadline *deadline; /* borrowed */
	bool is_dry_run, is_forced;
	bool is_adding;		     /* memory may be added: whether it has to be shared is asked */
	bool has_machine, has_guest; /* which halves are known */
	pid_t qemu_pid;		     /* 0: not known which process is QEMU */
	struct machine machine;	     /* before; its devices also after */
	struct sharing sharing;	     /* with is_adding: asked with the first look */
	struct guest_memory before, after; /* after: whenever the guest was asked again */
	enum outcome outcome;
	struct {
		const struct step *step;
		void *job; /* borrowed */
	} steps[STEPS_MAX];
	unsigned steps_count, steps_begun;
	unsigned steps_settled; /* the first so many are not undone any more */
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
	struct guest_watch watch; /* from the first look to hotplug_release() */
	/* what the jobs that were prepared will add */
	uint64_t movable_added_bytes, kernel_added_bytes;
	enum verb also; /* what the guest is asked for with the first look; VERB_NONE: nothing */
	verb_set ahead; /* what it will be asked for later */
	/* blocks are to go offline: what that may take is asked for with each look */
	bool is_taking;
	uint64_t goal_bytes; /* they are only if QEMU has more memory than this; 0: not known */
	bool is_try;	  /* a change of blocks that hangs is not the end: others are to be tried */
	bool has_cpusets; /* the guest keeps in mind which nodes its cpusets may use */
	/* a block hung when time was up: what holds it is asked for when all is as it was */
	bool has_hanging;
	uint64_t hanging_block;
	bool is_pool_safe; /* the blocks hold none of the guest's huge pages */
	/* the blocks that matter, and are looked at first: those of QEMU's devices, or of a list
	 * (borrowed, not empty); otherwise all */
	bool is_about_devices;
	const struct block_list *about;
};

/* What a command needs to know before it decides. */
enum { LOOK_QMP = 1, LOOK_GUEST = 2, LOOK_CHANGE = 4 };

/* hotplug_init() - begin; @vm is borrowed until hotplug_release() */
void hotplug_init(struct hotplug *h, struct vm *vm);
void hotplug_release(struct hotplug *h);

/*
 * hotplug_look() - connect, and ask QEMU and the guest for everything
 * @what:	LOOK_QMP: QEMU is needed (else it is asked when a monitor was given)
 *		LOOK_GUEST: the guest is needed (else it is asked when a channel is found)
 *		LOOK_CHANGE: something is going to be changed: a paused or migrating VM and a guest
 *		shell that is not root are refused
 */
int hotplug_look(struct hotplug *h, unsigned what, struct err *err)
	__attribute__((warn_unused_result));

/* hotplug_restart() - forget the steps and what became of them, to look and plan once more */
void hotplug_restart(struct hotplug *h);

/* hotplug_now() - the guest's memory as it was seen last */
const struct guest_memory *hotplug_now(const struct hotplug *h);

/* hotplug_add_steps() - what is to be done, after what was added before; @job is handed to them */
void hotplug_add_steps(struct hotplug *h, const struct step *steps, unsigned count, void *job);

/* hotplug_execute() - run the steps; on failure undo them, set h->outcome and complete @err */
int hotplug_execute(struct hotplug *h, struct err *err) __attribute__((warn_unused_result));

/* hotplug_undo() - undo what has succeeded but could not be reported; completes @err; returns -1 */
int hotplug_undo(struct hotplug *h, struct err *err);

/* hotplug_settle() - what was done so far stays, whatever fails later */
void hotplug_settle(struct hotplug *h);

/* hotplug_can_undo() - is anything done that hotplug_undo() would undo? */
bool hotplug_can_undo(const struct hotplug *h);

/* hotplug_phase() - what follows is @name; NULL ends the last phase */
void hotplug_phase(struct hotplug *h, const char *name);

/* hotplug_elapsed_ms() - from the start of the command to that of the present phase, or the end of
 * the last: what all phases together must account for */
int64_t hotplug_elapsed_ms(const struct hotplug *h);

/*
 * hotplug_guest_has_ended() - has the guest been reset, panicked or shut down since the first look?
 * The wait that it ended has failed with ERR_GUEST_UNREACHABLE. Nothing more is said to the guest,
 * and what an undo leaves in its hands it has for the time of a boot only.
 */
bool hotplug_guest_has_ended(const struct hotplug *h);

/*
 * hotplug_notice_stop() - is it the event that says that the VM does not run any more? Waits on the
 * guest notice by themselves; a wait for other events hands them in, then hotplug_check_runs()
 */
bool hotplug_notice_stop(struct hotplug *h, const char *event);

/*
 * hotplug_check_runs() - where a stop was noticed, ask QEMU why, and whether it is over
 * Return: 0; -1 with ERR_PARTIAL when the guest will not answer any more, or the monitor is gone
 */
int hotplug_check_runs(struct hotplug *h, struct err *err) __attribute__((warn_unused_result));

/* hotplug_plan() - add a line to the plan; @text is taken over */
void hotplug_plan(struct hotplug *h, const char *where, char *text);
/* hotplug_plan_guest() - add what a person would type in the guest in place of a request */
void hotplug_plan_guest(struct hotplug *h, const struct request *r);
/* hotplug_plan_request() - add a QMP request, which is consumed */
void hotplug_plan_request(struct hotplug *h, struct json_object *request);

/* hotplug_warn() - add a warning to the report; said once */
void hotplug_warn(struct hotplug *h, const char *text);

/*
 * hotplug_take_reply() - wait for the reply to a request
 * @id:	of qmp_send(); 0: none is under way, and so it is once QEMU has answered
 * Return: 0 also where none was; -1 when QEMU refused, or has not said
 */
int hotplug_take_reply(struct hotplug *h, uint64_t *id, struct err *err)
	__attribute__((warn_unused_result));

/* hotplug_request() - send one QMP request, which is consumed, and wait for its reply */
int hotplug_request(struct hotplug *h, struct json_object *request, struct err *err)
	__attribute__((warn_unused_result));

/* hotplug_find_device() - by id, by QOM path, or by memhp's base name ("memhp0" for "memhp0-dimm");
 * NULL when there is none */
const struct memdev *hotplug_find_device(const struct hotplug *h, const char *name);

/* hotplug_hint_device() - the device that a wrong name may mean, else @otherwise; returns -1 */
int hotplug_hint_device(const struct hotplug *h, const char *name, const char *otherwise,
			struct err *err);

/*
 * hotplug_device_blocks() - the numbers of the guest's blocks that a device can hold
 * Return: false when the guest's block size or the device's address is not known, or do not fit
 */
bool hotplug_device_blocks(const struct hotplug *h, const struct memdev *d, struct blocks *out);

/* hotplug_found_blocks() - what @g says about the device's blocks; the caller releases it */
struct block_list hotplug_found_blocks(const struct hotplug *h, const struct guest_memory *g,
				       const struct memdev *d);

/* How much of a DIMM the guest has made blocks of; it takes none that begins or ends inside one. */
enum added { ADDED_UNKNOWN, ADDED_WHOLE, ADDED_PARTLY, ADDED_NOT };

/* hotplug_absent_command() - what takes a DIMM away that the guest has not added: repair leaves
 * those of QEMU's command line alone; the caller frees it */
char *hotplug_absent_command(const struct memdev *d);

/* hotplug_added() - as @g shows it; ADDED_UNKNOWN without a guest, and for what is no DIMM */
enum added hotplug_added(const struct hotplug *h, const struct guest_memory *g,
			 const struct memdev *d);

#endif
