/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * hotplug: the transaction. A job (plug, unplug, online, offline) is a list of steps, each with its
 * undo; when one fails, those begun are undone in reverse, in the share of time that the deadline
 * keeps for it. May call: vm, machine, verdict, sysfs, qmp, guest, deadline, json, size, err, util.
 * Must never: print.
 */
#ifndef HOTPLUG_H
#define HOTPLUG_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "machine.h"
#include "sysfs.h"
#include "vm.h"

/* What became of the machine; the JSON "state" of a failure. */
enum outcome {
	OUTCOME_UNCHANGED, /* nothing was done */
	OUTCOME_DONE,
	OUTCOME_ROLLED_BACK, /* something was done, and undone */
	OUTCOME_PENDING,     /* undone as far as memhp can; the guest may still let go of a DIMM */
	OUTCOME_PARTIAL,     /* something could not be undone */
};

struct hotplug;

struct step {
	const char *phase; /* name in phases_ms and on the progress line */
	int (*run)(struct hotplug *h, struct err *err);
	/* undo what run did, wholly or in part; NULL: nothing to undo */
	int (*undo)(struct hotplug *h, struct err *err);
	/* add to h->plan what run would do; NULL: nothing to show */
	void (*show)(struct hotplug *h);
};

/* A line of --dry-run. */
struct plan_line {
	const char *where; /* "qmp", "guest", "event" */
	char *text;	   /* a QMP request, a command of guest.sh, an event to wait for; owned */
};

#define PHASES_MAX 10

struct hotplug {
	struct vm *vm;		   /* borrowed */
	struct deadline *deadline; /* borrowed */
	bool is_dry_run, is_forced;
	bool has_machine, has_guest;	   /* which halves are known */
	struct machine machine;		   /* before; its devices also after */
	struct guest_memory before, after; /* after: whenever the guest was asked again */
	enum outcome outcome;
	const struct step *steps;
	unsigned steps_count, steps_begun;
	struct plan_line *plan;
	unsigned plan_count;
	const char *phase; /* what is going on now; NULL at the ends */
	struct {
		const char *name;
		int64_t ms;
	} phases[PHASES_MAX];
	unsigned phases_count;
	int64_t phase_start_ms;
	bool is_holding; /* the guest is to leave new memory offline meanwhile */
	const char
		*ahead; /* commands of guest.sh that the job will need; NULL for none; borrowed */
	void *job;	/* the job's own data; borrowed */
};

/* What a command needs to know before it decides. */
enum { LOOK_QMP = 1, LOOK_GUEST = 2, LOOK_CHANGE = 4 };

/* hotplug_init() - begin; @vm is borrowed until hotplug_release() */
void hotplug_init(struct hotplug *h, struct vm *vm);
void hotplug_release(struct hotplug *h);

/*
 * hotplug_look() - connect, and ask QEMU and the guest for everything
 * @what:	LOOK_QMP: QEMU is needed (else it is asked when a monitor was given); LOOK_GUEST: the
 *guest is needed (else it is asked when a channel is found); LOOK_CHANGE: something is going to be
 *		changed: refuse a paused or migrating VM and a guest shell that is not root
 */
int hotplug_look(struct hotplug *h, unsigned what, struct err *err)
	__attribute__((warn_unused_result));

/* hotplug_execute() - run the steps; on failure undo them, set h->outcome and complete @err */
int hotplug_execute(struct hotplug *h, const struct step *steps, unsigned count, struct err *err)
	__attribute__((warn_unused_result));

/* hotplug_undo() - undo a job that has succeeded but could not be reported; completes @err, returns
 * -1 */
int hotplug_undo(struct hotplug *h, struct err *err);

/* hotplug_phase() - what follows is @name; NULL ends the last phase */
void hotplug_phase(struct hotplug *h, const char *name);

/* hotplug_plan() - add a line to the plan; @text is taken over */
void hotplug_plan(struct hotplug *h, const char *where, char *text);
/* hotplug_plan_request() - add a QMP request, which is consumed */
void hotplug_plan_request(struct hotplug *h, struct json_object *request);

/* hotplug_request() - send one QMP request, which is consumed, and wait for its reply */
int hotplug_request(struct hotplug *h, struct json_object *request, struct err *err)
	__attribute__((warn_unused_result));

/*
 * hotplug_guest() - one round trip to the guest; reads a scan in its answer into h->after
 * @commands:	of guest.sh
 * @verb:	what its change does, for messages: "bring" a block ...
 * @to:		... "online"
 * @err:	ERR_GUEST_REFUSED with the block and the kernel's reason; ERR_TIMEOUT, ERR_INTERRUPTED
 *with the block that hung (its write has been killed) Return: 0, or -1; 1 when the blocks that
 *"appear" waits for are not there yet
 */
int hotplug_guest(struct hotplug *h, const char *commands, const char *verb, const char *to,
		  struct err *err) __attribute__((warn_unused_result));

/* hotplug_lower_words(), hotplug_raise_words() - commands of guest.sh for the blocks of @list,
 * highest first, and each into @zone (lift: only those that are offline); the caller frees them */
char *hotplug_lower_words(const struct hotplug *h, const struct block_list *list);
char *hotplug_raise_words(const struct hotplug *h, const struct block_list *list, enum zone zone,
			  bool is_lift);

