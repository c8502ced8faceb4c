/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * ending: what QEMU's events say about the end of a guest: a reset, a shutdown, a panic
 * (qapi/run-state.json). The guest's shell and its requests are lost then. Never waits.
 */
#ifndef QEMU_ENDING_H
#define QEMU_ENDING_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/json.h"
#include "lib/util.h"

/* How often and how the guest has ended. Zero-initialise it. */
struct endings {
	unsigned count;
	/* of the last end: a panic followed by a reset or a shutdown counts as one */
	bool has_panicked, is_reset, is_shutdown;
	bool has_crash_kernel; /* its kernel has a crash kernel loaded, which will save a dump */
	char cause[32];	       /* ShutdownCause, such as "guest-reset"; "" if absent */
	int64_t reset_ms;      /* when the last reset was */
};

/*
 * endings_take() - count the event if it is about the end of the guest; else false
 * @now_ms:	CLOCK_MONOTONIC. A reset right after another counts as the same one: SeaBIOS turns a
 *		warm start into a cold one (hard reset in handle_resume(), src/resume.c)
 */
bool endings_take(struct endings *e, const char *event, struct json_object *data, int64_t now_ms);

/* endings_end_qemu() - does QEMU itself exit then, even with -no-shutdown? (qmp_quit() and
 * qemu_system_killed() in softmmu/runstate.c) */
bool endings_end_qemu(const struct endings *e);

/* endings_describe() - append a description such as "the guest has been reset
 * (host-qmp-system-reset)" */
void endings_describe(const struct endings *e, struct buf *out);

#endif
