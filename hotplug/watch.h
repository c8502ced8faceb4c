/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * watch: what may end any wait of a command early: a guest that was reset, panicked or shut down,
 * and a VM that is stopped. Never prints.
 */
#ifndef HOTPLUG_WATCH_H
#define HOTPLUG_WATCH_H

#include "hotplug/view.h"
#include "lib/progress.h"
#include "qemu/ending.h"

struct guest_watch {
	struct view *view; /* borrowed; NULL: not watching. Its machine's state is refreshed after a
			      stop. */
	struct deadline *deadline; /* borrowed */
	const struct progress
		*progress; /* borrowed: names what the command waits for; may be NULL */
	struct endings endings;
	unsigned told;		/* this many of the endings have ended a wait; the others will */
	bool is_console_closed; /* the guest's console has been closed */
	struct buf standstill;	/* why the VM was stopped, for the message of the deadline; owned */
};

/*
 * watch_begin() - from here on every wait fails when the guest ends, and a wait on the guest also
 * when QEMU reports that the VM cannot resume; earlier events do not count. Does nothing without a
 * monitor, or if the watch is on already.
 */
int watch_begin(struct guest_watch *w, struct view *view, struct deadline *d,
		const struct progress *progress, struct err *err)
	__attribute__((warn_unused_result));

/* watch_end() - end the watch: waits are as before */
void watch_end(struct guest_watch *w);

/* watch_has_ended() - has the guest ended since then? If so, nothing more may be sent to it. */
bool watch_has_ended(const struct guest_watch *w);

/* watch_note_panic() - the guest's console says that its kernel has panicked */
void watch_note_panic(struct guest_watch *w);

/* watch_go_on() - the endings so far end no further wait, so that an undo can run */
void watch_go_on(struct guest_watch *w);

/*
 * watch_await_rest() - after a panic or a shutdown, wait for what QEMU does: reset or exit
 * @is_reset_wanted: wait for a reset, for the undo; else wait only for QEMU's exit, which follows
 *		at once
 * Return: 0; -1 with ERR_QEMU_UNREACHABLE when QEMU itself has ended
 */
int watch_await_rest(struct guest_watch *w, bool is_reset_wanted, struct err *err)
	__attribute__((warn_unused_result));

/* watch_limit_ms() - how long a guest that has ended may take to release memory: the time of a boot
 * after a reset */
int64_t watch_limit_ms(const struct guest_watch *w);

/* watch_remark() - the guest's end, for the progress line; NULL if it has not ended */
const char *watch_remark(const struct guest_watch *w);

/* watch_report() - set ERR_GUEST_UNREACHABLE: how the guest has ended, and in which phase; returns
 * -1 */
int watch_report(const struct guest_watch *w, struct err *err);

/* watch_notice_stop() - does the event say that the VM has stopped running? */
bool watch_notice_stop(struct guest_watch *w, const char *event);

/*
 * watch_check_runs() - after a stop was noticed, ask QEMU why and whether the VM runs again
 * @code:	of the error
 * Return: 0; -1 when the guest cannot answer any more, or the monitor is gone
 */
int watch_check_runs(struct guest_watch *w, struct err *err) __attribute__((warn_unused_result));

#endif
