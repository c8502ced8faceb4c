/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Devices that were to be unplugged but stay, each with the reason. */
#include <stdlib.h>
#include <string.h>

#include "hotplug/stayers.h"
#include "lib/util.h"

#define REASONS_MAX 3 /* in a message; the JSON report has all */

void stayers_add(struct stayers *s, const char *name, bool is_chosen, const struct err *err)
{
	if (stayers_have(s, name))
		return;
	s->list = xgrow(s->list, s->count, sizeof(*s->list));
	s->list[s->count++] =
		(struct stayer){ .name = xstrdup(name), .err = *err, .is_chosen = is_chosen };
}

bool stayers_have(const struct stayers *s, const char *name)
{
	unsigned i = 0;

	while (i < s->count && strcmp(s->list[i].name, name) != 0)
		i++;
	return i < s->count;
}

void stayers_free(struct stayers *s)
{
	unsigned i;

	for (i = 0; i < s->count; i++)
		free(s->list[i].name);
	free(s->list);
	*s = (struct stayers){ 0 };
}

bool stayers_count_against(const struct stayers *s, bool is_short)
{
	unsigned i = 0;

	while (i < s->count && s->list[i].is_chosen && !is_short)
		i++;
	return i < s->count;
}

int stayers_explain(const struct stayers *s, const char *gone, unsigned gone_count, struct err *err)
{
	unsigned i;

	err_set(err, ERR_PARTIAL, "%u of %u %s unplugged (%s)", gone_count, gone_count + s->count,
		gone_count > 1 ? "are" : "is", gone);
	for (i = 0; i < s->count && i < REASONS_MAX; i++)
		err_append(err, "'%s' is not: %s", s->list[i].name, s->list[i].err.message);
	if (i < s->count)
		err_append(err, "%u more are not", s->count - i);
	return err_hint(err, "%s", s->list[0].err.hint);
}
