/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The one clock of a command. A pipe replaces the signalfd. */
#include "unit.h"

#include <fcntl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "lib/deadline.h"

/* Pipes of a test: one for data, one for signals. */
struct ends {
	int data[2], signals[2];
};

static int set_up(void **state)
{
	struct ends *e = xcalloc(1, sizeof(*e));

	*state = e;
	return pipe2(e->data, O_CLOEXEC | O_NONBLOCK) || pipe2(e->signals, O_CLOEXEC | O_NONBLOCK);
}

static int tear_down(void **state)
{
	struct ends *e = *state;

	close(e->data[0]);
	close(e->data[1]);
	close(e->signals[0]);
	close(e->signals[1]);
	util_cleanup_free(&e);
	return 0;
}

static void interrupt(const struct ends *e)
{
	const struct signalfd_siginfo info = { .ssi_signo = 2 };

	assert_int_equal(write(e->signals[1], &info, sizeof(info)), sizeof(info));
}

static void make_ready(const struct ends *e)
{
	assert_int_equal(write(e->data[1], "x", 1), 1);
}

/* Wait for data until @until_ms. */
static int wait_for(const struct ends *e, struct deadline *d, int64_t until_ms, struct err *err)
{
	struct pollfd fd = { .fd = e->data[0], .events = POLLIN };
	int status;

	*err = (struct err){ 0 };
	status = deadline_poll(d, &fd, 1, until_ms, err);
	assert_int_equal(status == 1, !!(fd.revents & POLLIN));
	return status;
}

