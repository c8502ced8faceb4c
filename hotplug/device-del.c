/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Unplug devices: send device_del and follow what QEMU and the guest answer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hotplug/device-del.h"
#include "lib/util.h"
#include "qemu/device-event.h"

/* A guest that is booting may lose the request, so it is repeated; a second one does no harm. */
#define RESEND_MS 2000

void leaving_add(struct leaving **list, unsigned *count, const struct memdev *d)
{
	*list = xgrow(*list, *count, sizeof(**list));
	(*list)[(*count)++] =
		(struct leaving){ .device = memdev_copy(d),
				  .backend = d->backend ? xstrdup(d->backend) : NULL };
}

static void free_one(struct leaving *l)
{
	memdev_free(&l->device);
	free(l->backend);
}

void leaving_drop(struct leaving *list, unsigned *count, unsigned i)
{
	free_one(&list[i]);
	memmove(&list[i], &list[i + 1], (--*count - i) * sizeof(*list));
}

void leaving_free(struct leaving **list, unsigned *count)
{
	unsigned i;

	for (i = 0; i < *count; i++)
		free_one(&(*list)[i]);
	free(*list);
	*list = NULL;
	*count = 0;
}

/* The events to wait for: an answer about any of the devices, and a stop of the VM. */
struct watch {
	struct transaction *t;
	struct leaving *leaving;
	unsigned count;
};

static bool concerns(const char *name, struct json_object *data, void *context)
{
	struct watch *watch = context;
	struct device_event_subject subject;
	unsigned i;

	if (transaction_notice_stop(watch->t, name))
		return true;
	if (!device_event_subject(name, data, &subject))
		return false;
	for (i = 0; i < watch->count; i++) {
		struct leaving *l = &watch->leaving[i];

		if (!device_event_is_about(&subject, &l->device))
			continue;
		switch (device_event_read(name, data, &l->device, l->is_asked, l->why,
					  sizeof(l->why))) {
		case DEVICE_EVENT_DELETED:
			l->is_gone = true;
			return true;
		case DEVICE_EVENT_REFUSED:
			l->is_refused = true;
			return true;
		case DEVICE_EVENT_PROGRESS:
			return true;
		case DEVICE_EVENT_NONE:
		case DEVICE_EVENT_INSERTED:
			break;
		}
	}
	return false;
}

static bool all_answered(const struct leaving *leaving, unsigned count)
{
	unsigned i;

	for (i = 0; i < count; i++)
		if (!leaving[i].is_gone && !leaving[i].is_refused)
			return false;
	return true;
}

int hotplug_notice_gone(struct transaction *t, struct leaving *leaving, unsigned count,
			int64_t until_ms, struct err *err)
{
	struct watch watch = { t, leaving, count };
	int ready;

	do {
		_cleanup_json_ struct json_object *event = NULL;

		ready = qmp_wait_event(t->view.qmp, concerns, &watch, until_ms, &event, err);
	} while (ready > 0 && !all_answered(leaving, count));
	return ready < 0 ? -1 : 0;
}

int hotplug_read_gone(struct view *v, struct leaving *leaving, unsigned count, struct err *err)
{
	struct machine now = { 0 };
	int status = machine_query_devices(&now, v->qmp, err);
	unsigned i;

	for (i = 0; i < count && !status; i++)
		leaving[i].is_gone |= !machine_device(&now, leaving[i].device.handle);
	machine_free(&now);
	return status;
}

/* Has another client just unplugged it? QEMU sends the event before it refuses the request. */
static bool has_gone(struct transaction *t, struct leaving *leaving, unsigned count, unsigned i)
{
	struct err ignored;

	return !hotplug_notice_gone(t, leaving, count, 0, &ignored) && leaving[i].is_gone;
}

/* Send device_del for all that are neither gone nor refused, all at once, then collect the
 * replies. */
static int ask_all(struct transaction *t, struct leaving *leaving, unsigned count, bool is_again,
		   struct err *err)
{
	_cleanup_free_ uint64_t *ids = xcalloc(count, sizeof(*ids));
	int status = 0;
	unsigned i;

	for (i = 0; i < count; i++) {
		struct leaving *l = &leaving[i];

		if (l->is_gone || l->is_refused)
			continue;
		l->is_asked = true;
		if (qmp_send(t->view.qmp, machine_request_device_del(l->device.handle), &ids[i],
			     err))
			return -1;
	}
	for (i = 0; i < count; i++) {
		struct err answer = { 0 };

		if (!ids[i] || !qmp_receive(t->view.qmp, ids[i], NULL, &answer))
			continue;
		/* "already in the process of unplug", or already gone: the events tell which */
		if (answer.code == ERR_QEMU_REFUSED && (is_again || has_gone(t, leaving, count, i)))
			continue;
		leaving[i].is_asked = answer.code != ERR_QEMU_REFUSED;
		*err = answer;
		status = -1;
		if (!leaving[i].is_asked)
			err_wrap(err, "QEMU does not unplug '%s'", memdev_name(&leaving[i].device));
		else if (answer.code == ERR_QEMU_UNREACHABLE)
			err_wrap(err, "'%s' may still be unplugged",
				 memdev_name(&leaving[i].device));
		/* otherwise the caller reports what ended the wait */
	}
	return status;
}

