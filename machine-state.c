/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whether the VM runs, and what its state means when it does not (RunState, qapi/run-state.json).
 */
#include <stdlib.h>
#include <string.h>

#include "machine.h"

/* States that end only with the VM. */
static const struct {
	const char *state, *words;
} ends[] = {
	{ "postmigrate", "the VM has migrated away" },
	{ "shutdown", "the VM has shut down" },
	{ "guest-panicked", "the guest's kernel has panicked" },
	{ "internal-error", "QEMU cannot run the VM any further" },
};

static const char *end_words(const struct machine *m)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ends); i++)
		if (!m->is_running && !strcmp(m->status, ends[i].state))
			return ends[i].words;
	return NULL;
}

bool machine_is_over(const struct machine *m)
{
	return end_words(m);
}

void machine_describe_state(const struct machine *m, struct buf *out)
{
	const char *words = end_words(m);

	if (words)
		buf_addf(out, "%s (%s)", words, m->status);
	else if (!m->is_running && strcmp(m->status, "paused") != 0)
		buf_addf(out, "the VM was paused (%s)", m->status);
	else if (!m->is_running)
		buf_addf(out, "the VM was paused");
}
