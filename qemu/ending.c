/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What QEMU's events say about the end of a guest. */
#include <stdio.h>
#include <string.h>

#include "qemu/ending.h"

#define SAME_MS 2000

/* ShutdownCause is lower case with dashes; anything else is not copied. */
static void read_cause(struct json_object *data, struct endings *e)
{
	const char *reason;

	e->cause[0] = '\0';
	if (json_get_string(data, "reason", &reason) && strlen(reason) < sizeof(e->cause) &&
	    strspn(reason, "abcdefghijklmnopqrstuvwxyz-") == strlen(reason))
		snprintf(e->cause, sizeof(e->cause), "%s", reason);
}

/* Count an end, unless it belongs to the preceding panic or reset. */
static void begin(struct endings *e, bool is_reset, int64_t now_ms)
{
	if (e->count && e->has_panicked && !e->is_reset && !e->is_shutdown)
		return;
	if (is_reset && e->is_reset && now_ms - e->reset_ms < SAME_MS) {
		e->reset_ms = now_ms;
		return;
	}
	*e = (struct endings){ .count = e->count + 1 };
}

bool endings_take(struct endings *e, const char *event, struct json_object *data, int64_t now_ms)
{
	bool is_reset = !strcmp(event, "RESET"), is_shutdown = !strcmp(event, "SHUTDOWN");
	bool is_crash = !strcmp(event, "GUEST_CRASHLOADED");
	bool is_panic = is_crash || !strcmp(event, "GUEST_PANICKED");

	if (!is_reset && !is_shutdown && !is_panic)
		return false;
	begin(e, is_reset, now_ms);
	e->has_panicked |= is_panic;
	e->has_crash_kernel |= is_crash;
	if (is_panic || (is_reset && e->is_reset))
		return true;
	e->is_reset |= is_reset;
	e->is_shutdown |= is_shutdown;
	if (is_reset)
		e->reset_ms = now_ms;
	read_cause(data, e);
	return true;
}

bool endings_end_qemu(const struct endings *e)
{
	return e->is_shutdown &&
	       (!strcmp(e->cause, "host-qmp-quit") || !strcmp(e->cause, "host-signal"));
}

void endings_describe(const struct endings *e, struct buf *out)
{
	if (e->has_panicked)
		buf_addf(out, "the guest's kernel has panicked%s",
			 e->has_crash_kernel ? " and starts its crash kernel" : "");
	if (e->has_panicked && e->is_reset)
		buf_addf(out, ", and the guest has been reset");
	else if (e->has_panicked && e->is_shutdown)
		buf_addf(out, ", and the VM has shut down");
	else if (e->is_reset)
		buf_addf(out, "the guest has been reset");
	else if (e->is_shutdown)
		buf_addf(out, "the VM has shut down");
	if (e->count > 1)
		buf_addf(out, " again");
	if (e->cause[0])
		buf_addf(out, " (%s)", e->cause);
}