static void a_share_of_the_time_is_kept_for_undoing(void **state)
{
	static const struct {
		int64_t timeout_ms, kept_ms;
	} rows[] = {
		{ 60000, 5000 }, { 20000, 5000 }, { 16000, 4000 },    { 4000, 1000 },
		{ 100, 25 },	 { 1, 0 },	  { 86400000, 5000 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct deadline d;
		int64_t before = monotonic_ms();

		deadline_init(&d, rows[i].timeout_ms, -1);
		check(d.start_ms >= before && d.start_ms <= monotonic_ms(), "row %zu", i);
		check(d.final_ms == d.start_ms + rows[i].timeout_ms, "row %zu", i);
		check(d.work_ms == d.final_ms - rows[i].kept_ms, "row %zu", i);
		check(deadline_left_ms(&d) <= rows[i].timeout_ms - rows[i].kept_ms, "row %zu", i);
	}
}

static void undoing_may_use_what_was_kept(void **state)
{
	struct deadline d;

	(void)state;
	deadline_init(&d, 60000, -1);
	assert_in_range(deadline_left_ms(&d), 50001, 55000);
	deadline_undo(&d);
	assert_in_range(deadline_left_ms(&d), 55001, 60000);
	deadline_work(&d);
	assert_in_range(deadline_left_ms(&d), 50001, 55000);
}

static void no_timeout_never_ends(void **state)
{
	struct deadline d;

	(void)state;
	deadline_init(&d, 0, -1);
	assert_true(deadline_left_ms(&d) == DEADLINE_NEVER);
	deadline_undo(&d);
	assert_true(deadline_left_ms(&d) == DEADLINE_NEVER);
	assert_true(deadline_within(&d, 1000) <= monotonic_ms() + 1000);
	assert_true(deadline_within(&d, 1000) >= d.start_ms + 1000);
}

static void a_delay_ends_with_the_deadline_at_the_latest(void **state)
{
	struct deadline d;

	(void)state;
	deadline_init(&d, 20000, -1);
	assert_true(deadline_within(&d, 1000) < d.work_ms);
	assert_true(deadline_within(&d, 1000) >= d.start_ms + 1000);
	assert_true(deadline_within(&d, 100000) <= d.work_ms);
	d.work_ms = d.start_ms - 1000;
	assert_int_equal(deadline_left_ms(&d), 0);
	assert_true(deadline_within(&d, 1000) <= monotonic_ms());
}

static void a_ready_descriptor_ends_a_wait(void **state)
{
	const struct ends *e = *state;
	struct deadline d;
	struct err err;

	deadline_init(&d, 60000, e->signals[0]);
	make_ready(e);
	assert_int_equal(wait_for(e, &d, DEADLINE_NEVER, &err), 1);
	assert_int_equal(wait_for(e, &d, 0, &err), 1);
	assert_int_equal(err.code, ERR_NONE);
}

static void the_callers_own_limit_is_no_failure(void **state)
{
	const struct ends *e = *state;
	struct deadline d;
	struct err err;

	deadline_init(&d, 60000, e->signals[0]);
	assert_int_equal(wait_for(e, &d, 0, &err), 0);
	assert_int_equal(wait_for(e, &d, monotonic_ms() + 2, &err), 0);
	assert_int_equal(err.code, ERR_NONE);
	deadline_init(&d, 0, -1);
	assert_int_equal(wait_for(e, &d, monotonic_ms() + 2, &err), 0);
}

static void a_wait_for_nothing_but_the_time(void **state)
{
	const struct ends *e = *state;
	struct deadline d;
	struct err err = { 0 };

	deadline_init(&d, 60000, e->signals[0]);
	assert_int_equal(deadline_poll(&d, NULL, 0, monotonic_ms() + 1, &err), 0);
	interrupt(e);
	assert_int_equal(deadline_poll(&d, NULL, 0, DEADLINE_NEVER, &err), -1);
	assert_int_equal(err.code, ERR_INTERRUPTED);
}

static void the_deadline_is_a_failure(void **state)
{
	const struct ends *e = *state;
	struct deadline d;
	struct err err;

	deadline_init(&d, 4, e->signals[0]);
	assert_int_equal(wait_for(e, &d, DEADLINE_NEVER, &err), -1);
	assert_int_equal(err.code, ERR_TIMEOUT);
	assert_true(monotonic_ms() >= d.work_ms);
	assert_int_equal(wait_for(e, &d, monotonic_ms() + 100000, &err), -1);
	assert_int_equal(err.code, ERR_TIMEOUT);
}

/* Data that has come may still be read, but not for ever. */
static void a_peer_that_never_falls_silent_does_not_outlast_the_deadline(void **state)
{
	const struct ends *e = *state;
	struct deadline d;
	struct err err;
	int i, status = 1;

	deadline_init(&d, 60000, e->signals[0]);
	d.work_ms = monotonic_ms() - 1;
	make_ready(e);
	for (i = 0; i < 10000 && status == 1; i++)
		status = wait_for(e, &d, DEADLINE_NEVER, &err);
	assert_int_equal(status, -1);
	assert_int_equal(err.code, ERR_TIMEOUT);
}

static void undoing_waits_up_to_the_end_of_its_share(void **state)
{
	const struct ends *e = *state;
	struct deadline d;
	struct err err;

	deadline_init(&d, 100000, e->signals[0]);
	d.work_ms = monotonic_ms() - 1;
	assert_int_equal(wait_for(e, &d, DEADLINE_NEVER, &err), -1);
	deadline_undo(&d);
	assert_int_equal(wait_for(e, &d, monotonic_ms() + 2, &err), 0);
	d.final_ms = monotonic_ms() - 1;
	assert_int_equal(wait_for(e, &d, DEADLINE_NEVER, &err), -1);
	assert_int_equal(err.code, ERR_TIMEOUT);
}

static void the_first_signal_interrupts_even_when_data_is_ready(void **state)
{
	const struct ends *e = *state;
	struct deadline d;
	struct err err;

	deadline_init(&d, 60000, e->signals[0]);
	make_ready(e);
	interrupt(e);
	assert_int_equal(wait_for(e, &d, DEADLINE_NEVER, &err), -1);
	assert_int_equal(err.code, ERR_INTERRUPTED);
	assert_int_equal(wait_for(e, &d, DEADLINE_NEVER, &err), -1);
	assert_int_equal(d.interrupts, 1);
}

static void a_signal_without_any_deadline_interrupts(void **state)
{
	const struct ends *e = *state;
	struct deadline d;
	struct err err;

	deadline_init(&d, 0, e->signals[0]);
	interrupt(e);
	assert_int_equal(wait_for(e, &d, DEADLINE_NEVER, &err), -1);
	assert_int_equal(err.code, ERR_INTERRUPTED);
}

static void undoing_is_stopped_by_the_second_signal(void **state)
{
	const struct ends *e = *state;
	struct deadline d;
	struct err err;

	deadline_init(&d, 60000, e->signals[0]);
	interrupt(e);
	assert_int_equal(wait_for(e, &d, 0, &err), -1);
	deadline_undo(&d);
	make_ready(e);
	assert_int_equal(wait_for(e, &d, DEADLINE_NEVER, &err), 1);
	interrupt(e);
	assert_int_equal(wait_for(e, &d, DEADLINE_NEVER, &err), -1);
	assert_int_equal(err.code, ERR_INTERRUPTED);
	assert_int_equal(d.interrupts, 2);
}

static void two_signals_at_once_stop_the_undoing_too(void **state)
{
	const struct ends *e = *state;
	struct deadline d;
	struct err err;

	deadline_init(&d, 60000, e->signals[0]);
	interrupt(e);
	interrupt(e);
	deadline_undo(&d);
	assert_int_equal(wait_for(e, &d, DEADLINE_NEVER, &err), -1);
	assert_int_equal(err.code, ERR_INTERRUPTED);
}

static void count_tick(void *context, bool is_waiting)
{
	*(int *)context += is_waiting;
}

static void output_waits_for_the_limits_and_the_signals_alone(void **state)
{
	const struct ends *e = *state;
	struct pollfd fd = { .fd = e->data[0], .events = POLLIN };
	struct deadline d;
	struct err err;
	int ticks = 0;

	deadline_init(&d, 4, e->signals[0]);
	d.tick = count_tick;
	d.tick_context = &ticks;
	d.ticked_ms -= 1000;
	assert_int_equal(deadline_poll_output(&d, fd, &err), -1);
	assert_int_equal(err.code, ERR_TIMEOUT);
	deadline_init(&d, 60000, e->signals[0]);
	make_ready(e);
	assert_int_equal(deadline_poll_output(&d, fd, &err), 0);
	interrupt(e);
	fd.fd = -1;
	assert_int_equal(deadline_poll_output(&d, fd, &err), -1);
	assert_int_equal(err.code, ERR_INTERRUPTED);
	assert_int_equal(d.interrupts, 1);
	assert_int_equal(ticks, 0);
}

static void too_many_descriptors_are_refused(void **state)
{
	struct pollfd fds[9];
	struct deadline d;
	struct err err = { 0 };
	unsigned i;

	(void)state;
	for (i = 0; i < 9; i++)
		fds[i] = (struct pollfd){ .fd = -1 };
	deadline_init(&d, 1000, -1);
	assert_int_equal(deadline_poll(&d, fds, 9, 0, &err), -1);
	assert_int_equal(err.code, ERR_FAILED);
	assert_int_equal(deadline_poll(&d, fds, 8, 0, &err), 0);
}

static void a_long_wait_ticks(void **state)
{
	const struct ends *e = *state;
	struct deadline d;
	struct err err;
	int ticks = 0;

	deadline_init(&d, 60000, e->signals[0]);
	d.tick = count_tick;
	d.tick_context = &ticks;
	assert_int_equal(wait_for(e, &d, monotonic_ms() + 5, &err), 0);
	assert_int_equal(ticks, 0);
	assert_int_equal(wait_for(e, &d, monotonic_ms() + 1100, &err), 0);
	assert_in_range(ticks, 1, 3);
}

/* Many waits that a peer ends at once add up to a long one. */
static void short_waits_tick_when_it_is_time(void **state)
{
	const struct ends *e = *state;
	struct deadline d;
	struct err err;
	int ticks = 0, i;

	deadline_init(&d, 60000, e->signals[0]);
	d.tick = count_tick;
	d.tick_context = &ticks;
	make_ready(e);
	for (i = 1; i <= 3; i++) {
		d.ticked_ms = monotonic_ms() - 1000;
		assert_int_equal(wait_for(e, &d, DEADLINE_NEVER, &err), 1);
		assert_int_equal(ticks, i);
		d.ticked_ms = monotonic_ms() + 60000;
		assert_int_equal(wait_for(e, &d, DEADLINE_NEVER, &err), 1);
		assert_int_equal(ticks, i);
	}
}

/* Input that is read during other waits, and its result. */
struct hearing {
	int fd, heard;
	bool is_bad;
};

static void hear(void *context)
{
	struct hearing *h = context;
	char byte;

	h->heard += read(h->fd, &byte, 1) == 1;
	h->is_bad = true;
}

static int check_hearing(void *context, struct err *err)
{
	const struct hearing *h = context;

	return h->is_bad ? err_set(err, ERR_GUEST_UNREACHABLE, "bad news") : 0;
}

static void what_is_heard_on_the_side_ends_the_wait(void **state)
{
	const struct ends *e = *state;
	struct hearing h = { 0 };
	struct deadline d;
	struct err err;
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	h.fd = ends[0];
	deadline_init(&d, 60000, e->signals[0]);
	d.check = check_hearing;
	d.hear = hear;
	d.hear_fd = ends[0];
	d.watch_context = &h;
	make_ready(e);
	assert_int_equal(wait_for(e, &d, DEADLINE_NEVER, &err), 1);
	/* another ready descriptor is not delayed */
	assert_int_equal(write(ends[1], "x", 1), 1);
	assert_int_equal(wait_for(e, &d, DEADLINE_NEVER, &err), 1);
	assert_int_equal(h.heard, 1);
	assert_int_equal(wait_for(e, &d, DEADLINE_NEVER, &err), -1);
	assert_int_equal(err.code, ERR_GUEST_UNREACHABLE);
	/* a wait for that descriptor itself gets its input as usual */
	h.is_bad = false;
	d.hear_fd = e->data[0];
	assert_int_equal(wait_for(e, &d, DEADLINE_NEVER, &err), 1);
	assert_int_equal(h.heard, 1);
	close(ends[0]);
	close(ends[1]);
}

#define with_ends(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_share_of_the_time_is_kept_for_undoing),
		cmocka_unit_test(undoing_may_use_what_was_kept),
		cmocka_unit_test(no_timeout_never_ends),
		cmocka_unit_test(a_delay_ends_with_the_deadline_at_the_latest),
		with_ends(a_ready_descriptor_ends_a_wait),
		with_ends(the_callers_own_limit_is_no_failure),
		with_ends(a_wait_for_nothing_but_the_time),
		with_ends(the_deadline_is_a_failure),
		with_ends(a_peer_that_never_falls_silent_does_not_outlast_the_deadline),
		with_ends(undoing_waits_up_to_the_end_of_its_share),
		with_ends(the_first_signal_interrupts_even_when_data_is_ready),
		with_ends(a_signal_without_any_deadline_interrupts),
		with_ends(undoing_is_stopped_by_the_second_signal),
		with_ends(two_signals_at_once_stop_the_undoing_too),
		with_ends(output_waits_for_the_limits_and_the_signals_alone),
		cmocka_unit_test(too_many_descriptors_are_refused),
		with_ends(a_long_wait_ticks),
		with_ends(short_waits_tick_when_it_is_time),
		with_ends(what_is_heard_on_the_side_ends_the_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