static int report_refusal(const struct leaving *leaving, unsigned count, struct err *err)
{
	unsigned i;

	for (i = 0; i < count; i++)
		if (leaving[i].is_refused)
			return err_set(err, ERR_GUEST_REFUSED,
				       "the guest does not give up '%s': %s",
				       memdev_name(&leaving[i].device), leaving[i].why);
	return 0;
}

/* Report what is still pending at the deadline, or when the time for a restarted guest is over. */
static int report_pending(const struct transaction *t, const struct leaving *leaving,
			  unsigned count, struct err *err)
{
	unsigned i;

	if (transaction_guest_has_ended(t) && err->code == ERR_TIMEOUT) {
		err_set(err, ERR_PARTIAL,
			"the guest has not let go of %s since it ended or restarted",
			count > 1 ? "them" : "it");
		for (i = 0; i < count; i++)
			if (!leaving[i].is_gone && leaving[i].why[0])
				return err_append(err, "'%s': %s", memdev_name(&leaving[i].device),
						  leaving[i].why);
		return -1;
	}
	for (i = 0; i < count; i++)
		if (!leaving[i].is_gone && !leaving[i].is_refused)
			return err_wrap(err, "the guest has not let go of '%s'",
					memdev_name(&leaving[i].device));
	return -1;
}

/* Show on the progress line how many are gone. */
static void show_gone(struct transaction *t, const struct leaving *leaving, unsigned count)
{
	uint64_t gone = 0, bytes = 0;
	unsigned i;

	for (i = 0; i < count; i++) {
		gone += leaving[i].is_gone;
		bytes += leaving[i].is_gone ? leaving[i].device.size_bytes : 0;
	}
	progress_reach(&t->progress, gone, bytes, monotonic_ms());
}

static void expect_to_go(struct transaction *t, const struct leaving *leaving, unsigned count)
{
	uint64_t bytes = 0;
	unsigned i;

	for (i = 0; i < count; i++)
		bytes += leaving[i].device.size_bytes;
	progress_expect(&t->progress, "DIMMs", count, bytes, NULL);
	show_gone(t, leaving, count);
}

/* Handle events until all are answered; 0 when none has come for RESEND_MS. */
static int take_events(struct transaction *t, struct watch *watch, struct err *err)
{
	int ready = 1;

	while (ready > 0 && !all_answered(watch->leaving, watch->count)) {
		_cleanup_json_ struct json_object *event = NULL;

		if (transaction_check_runs(t, err))
			return -1;
		ready = qmp_wait_event(t->view.qmp, concerns, watch, monotonic_ms() + RESEND_MS,
				       &event, err);
		show_gone(t, watch->leaving, watch->count);
	}
	return ready;
}

static bool is_any_asked(const struct leaving *leaving, unsigned count)
{
	unsigned i = 0;

	while (i < count && !leaving[i].is_asked)
		i++;
	return i < count;
}

static int ask_until_answered(struct transaction *t, struct watch *watch, bool is_again,
			      struct err *err)
{
	while (!all_answered(watch->leaving, watch->count)) {
		if (ask_all(t, watch->leaving, watch->count, is_again, err) ||
		    take_events(t, watch, err) < 0)
			return -1;
		is_again = true;
	}
	return 0;
}

/* A booting guest refuses what it would release once it runs: after a restart, forget its
 * refusals. */
static bool reopen(const struct transaction *t, struct leaving *leaving, unsigned count)
{
	bool is_any = false;
	unsigned i;

	for (i = 0; i < count && transaction_guest_has_ended(t); i++) {
		is_any |= leaving[i].is_refused;
		leaving[i].is_refused = false;
	}
	return is_any;
}

/* Wait until all are gone; a restarted guest is asked again until the time for its boot is over. */
static int ask_until_gone(struct transaction *t, struct watch *watch, struct err *err)
{
	int status = ask_until_answered(t, watch, is_any_asked(watch->leaving, watch->count), err);

	while (!status && reopen(t, watch->leaving, watch->count))
		status = take_events(t, watch, err) < 0 ? -1
							: ask_until_answered(t, watch, true, err);
	return status;
}

int hotplug_device_del(struct transaction *t, struct leaving *leaving, unsigned count,
		       struct err *err)
{
	struct watch watch = { t, leaving, count };

	expect_to_go(t, leaving, count);
	if (!ask_until_gone(t, &watch, err))
		return report_refusal(leaving, count, err);
	return err->code == ERR_TIMEOUT || err->code == ERR_INTERRUPTED || err->code == ERR_PARTIAL
		       ? report_pending(t, leaving, count, err)
		       : -1;
}

int hotplug_remove_backends(struct view *v, struct leaving *leaving, unsigned count,
			    struct err *err)
{
	_cleanup_free_ uint64_t *ids = xcalloc(count, sizeof(*ids));
	int status = 0;
	unsigned i;

	for (i = 0; i < count; i++)
		if (leaving[i].is_gone && leaving[i].backend &&
		    qmp_send(v->qmp, machine_request_object_del(leaving[i].backend), &ids[i], err))
			return -1;
	for (i = 0; i < count; i++) {
		if (!ids[i])
			continue;
		if (qmp_receive(v->qmp, ids[i], NULL, err)) {
			status = err_wrap(err, "the backend '%s' is left", leaving[i].backend);
			continue;
		}
		free(leaving[i].backend);
		leaving[i].backend = NULL;
	}
	return status;
}
