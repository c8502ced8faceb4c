/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * watch: what may end any wait of a command: a guest that has been reset, has panicked or
 * shut down, and a VM that stands still. Must never: print.
 */
#ifndef HOTPLUG_WATCH_H
#define HOTPLUG_WATCH_H

#include "hotplug/view.h"
#include "lib/progress.h"
#include "qemu/ending.h"

struct guest_watch {
	struct view *view;		 /* borrowed; NULL: not watching. Its machine's state is
					  * refreshed after a stop */
	struct deadline *deadline;	 /* borrowed */
	const struct progress *progress; /* borrowed: what is waited for; may be NULL */
	struct endings endings;
	unsigned told;	       /* so many of them have ended a wait; the others will */
	bool is_deaf;	       /* the guest's console has been closed */
	struct buf standstill; /* what the deadline says there was meanwhile; owned */
};

/*
 * watch_begin() - from now on every wait ends when the guest has, and one on the guest also when
 * the VM stands still for good; what has happened before does not count. Nothing without a monitor,
 * or when it has begun already.
 */
int watch_begin(struct guest_watch *w, struct view *view, struct deadline *d,
		const struct progress *progress, struct err *err)
	__attribute__((warn_unused_result));

/* watch_end() - waits are as before */
void watch_end(struct guest_watch *w);

/* watch_has_ended() - has the guest ended since then? Nothing more may be said to it. */
bool watch_has_ended(const struct guest_watch *w);

/* watch_note_panic() - the guest's console says that its kernel has panicked */
void watch_note_panic(struct guest_watch *w);

/* watch_go_on() - what has happened so far ends no more waits: to undo what can be undone */
void watch_go_on(struct guest_watch *w);

/*
 * watch_await_rest() - after a panic or a shutdown see what QEMU makes of it: a reset, an end
 * @is_reset_wanted:	for the undoing; else only an end, which follows at once, is waited for
 * Return: 0; -1 with ERR_QEMU_UNREACHABLE when QEMU itself has ended
 */
int watch_await_rest(struct guest_watch *w, bool is_reset_wanted, struct err *err)
	__attribute__((warn_unused_result));

/* watch_limit_ms() - so long may a guest that has ended take to let go of memory: for the time of a
 * boot after a reset */
int64_t watch_limit_ms(const struct guest_watch *w);

/* watch_remark() - the end of the guest in few words, for the progress line; NULL: there was none
 */
const char *watch_remark(const struct guest_watch *w);

/* watch_tell() - set ERR_GUEST_UNREACHABLE: how the guest has ended, and while what; returns -1 */
int watch_tell(const struct guest_watch *w, struct err *err);

/* watch_notice_stop() - is it the event that says that the VM does not run any more? */
bool watch_notice_stop(struct guest_watch *w, const char *event);

/*
 * watch_check_runs() - where a stop was noticed, ask QEMU why, and whether it is over
 * @code:	of the error
 * Return: 0; -1 when the guest will not answer any more, or the monitor is gone
 */
int watch_check_runs(struct guest_watch *w, struct err *err) __attribute__((warn_unused_result));

#endif
