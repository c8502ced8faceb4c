/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * ending: what QEMU's events say about the end of a guest: a reset, a shutdown, a panic
 * (qapi/run-state.json). The shell in the guest, and all that it was asked for, is gone then. Must
 * never: wait.
 */
#ifndef QEMU_ENDING_H
#define QEMU_ENDING_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/json.h"
#include "lib/util.h"

/* How the guest has ended, and how often. Zero-initialise it. */
struct endings {
	unsigned count;
	/* of the last time: a panic may be followed by a reset or a shutdown, which is one end */
	bool has_panicked, is_reset, is_shutdown;
	bool has_crash_kernel; /* its kernel has loaded another one, which saves what it can */
	char cause[32];	       /* ShutdownCause, as "guest-reset"; "" when not told */
	int64_t reset_ms;      /* when the last reset was */
};

/*
 * endings_take() - count the event, if it is about the end of the guest; else false
 * @now_ms:	CLOCK_MONOTONIC. A reset that comes at once after another is the same one: SeaBIOS
 *		makes a warm start a cold one (hard reset in handle_resume(), src/resume.c)
 */
bool endings_take(struct endings *e, const char *event, struct json_object *data, int64_t now_ms);

/* endings_end_qemu() - does QEMU itself end with it, whatever -no-shutdown says? (qmp_quit() and
 * qemu_system_killed() in softmmu/runstate.c) */
bool endings_end_qemu(const struct endings *e);

/* endings_describe() - append "the guest has been reset (host-qmp-system-reset)" and such */
void endings_describe(const struct endings *e, struct buf *out);

#endif
