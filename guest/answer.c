/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a guest answers to a request. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest/answer.h"
#include "lib/util.h"

void answer_free(struct answer *a)
{
	unsigned i;

	for (i = 0; i < a->count; i++)
		free(a->lines[i]);
	free(a->lines);
	free(a->memory.runs);
	*a = (struct answer){ 0 };
}

void answer_put(struct answer *a, unsigned i, const char *line)
{
	while (a->count <= i) {
		a->lines = xgrow(a->lines, a->count, sizeof(*a->lines));
		a->lines[a->count++] = NULL;
	}
	if (!a->lines[i]) {
		a->lines[i] = xstrdup(line);
		a->bytes += strlen(line);
	}
}

void answer_add_run(struct answer *a, const struct agent_run *block)
{
	struct agent_memory *m = &a->memory;
	struct agent_run *last = m->runs_count ? &m->runs[m->runs_count - 1] : NULL;

	if (last && block->first == last->last + 1 && block->is_online == last->is_online &&
	    block->can_offline == last->can_offline) {
		last->last = block->last;
		return;
	}
	m->runs = xgrow(m->runs, m->runs_count, sizeof(*m->runs));
	m->runs[m->runs_count++] = *block;
}

static void set_result(struct answer *a, enum result result, uint64_t block)
{
	if (a->result >= RESULT_GONE || result <= a->result)
		return;
	a->result = result;
	a->block = block;
}

void answer_fail(struct answer *a, uint64_t block, const char *why)
{
	if (a->result < RESULT_GONE)
		snprintf(a->why, sizeof(a->why), "%s", why);
	set_result(a, RESULT_FAILED, block);
}

bool answer_end(struct answer *a)
{
	unsigned i;

	if (!a->count || strcmp(a->lines[a->count - 1], "end") != 0)
		return false;
	for (i = 0; i < a->count; i++)
		if (!a->lines[i])
			return false;
	free(a->lines[--a->count]);
	return true;
}

/* A block's number up to a blank or the end of the line; *rest: what follows it. */
static bool read_block(const char *text, uint64_t *block, const char **rest)
{
	size_t len = strcspn(text, " ");
	_cleanup_free_ char *number = xstrndup(text, len);

	*rest = text + len + strspn(text + len, " ");
	return parse_u64(number, 10, block);
}

/* "failed BLOCK WHY", "gone BLOCK", "absent BLOCK", "stopped", "held DUMP"; other lines are
 * about memory. False when it makes no sense. */
static bool read_line(struct answer *a, const char *line)
{
	const char *rest;
	uint64_t block;

	if (!strncmp(line, "failed ", 7)) {
		if (!read_block(line + 7, &block, &rest))
			return false;
		answer_fail(a, block, rest);
	} else if (!strncmp(line, "gone ", 5)) {
		if (!read_block(line + 5, &block, &rest))
			return false;
		set_result(a, RESULT_GONE, block);
	} else if (!strncmp(line, "absent ", 7)) {
		set_result(a, RESULT_ABSENT, 0);
	} else if (!strcmp(line, "stopped")) {
		set_result(a, RESULT_STOPPED, 0);
	} else if (!strncmp(line, "held ", 5)) {
		a->blocker = line + 5;
	}
	return true;
}

int answer_read(struct answer *a, struct err *err)
{
	unsigned i;

	for (i = 0; i < a->count; i++)
		if (!read_line(a, a->lines[i]))
			return err_set(err, ERR_GUEST_UNREACHABLE,
				       "cannot understand the guest: '%.80s'", a->lines[i]);
	return 0;
}

/* What an agent knows, for --verbose. */
static void trace_memory(const struct agent_memory *m, const struct trace *trace)
{
	unsigned i;

	for (i = 0; i < m->runs_count; i++) {
		const struct agent_run *run = &m->runs[i];
		_cleanup_free_ char *text = xasprintf(
			"memory%llu-memory%llu %s", (unsigned long long)run->first,
			(unsigned long long)run->last, run->is_online ? "online" : "offline");

		trace_say(trace, "guest", '<', text);
	}
}

void answer_trace(const struct answer *a, const struct trace *trace)
{
	unsigned i;

	for (i = 0; i < a->count; i++)
		trace_say(trace, "guest", '<', a->lines[i]);
	if (a->is_from_agent && trace_is_on(trace))
		trace_memory(&a->memory, trace);
}
