/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * view: what there is: QEMU's half and the guest's, asked for and joined. It is asked anew whenever
 * something may have changed; what the guest said first is kept beside what it said last.
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
 * How the two sessions are opened. They are opened late: whether the guest is to be spoken to at
 * all depends on what QEMU says.
 */
struct view_opener {
	bool has_monitor; /* a monitor is asked even by a job that can do without */
	/* open the monitor, unless it is open: view->qmp */
	int (*open_qmp)(struct view *view, void *context, struct err *err);
	/* open the guest, unless it is open: view->guest, which stays NULL without a channel */
	int (*open_guest)(struct view *view, void *context, struct err *err);
	/* the error when the guest is needed and there is no channel; returns -1 */
	int (*no_channel)(void *context, struct err *err);
	void *context;
};

struct view {
	struct view_opener opener;
	struct qmp *qmp;		   /* borrowed; NULL: not open */
	struct guest *guest;		   /* borrowed; NULL: not open, or no channel */
	bool has_machine, has_guest;	   /* which halves are known */
	pid_t qemu_pid;			   /* 0: not known which process is QEMU */
	struct machine machine;		   /* before; its devices also after */
	struct guest_memory before, after; /* after: whenever the guest was asked again */

	/* What the first query is to ask for besides. */
	bool is_adding;		/* memory may be added: whether it has to be shared */
	struct sharing sharing; /* the answer to that */
	/* blocks are to go offline: what that may take is asked for with each query */
	bool is_taking;
	uint64_t goal_bytes; /* they are only if QEMU has more memory than this; 0: not known */
	enum verb extra;     /* that the guest is asked for with the first query; VERB_NONE: none */
	verb_set preload;    /* that it will be asked for later */
	/* the blocks that are asked for first: those of QEMU's devices, or of a list (borrowed, not
	 * empty); otherwise all */
	bool is_scope_devices;
	const struct block_list *scope;

	bool has_cpusets; /* the guest keeps in mind which nodes its cpusets may use */
};

/* view_free() - what the view holds; the sessions stay open */
void view_free(struct view *v);

/* view_clear() - what is known is to be asked again */
void view_clear(struct view *v);

/* view_query_machine() - open the monitor, and ask QEMU for everything at once */
int view_query_machine(struct view *v, struct err *err) __attribute__((warn_unused_result));

/* view_query_guest() - open the guest, and ask it for everything; without a channel view->has_guest
 * stays false */
int view_query_guest(struct view *v, struct err *err) __attribute__((warn_unused_result));

/* view_now() - the guest's memory as it was seen last */
const struct guest_memory *view_now(const struct view *v);

/* view_find_device() - by id, by QOM path, or by memhp's base name ("memhp0" for "memhp0-dimm");
 * NULL when there is none */
const struct memdev *view_find_device(const struct view *v, const char *name);

/* view_hint_device() - the device that a wrong name may mean, else @otherwise; returns -1 */
int view_hint_device(const struct view *v, const char *name, const char *otherwise,
		     struct err *err);

/*
 * view_device_blocks() - the numbers of the guest's blocks that a device can hold
 * Return: false when the guest's block size or the device's address is not known, or do not fit
 */
bool view_device_blocks(const struct view *v, const struct memdev *d, struct blocks *out);

/* view_found_blocks() - what @g says about the device's blocks; the caller releases it */
struct block_list view_found_blocks(const struct view *v, const struct guest_memory *g,
				    const struct memdev *d);

/* How much of a DIMM the guest has made blocks of; it takes none that begins or ends inside one. */
enum added { ADDED_UNKNOWN, ADDED_WHOLE, ADDED_PARTLY, ADDED_NOT };

/* view_added() - as @g shows it; ADDED_UNKNOWN without a guest, and for what is no DIMM */
enum added view_added(const struct view *v, const struct guest_memory *g, const struct memdev *d);

/* view_absent_command() - what takes a DIMM away that the guest has not added: repair leaves those
 * of QEMU's command line alone; the caller frees it */
char *view_absent_command(const struct memdev *d);

#endif
