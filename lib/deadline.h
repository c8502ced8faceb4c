/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * deadline: the one clock of a command. Every wait of memhp goes through deadline_poll(), so none
 * outlives the deadline and each wakes on Ctrl-C. A share of the time is kept back for undoing.
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
	bool undoing;	  /* waits are for undoing now: they may use the share kept back */
	int signal_fd;	  /* signalfd of SIGINT, SIGTERM, SIGHUP; -1 for none */
	int interrupts;	  /* signals seen so far */
	int last_signal;  /* the last of them; 0 for none */
	/*
	 * Called about twice a second for as long as there are waits, however short each is; with
	 * false when the user is asked for something on the terminal. May be NULL.
	 */
	void (*tick)(void *context, bool is_waiting);
	void *tick_context;
	int64_t ticked_ms; /* when it was last */
	/*
	 * What may end any wait but one on its own descriptor: called before each, when watch_fd
	 * is readable, and twice a second while stalled_by is set; -1 with @err ends the wait.
	 * NULL: nothing.
	 */
	int (*watch)(void *context, struct err *err);
	/* as watch, but before every wait: it must neither wait nor read */
	int (*check)(void *context, struct err *err);
	/*
	 * Called when hear_fd is readable, in a wait that is for something else; it must not wait.
	 * What it hears, check tells. NULL: nothing.
	 */
	void (*hear)(void *context);
	void *watch_context; /* of all three */
	int watch_fd, hear_fd;
	bool has_ended; /* the guest has begun anew: no goodbye is said to it */
	/* what holds the work up, such as "the VM was paused"; borrowed; NULL: nothing */
	const char *stalled_by;
};

/* monotonic_ms() - CLOCK_MONOTONIC in milliseconds */
int64_t monotonic_ms(void);

/*
 * deadline_init() - start the clock
 * @timeout_ms:	for the whole command; 0 for none. A quarter of it, at most 5 s, is kept for
 * undoing.
 * @signal_fd:	borrowed
 */
void deadline_init(struct deadline *d, int64_t timeout_ms, int signal_fd);

/*
 * deadline_push() - start the clock of a job of its own, until deadline_pop()
 * Return: what deadline_pop() puts back; it keeps the signals that came in between
 */
struct deadline deadline_push(struct deadline *d, int64_t timeout_ms);
void deadline_pop(struct deadline *d, struct deadline outer);

/* deadline_moment() - a short limit beside the command's own: without a share for undoing, and deaf
 * to signals, which stay for the command */
struct deadline deadline_moment(int64_t timeout_ms);

/* deadline_left_ms() - what remains for the present kind of work; DEADLINE_NEVER without a limit */
int64_t deadline_left_ms(const struct deadline *d);

/* deadline_within() - the time @delay_ms from now, or the present limit when that comes first */
int64_t deadline_within(const struct deadline *d, int64_t delay_ms);

/* deadline_work() - undoing is over: work goes on, without the share kept back */
void deadline_work(struct deadline *d);

/* deadline_undo() - from here on waits are for undoing and may use the share kept back */
void deadline_undo(struct deadline *d);

/* deadline_parting() - a limit for taking leave, which does not end at Ctrl-C: what is left, at
 * least @min_ms (also past the deadline), at most @max_ms */
struct deadline deadline_parting(const struct deadline *d, int64_t min_ms, int64_t max_ms);

/* deadline_passed() - set ERR_TIMEOUT, with what kept the work from going on; returns -1 */
int deadline_passed(const struct deadline *d, struct err *err);

/*
 * deadline_poll() - poll(2) that ends at the deadline, at @until_ms, or when the user interrupts
 * @fds:	as for poll(2); revents is filled in; NULL with a @count of 0 only waits
 * @until_ms:	a sooner limit of the caller's own, or DEADLINE_NEVER
 * @err:	ERR_TIMEOUT at the deadline; ERR_INTERRUPTED at the first signal, and while undoing
 * at the second
 * Return: 1 when a descriptor is ready, 0 when @until_ms came first, -1 with @err
 */
int deadline_poll(struct deadline *d, struct pollfd *fds, unsigned count, int64_t until_ms,
		  struct err *err) __attribute__((warn_unused_result));

/*
 * deadline_poll_output() - the same for output: without ticks and watches, only the limits and the
 * signals count
 */
int deadline_poll_output(struct deadline *d, struct pollfd fd, struct err *err)
	__attribute__((warn_unused_result));

#endif
