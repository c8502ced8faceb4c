/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What may end any wait of a command early. */
#include <string.h>

#include "hotplug/watch.h"
#include "qmp.h"

#define REBOOT_MS 20000 /* for a restarted guest until it can release a DIMM */
#define PANIC_MS  6000	/* for a reset to follow: panic=5 is usual */
#define LAST_MS	  1000	/* for QEMU's exit to follow */

/* What a phase waits for. */
static const struct {
	const char *phase, *text;
} waits[] = {
	{ "attach", "QEMU was adding memory" },
	{ "appear", "memhp waited for it to take the new memory" },
	{ "online", "memhp waited for it to bring memory online" },
	{ "offline", "memhp waited for it to take memory offline" },
	{ "release", "memhp waited for it to let go of memory" },
	{ "resize", "memhp waited for virtio-mem to change its size" },
	{ "undo", "memhp was undoing what it had begun" },
};

static const char *text_of(const char *phase)
{
	size_t i;

	for (i = 0; phase && i < ARRAY_SIZE(waits); i++)
		if (!strcmp(waits[i].phase, phase))
			return waits[i].text;
	return "memhp waited for its answer";
}

/* Does the phase wait for QEMU only? After the guest's end, what it has released is still removed
 * and read back. */
static bool is_of_qemu_only(const char *phase)
{
	return phase && (!strcmp(phase, "remove") || !strcmp(phase, "verify"));
}

/* Send nothing more to a guest that has ended: something else may be reading the channel now. */
static void abandon(struct guest_watch *w)
{
	w->deadline->has_ended = true;
	if (w->view->guest)
		guest_abandon(w->view->guest);
}

static void notice(void *context, const char *event, struct json_object *data)
{
	struct guest_watch *w = context;

	if (endings_take(&w->endings, event, data, monotonic_ms()))
		abandon(w);
}

/* Read the guest's console during a wait for something else. */
static void read_console(void *context)
{
	struct guest_watch *w = context;

	if (!guest_hear(w->view->guest))
		w->is_console_closed = true;
	if (guest_has_panicked(w->view->guest))
		watch_note_panic(w);
}

/* Watch the guest's console as long as no request is waiting for its output. */
static void watch_console(struct guest_watch *w)
{
	struct deadline *d = w->deadline;

	d->hear_fd = w->view->guest && !w->is_console_closed ? guest_idle_fd(w->view->guest) : -1;
	d->hear = d->hear_fd >= 0 ? read_console : NULL;
}

static int check(void *context, struct err *err)
{
	struct guest_watch *w = context;

	watch_console(w);
	if (w->endings.count == w->told || (w->progress && is_of_qemu_only(w->progress->phase)))
		return 0;
	abandon(w);
	return watch_report(w, err);
}

static bool is_nothing(const char *name, struct json_object *data, void *context)
{
	(void)name, (void)data, (void)context;
	return false;
}

static bool is_stop(const char *name, struct json_object *data, void *context)
{
	(void)data;
	return watch_notice_stop(context, name);
}

/* After a panic: the guest restarts, or the VM stops. */
static bool is_rest(const char *name, struct json_object *data, void *context)
{
	return is_stop(name, data, context) || !strcmp(name, "RESET");
}

/* Read the monitor during a wait for something else. */
static int read_monitor(void *context, struct err *err)
{
	_cleanup_json_ struct json_object *event = NULL;
	struct guest_watch *w = context;

	if (qmp_wait_event(w->view->qmp, is_stop, w, 0, &event, err) < 0)
		return -1;
	return watch_check_runs(w, err);
}

int watch_begin(struct guest_watch *w, struct view *view, struct deadline *d,
		const struct progress *progress, struct err *err)
{
	_cleanup_json_ struct json_object *event = NULL;

	if (!view->qmp || w->view)
		return 0;
	/* drop earlier events that an open session has kept or not read yet */
	if (qmp_wait_event(view->qmp, is_nothing, NULL, 0, &event, err) < 0)
		return -1;
	*w = (struct guest_watch){ .view = view, .deadline = d, .progress = progress };
	d->watch = read_monitor;
	d->check = check;
	d->watch_context = w;
	d->watch_fd = qmp_fd(view->qmp);
	qmp_observe(view->qmp, notice, w);
	return 0;
}

void watch_end(struct guest_watch *w)
{
	if (w->view) {
		w->deadline->watch = NULL;
		w->deadline->check = NULL;
		w->deadline->hear = NULL;
		w->deadline->stalled_by = NULL;
		if (w->view->qmp)
			qmp_observe(w->view->qmp, NULL, NULL);
	}
	buf_free(&w->standstill);
	*w = (struct guest_watch){ 0 };
}

const char *watch_remark(const struct guest_watch *w)
{
	if (!w->endings.count)
		return NULL;
	if (w->endings.is_reset)
		return "the guest has been reset";
	return w->endings.is_shutdown ? "the VM has shut down" : "the guest's kernel has panicked";
}

bool watch_has_ended(const struct guest_watch *w)
{
	return w->endings.count;
}

void watch_note_panic(struct guest_watch *w)
{
	endings_take(&w->endings, "GUEST_PANICKED", NULL, monotonic_ms());
	if (w->view)
		abandon(w);
}

void watch_go_on(struct guest_watch *w)
{
	w->told = w->endings.count;
}

int watch_await_rest(struct guest_watch *w, bool is_reset_wanted, struct err *err)
{
	_cleanup_json_ struct json_object *event = NULL;
	int ready;

	watch_go_on(w);
	if (!w->view || w->endings.is_reset || (w->deadline->stalled_by && !w->endings.is_shutdown))
		return 0;
	ready = qmp_wait_event(w->view->qmp, is_rest, w,
			       deadline_within(w->deadline, is_reset_wanted ? PANIC_MS : LAST_MS),
			       &event, err);
	watch_go_on(w);
	return ready < 0 && err->code == ERR_QEMU_UNREACHABLE ? -1 : 0;
}

int64_t watch_limit_ms(const struct guest_watch *w)
{
	return w->endings.is_reset ? REBOOT_MS : PANIC_MS;
}

int watch_report(const struct guest_watch *w, struct err *err)
{
	_cleanup_buf_ struct buf text = { 0 };

	endings_describe(&w->endings, &text);
	return err_set(
		err, endings_end_qemu(&w->endings) ? ERR_QEMU_UNREACHABLE : ERR_GUEST_UNREACHABLE,
		"%s while %s", buf_text(&text), text_of(w->progress ? w->progress->phase : NULL));
}

bool watch_notice_stop(struct guest_watch *w, const char *event)
{
	if (!w->view || (strcmp(event, "STOP") != 0 && strcmp(event, "SUSPEND") != 0))
		return false;
	w->deadline->stalled_by = "the VM was paused";
	return true;
}

/* STOP carries no reason, and a migration ends without an event, so ask QEMU. */
int watch_check_runs(struct guest_watch *w, struct err *err)
{
	struct deadline *d = w->view ? w->deadline : NULL;

	if (!d || !d->stalled_by)
		return 0;
	if (machine_query_state(&w->view->machine, w->view->qmp, err))
		return -1;
	buf_drop(&w->standstill, w->standstill.len);
	machine_describe_state(&w->view->machine, &w->standstill);
	d->stalled_by = w->view->machine.is_running ? NULL : buf_text(&w->standstill);
	if (!machine_is_over(&w->view->machine))
		return 0;
	err_set(err, ERR_PARTIAL, "%s", buf_text(&w->standstill));
	return err_hint(err, "when the guest runs again, there or here: memhp repair");
}
