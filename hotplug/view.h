/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * view: the state of QEMU and of the guest, queried and combined. It is queried again whenever
 * something may have changed; the guest's first answer is kept beside its latest.
 */
#ifndef HOTPLUG_VIEW_H
#define HOTPLUG_VIEW_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "guest/guest.h"
#include "lib/err.h"
#include "qemu/machine.h"
#include "qemu/sharing.h"
#include "qmp.h"
#include "sysfs.h"

struct view;

/*
 * How to open the two sessions. They are opened late: QEMU's answer decides whether the guest is
 * contacted at all.
 */
struct view_opener {
	bool has_monitor; /* query the monitor even if the job does not need it */
	/* open the monitor, unless it is open: view->qmp */
	int (*open_qmp)(struct view *view, void *context, struct err *err);
	/* open the guest's channel, unless it is open: view->guest, which stays NULL without a
	 * channel */
	int (*open_guest)(struct view *view, void *context, struct err *err);
	/* set the error for a required guest without a channel; returns -1 */
	int (*no_channel)(void *context, struct err *err);
	void *context;
};

struct view {
	struct view_opener opener;
	struct qmp *qmp;		   /* borrowed; NULL: not open */
	struct guest *guest;		   /* borrowed; NULL: not open, or no channel */
	bool has_machine, has_guest;	   /* which of both are known */
	pid_t qemu_pid;			   /* 0: QEMU's process is not known */
	struct machine machine;		   /* before the change; its devices also after it */
	struct guest_memory before, after; /* after: when the guest was queried again */

	/* What else the first query asks for. */
	bool is_adding;		/* memory may be added: must it be shared? */
	struct sharing sharing; /* the answer to that */
	/* blocks may go offline: each query also asks for what that may cost the guest */
	bool is_taking;
	uint64_t goal_bytes; /* they will only if QEMU has more memory than this; 0: not known */
	enum verb extra;     /* sent to the guest with the first query; VERB_NONE: none */
	verb_set preload;    /* verbs that will be used later */
	/* the blocks in the first query: those of QEMU's devices, or of a list (borrowed, not
	 * empty); otherwise all */
	bool is_scope_devices;
	const struct block_list *scope;

	bool has_cpusets; /* the session has saved which nodes the guest's cpusets may use */
};

/* view_free() - free the view's contents; the sessions stay open */
void view_free(struct view *v);

/* view_clear() - forget what is known, to query again */
void view_clear(struct view *v);

/* view_query_machine() - open the monitor and query QEMU in one batch */
int view_query_machine(struct view *v, struct err *err) __attribute__((warn_unused_result));

/* view_query_guest() - open the guest's channel and query the guest; without a channel
 * view->has_guest stays false */
int view_query_guest(struct view *v, struct err *err) __attribute__((warn_unused_result));

/* view_now() - the guest's memory as last read */
const struct guest_memory *view_now(const struct view *v);

/* view_find_device() - by id, by QOM path, or by memhp's base name ("memhp0" for "memhp0-dimm");
 * NULL if there is none */
const struct memdev *view_find_device(const struct view *v, const char *name);

/* view_hint_device() - hint at the device that a misspelt name may mean, else @otherwise; returns
 * -1 */
int view_hint_device(const struct view *v, const char *name, const char *otherwise,
		     struct err *err);

/*
 * view_device_blocks() - the numbers of the guest's memory blocks inside a device
 * Return: false if the guest's block size or the device's address is not known, or no whole block
 * fits
 */
bool view_device_blocks(const struct view *v, const struct memdev *d, struct blocks *out);

/* view_found_blocks() - the device's blocks in @g; the caller frees the list */
struct block_list view_found_blocks(const struct view *v, const struct guest_memory *g,
				    const struct memdev *d);

/* How much of a DIMM has blocks in the guest; a DIMM that begins or ends inside a block gets
 * none. */
enum added { ADDED_UNKNOWN, ADDED_WHOLE, ADDED_PARTLY, ADDED_NOT };

/* view_added() - as @g shows it; ADDED_UNKNOWN without a guest and for other devices */
enum added view_added(const struct view *v, const struct guest_memory *g, const struct memdev *d);

/* view_absent_command() - the command that removes a DIMM that the guest has not added (repair
 * ignores those from QEMU's command line); the caller frees it */
char *view_absent_command(const struct memdev *d);

#endif
