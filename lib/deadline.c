/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The one clock of a command: absolute limits, and waits that wake on Ctrl-C. */
#include <errno.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "lib/deadline.h"

#define POLL_MAX    8
#define TICK_MS	    500
#define WATCH_MS    500 /* how often to check whether the stall is over */
#define UNDO_MAX_MS 5000

int64_t monotonic_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void deadline_init(struct deadline *d, int64_t timeout_ms, int signal_fd)
{
	int64_t reserve_ms = timeout_ms / 4 < UNDO_MAX_MS ? timeout_ms / 4 : UNDO_MAX_MS;

	*d = (struct deadline){ .start_ms = monotonic_ms(), .signal_fd = signal_fd };
	d->ticked_ms = d->start_ms;
	d->final_ms = timeout_ms ? d->start_ms + timeout_ms : DEADLINE_NEVER;
	d->work_ms = timeout_ms ? d->final_ms - reserve_ms : DEADLINE_NEVER;
}

struct deadline deadline_push(struct deadline *d, int64_t timeout_ms)
{
	struct deadline outer = *d;

	deadline_init(d, timeout_ms, outer.signal_fd);
	return outer;
}

void deadline_pop(struct deadline *d, struct deadline outer)
{
	outer.interrupts += d->interrupts;
	if (d->last_signal)
		outer.last_signal = d->last_signal;
	*d = outer;
}

static int64_t limit_ms(const struct deadline *d)
{
	return d->undoing ? d->final_ms : d->work_ms;
}

int64_t deadline_left_ms(const struct deadline *d)
{
	int64_t limit = limit_ms(d), now = monotonic_ms();

	if (limit == DEADLINE_NEVER)
		return DEADLINE_NEVER;
	return limit > now ? limit - now : 0;
}

int64_t deadline_within(const struct deadline *d, int64_t delay_ms)
{
	int64_t left = deadline_left_ms(d);

	return monotonic_ms() + (left < delay_ms ? left : delay_ms);
}

struct deadline deadline_moment(int64_t timeout_ms)
{
	struct deadline d;

	deadline_init(&d, 0, -1);
	d.work_ms = d.final_ms = d.start_ms + timeout_ms;
	return d;
}

struct deadline deadline_parting(const struct deadline *d, int64_t min_ms, int64_t max_ms)
{
	int64_t now_ms = monotonic_ms(), left_ms = d->final_ms - now_ms;

	left_ms = left_ms > max_ms ? max_ms : left_ms < min_ms ? min_ms : left_ms;
	return (struct deadline){ .final_ms = now_ms + left_ms, .undoing = true, .signal_fd = -1 };
}

void deadline_work(struct deadline *d)
{
	d->undoing = false;
}

void deadline_undo(struct deadline *d)
{
	d->undoing = true;
}

