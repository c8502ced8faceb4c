/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a guest says to one line of commands. */
#include <stdarg.h>
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

void answer_addf(struct answer *a, const char *fmt, ...)
{
	char line[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	answer_put(a, a->count, line);
}

bool answer_finish(struct answer *a)
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

void answer_trace(const struct answer *a, const struct trace *trace)
{
	unsigned i;

	for (i = 0; i < a->count; i++)
		trace_say(trace, "guest", '<', a->lines[i]);
}
