/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * deadline: the one clock of a command. Every wait of memhp goes through deadline_poll(), so none
 * outlasts the deadline and each wakes on Ctrl-C. Part of the time is reserved for undoing.
 * Must never: sleep.
 */
#ifndef LIB_DEADLINE_H
#define LIB_DEADLINE_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"

#define DEADLINE_NEVER INT64_MAX

struct deadline {
	int64_t start_ms; /* CLOCK_MONOTONIC, as all times here */
	int64_t work_ms;  /* work stops here ... */
	int64_t final_ms; /* ... and undoing here */
	bool undoing;	  /* waits are for undoing now, and may use the reserved time */
	int signal_fd;	  /* signalfd of SIGINT, SIGTERM, SIGHUP; -1 for none */
	int interrupts;	  /* signals seen so far */
	int last_signal;  /* the last of them; 0 for none */
	/*
	 * Called about twice a second during waits, however short each is; with false while the
	 * user is prompted on the terminal. May be NULL.
	 */
	void (*tick)(void *context, bool is_waiting);
	void *tick_context;
	int64_t ticked_ms; /* when it was last called */
	/*
	 * May end any wait but one on watch_fd itself: called before each wait, when watch_fd is
	 * readable, and twice a second while stalled_by is set; -1 with @err ends the wait. NULL:
	 * none.
	 */
	int (*watch)(void *context, struct err *err);
	/* like watch, but before every wait: must neither wait nor read */
	int (*check)(void *context, struct err *err);
	/*
	 * Called when hear_fd is readable during a wait for something else; must not wait. check
	 * reports what it read. NULL: none.
	 */
	void (*hear)(void *context);
	void *watch_context; /* of all three */
	int watch_fd, hear_fd;
	bool has_ended; /* the guest has restarted: send it nothing on closing */
	/* what stalls the work, such as "the VM was paused"; borrowed; NULL: nothing */
	const char *stalled_by;
};

/* monotonic_ms() - CLOCK_MONOTONIC in milliseconds */
int64_t monotonic_ms(void);

/*
 * deadline_init() - start the clock
 * @timeout_ms:	for the whole command; 0 for none. A quarter of it, at most 5 s, is reserved for
 *		undoing.
 * @signal_fd:	borrowed
 */
void deadline_init(struct deadline *d, int64_t timeout_ms, int signal_fd);

/*
 * deadline_push() - start a separate clock for a job, until deadline_pop()
 * Return: the old clock for deadline_pop(), which keeps the signals that came in between
 */
struct deadline deadline_push(struct deadline *d, int64_t timeout_ms);
void deadline_pop(struct deadline *d, struct deadline outer);

/* deadline_moment() - a short limit beside the command's own, without time for undoing; it leaves
 * signals to the command */
struct deadline deadline_moment(int64_t timeout_ms);

/* deadline_left_ms() - the time left for the current work; DEADLINE_NEVER without a limit */
int64_t deadline_left_ms(const struct deadline *d);

/* deadline_within() - the time @delay_ms from now, or the current limit if that comes first */
int64_t deadline_within(const struct deadline *d, int64_t delay_ms);

/* deadline_work() - undoing is over: work continues, without the reserved time */
void deadline_work(struct deadline *d);

/* deadline_undo() - from here on waits are for undoing, and may use the reserved time */
void deadline_undo(struct deadline *d);

/* deadline_parting() - a limit for closing, which Ctrl-C does not end: the time left, but at least
 * @min_ms (even past the deadline) and at most @max_ms */
struct deadline deadline_parting(const struct deadline *d, int64_t min_ms, int64_t max_ms);

/* deadline_passed() - set ERR_TIMEOUT, with what stalled the work; returns -1 */
int deadline_passed(const struct deadline *d, struct err *err);

/*
 * deadline_poll() - poll(2) that ends at the deadline, at @until_ms, or when the user interrupts
 * @fds:	as for poll(2); revents is filled in; NULL with a @count of 0 only waits
 * @until_ms:	an earlier limit of the caller's own, or DEADLINE_NEVER
 * @err:	ERR_TIMEOUT at the deadline; ERR_INTERRUPTED at the first signal, and while undoing
 * at the second
 * Return: 1 when a descriptor is ready, 0 when @until_ms came first, -1 with @err
 */
int deadline_poll(struct deadline *d, struct pollfd *fds, unsigned count, int64_t until_ms,
		  struct err *err) __attribute__((warn_unused_result));

/*
 * deadline_poll_output() - the same for output: only the limits and the signals count, without
 * ticks and watches
 */
int deadline_poll_output(struct deadline *d, struct pollfd fd, struct err *err)
	__attribute__((warn_unused_result));

#endif