/*
 * hotplug_swift_words() - the short way to bring few blocks online, that are offline or new:
 * guest.sh needs little for it. It gives no reasons: when the scan after it shows a block in
 * another state, go the long way with hotplug_raise_words(). The caller frees it; NULL: go the long
 * way at once.
 */
char *hotplug_swift_words(const struct block_list *list, enum zone zone);

/* hotplug_restore() - put the blocks of @list back to the state and zone they had before, and check
 */
int hotplug_restore(struct hotplug *h, const struct block_list *list, struct err *err)
	__attribute__((warn_unused_result));

/*
 * hotplug_check_room() - can the guest do without @bytes? compares MemAvailable
 * Return: 0; -1 with ERR_GUEST_REFUSED; always 0 when forced or unknown
 */
int hotplug_check_room(const struct hotplug *h, uint64_t bytes, struct err *err)
	__attribute__((warn_unused_result));

/* A device on its way out. */
struct leaving {
	const struct memdev *device; /* borrowed from h->machine, stable while leaving */
	char *backend;		     /* owned */
	bool is_asked, is_gone, is_refused;
	char why[128]; /* of a refusal */
};

/*
 * hotplug_release_devices() - device_del for each, wait until each is gone or refused
 * Return: 0 when all are gone; -1 with ERR_GUEST_REFUSED, ERR_TIMEOUT (still pending), ...
 */
int hotplug_release_devices(struct hotplug *h, struct leaving *leaving, unsigned count,
			    struct err *err) __attribute__((warn_unused_result));

/* hotplug_notice_gone() - mark those that QEMU has let go of in the meantime, without waiting */
int hotplug_notice_gone(struct hotplug *h, struct leaving *leaving, unsigned count, struct err *err)
	__attribute__((warn_unused_result));

/* The jobs: each fills in defaults, checks, and runs or (dry run) plans its steps. Their data is
 * owned by the caller's struct and released by the _release() function. */

struct plug {
	/* asked for */
	const char *name;      /* base name; NULL for the next free memhpN */
	const char *size_text; /* the size as the user wrote it, for messages */
	uint64_t size_bytes;
	enum zone zone;
	bool is_online_wanted;
	bool has_slot, has_node, has_address;
	uint64_t slot, node, address;
	/* found out */
	struct dimm_request dimm;
	enum zone zone_taken;
	char zone_reason[96]; /* why auto took it; "" otherwise */
	bool has_prediction;  /* the dry run knows where the DIMM would go */
	struct blocks blocks; /* of the DIMM; valid with has_blocks */
	bool has_blocks;
	struct memdev *device; /* borrowed from h->machine; NULL before it is there */
	/* done so far */
	uint64_t ids[3];
	bool is_sent, is_object_there, is_device_there;
	bool is_inserted;  /* the guest has said that it took the DIMM */
	char refusal[128]; /* the guest's reason not to take the DIMM; "" for none */
};

int hotplug_plug(struct hotplug *h, struct plug *plug, struct err *err)
	__attribute__((warn_unused_result));
void plug_release(struct plug *plug);

/* plug_check_name() - may QEMU's ids begin with the name that was asked for? needs no QEMU;
 * ERR_USAGE */
int plug_check_name(const struct plug *plug, struct err *err) __attribute__((warn_unused_result));

/* plug_check() - all that can be known before anything is changed; fills in plug->dimm */
int plug_check(const struct hotplug *h, struct plug *plug, struct err *err)
	__attribute__((warn_unused_result));

struct unplug {
	/* asked for */
	char *const *names; /* borrowed */
	unsigned names_count;
	bool is_all;
	/* told of each device that is to leave, before it does; may be NULL */
	void (*leaves)(struct hotplug *h, const struct memdev *d);
	/* found out */
	struct leaving *leaving;
	unsigned leaving_count;
	struct block_list blocks; /* of all of them */
	uint64_t size_bytes;
};

int hotplug_unplug(struct hotplug *h, struct unplug *unplug, struct err *err)
	__attribute__((warn_unused_result));
void unplug_release(struct unplug *unplug);

struct change {
	/* asked for */
	char *const *words; /* blocks, devices, sizes, "all"; borrowed */
	unsigned words_count;
	bool is_online; /* bring online, else take offline */
	enum zone zone;
	/* found out */
	struct block_list blocks; /* to be changed: those already there are left out */
	struct block_list named;  /* all that the words mean */
	enum zone zone_taken;
	char zone_reason[96];
};

int hotplug_change(struct hotplug *h, struct change *change, struct err *err)
	__attribute__((warn_unused_result));
void change_release(struct change *change);

/* hotplug_find_device() - by id, by QOM path, or by memhp's base name ("memhp0" for "memhp0-dimm");
 * NULL */
const struct memdev *hotplug_find_device(const struct hotplug *h, const char *name);

/* hotplug_choose_zone() - what auto means for @size_bytes more: Movable while it stays at most 3 x
 * the kernel's zones, so that the kernel keeps enough memory of its own; @reason receives why */
enum zone hotplug_choose_zone(const struct guest_memory *g, uint64_t size_bytes, char *reason,
			      size_t reason_size);

#endif