static void count_signals(struct deadline *d)
{
	struct signalfd_siginfo info;

	while (read(d->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		d->interrupts++;
		d->last_signal = (int)info.ssi_signo;
	}
}

/* Have there been more signals than the current work tolerates? */
static bool is_interrupted(const struct deadline *d)
{
	return d->interrupts > (d->undoing ? 1 : 0);
}

int deadline_passed(const struct deadline *d, struct err *err)
{
	return err_set(err, ERR_TIMEOUT, "the deadline passed%s%s", d->stalled_by ? " while " : "",
		       d->stalled_by ? d->stalled_by : "");
}

/* The timeout of poll(2): until the earlier limit or the next tick. */
static int poll_ms(const struct deadline *d, int64_t until_ms)
{
	int64_t limit = limit_ms(d), now = monotonic_ms();
	int64_t nearest = until_ms < limit ? until_ms : limit;

	if (d->tick && d->ticked_ms + TICK_MS < nearest)
		nearest = d->ticked_ms + TICK_MS;
	if (nearest <= now)
		return 0;
	if (d->stalled_by && nearest - now > WATCH_MS)
		return WATCH_MS;
	return nearest - now > 60000 ? 60000 : (int)(nearest - now);
}

/* Call the tick if it is due. */
static void tick(struct deadline *d, int64_t now)
{
	if (!d->tick || now - d->ticked_ms < TICK_MS)
		return;
	d->ticked_ms = now;
	d->tick(d->tick_context, true);
}

/* Is the descriptor not among those already waited for? */
static bool is_other(int fd, const struct pollfd *fds, unsigned count)
{
	unsigned i;

	for (i = 0; i < count; i++)
		if (fds[i].fd == fd)
			return false;
	return true;
}

static struct pollfd hear_pollfd(const struct deadline *d, const struct pollfd *fds, unsigned count)
{
	bool is_heard = d->hear && is_other(d->hear_fd, fds, count);

	return (struct pollfd){ .fd = is_heard ? d->hear_fd : -1, .events = POLLIN };
}

static int check_limits(const struct deadline *d, int64_t now, struct err *err)
{
	if (is_interrupted(d))
		return err_set(err, ERR_INTERRUPTED, "interrupted");
	return now >= limit_ms(d) ? deadline_passed(d, err) : 0;
}

/* Check what ends a wait, before the descriptors: a peer that never stops sending must not outlast
 * the deadline. */
static int check_wait(struct deadline *d, bool is_watching, struct err *err)
{
	int64_t now = monotonic_ms();

	tick(d, now);
	if ((is_watching && d->watch(d->watch_context, err)) ||
	    (d->check && d->check(d->watch_context, err)))
		return -1;
	return check_limits(d, now, err);
}

int deadline_poll(struct deadline *d, struct pollfd *fds, unsigned count, int64_t until_ms,
		  struct err *err)
{
	struct pollfd all[POLL_MAX + 3];
	bool is_watching = d->watch && is_other(d->watch_fd, fds, count);

	if (count > POLL_MAX)
		return err_set(err, ERR_FAILED, "cannot wait for %u descriptors at once", count);
	if (count) /* else fds may be NULL */
		memcpy(all, fds, count * sizeof(*fds));
	all[count] = (struct pollfd){ .fd = d->signal_fd, .events = POLLIN };
	all[count + 1] = (struct pollfd){ .fd = is_watching ? d->watch_fd : -1, .events = POLLIN };
	for (;;) {
		int64_t now;
		int ready;

		if (check_wait(d, is_watching, err))
			return -1;
		all[count + 2] = hear_pollfd(d, fds, count);
		ready = poll(all, count + 3, poll_ms(d, until_ms));
		if (ready < 0 && errno != EINTR)
			return err_set(err, ERR_FAILED, "cannot wait: %s", strerror(errno));
		if (ready > 0 && all[count].revents) {
			count_signals(d);
			if (is_interrupted(d))
				continue;
		}
		/* its input may never end, and must not delay the rest */
		if (ready > 0 && all[count + 2].revents) {
			d->hear(d->watch_context);
			ready--;
		}
		if (ready > 0 && !all[count].revents && !all[count + 1].revents) {
			memcpy(fds, all, count * sizeof(*fds));
			return 1;
		}
		now = monotonic_ms();
		if (now >= until_ms && now < limit_ms(d))
			return 0;
	}
}

int deadline_poll_output(struct deadline *d, struct pollfd fd, struct err *err)
{
	struct pollfd all[] = { fd, { .fd = d->signal_fd, .events = POLLIN } };

	for (;;) {
		int64_t now = monotonic_ms(), left_ms = limit_ms(d) - now;

		if (check_limits(d, now, err))
			return -1;
		if (poll(all, 2, left_ms > 60000 ? 60000 : (int)left_ms) < 0 && errno != EINTR)
			return err_set(err, ERR_FAILED, "cannot wait: %s", strerror(errno));
		if (all[1].revents)
			count_signals(d);
		else if (all[0].revents)
			return 0;
	}
}
