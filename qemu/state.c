/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Does the VM run, and if not, what does its state mean (RunState, qapi/run-state.json)? */
#include <stdlib.h>
#include <string.h>

#include "qemu/machine.h"

/* States other than a plain pause: what they mean and what to do. */
static const struct state {
	const char *name, *text, *hint;
	bool is_over; /* `cont` cannot leave it */
} states[] = {
	{ "postmigrate", "the VM has migrated away", "it runs where it has gone to: name that QEMU",
	  true },
	{ "shutdown", "the VM has shut down", "start it again first", true },
	{ "guest-panicked", "the guest's kernel has panicked", "start it again first", true },
	{ "internal-error", "QEMU cannot run the VM any further", "start it again first", true },
	{ "suspended", "the guest sleeps", "wake it up: memhp qmp system_wakeup", false },
	{ "inmigrate", "the VM waits for a migration to come in",
	  "it can be changed when it has come in and runs", false },
	{ "finish-migrate", "the VM is about to migrate away",
	  "wait for the end of the migration, or memhp qmp migrate_cancel", false },
};

static const struct state *find_state(const struct machine *m)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(states); i++)
		if (!m->is_running && !strcmp(m->status, states[i].name))
			return &states[i];
	return NULL;
}

bool machine_is_over(const struct machine *m)
{
	const struct state *state = find_state(m);

	return state && state->is_over;
}

void machine_describe_state(const struct machine *m, struct buf *out)
{
	const struct state *state = find_state(m);

	if (state)
		buf_addf(out, "%s (%s)", state->text, m->status);
	else if (!m->is_running && strcmp(m->status, "paused") != 0)
		buf_addf(out, "the VM was paused (%s)", m->status);
	else if (!m->is_running)
		buf_addf(out, "the VM was paused");
}

int machine_check_runs(const struct machine *m, struct err *err)
{
	const struct state *state = find_state(m);

	if (m->is_running)
		return 0;
	if (state) {
		err_set(err, ERR_FAILED, "%s (%s)", state->text, m->status);
		return err_hint(err, "%s", state->hint);
	}
	err_set(err, ERR_FAILED, "the VM is %s: its guest cannot answer",
		strcmp(m->status, "prelaunch") ? m->status : "paused (prelaunch)");
	return err_hint(err, "let it run first: memhp qmp cont");
}
