/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What keeps a block from going offline: the kernel's dump of a page (mm/debug.c), described. */
#include <stdlib.h>
#include <string.h>

#include "hotplug/blocker.h"
#include "lib/util.h"

#define ASK_MS	     500 /* with less left, the guest is not asked */
#define NAME_MAX_LEN 60

static const char no_room[] = "-12 "; /* ENOMEM from migrate_pages(): there is no room elsewhere */

/* The first of these that the dump contains tells what the page is. */
static const struct {
	const char *sign, *text;
} kinds[] = {
	{ "aops:shmem_aops", "a file in tmpfs or shared memory" },
	{ "aops:", "a cached file" },
	{ "anon flags:", "the memory of a program" },
	{ "slab", "objects of the kernel" },
	{ "reserved", "memory that the kernel has reserved" },
};

static const char *kind_of(const char *dump)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		if (strstr(dump, kinds[i].sign))
			return kinds[i].text;
	return "memory of the kernel";
}

/* dentry name:"FILE", with "(?)" if the kernel was not sure; NULL if there is none; the caller
 * frees it */
static char *name_of(const char *dump)
{
	const char *at = strstr(dump, " dentry name");
	const char *start = at ? strchr(at, '"') : NULL;
	const char *end = start ? strchr(start + 1, '"') : NULL;

	return end && end - start <= NAME_MAX_LEN + 1
		       ? xstrndup(start + 1, (size_t)(end - start - 1))
		       : NULL;
}

/* Append what "WHY DUMP" means to the message. */
static void describe(const char *dump, struct err *err)
{
	_cleanup_free_ char *name = name_of(dump);

	err_append(err, "it is held by %s%s%s%s%s", kind_of(dump), name ? ", '" : "",
		   name ? name : "", name ? "'" : "",
		   !strncmp(dump, no_room, sizeof(no_room) - 1)
			   ? ", for which there is no room elsewhere"
			   : "");
}

void hotplug_explain_blocker(struct transaction *t, uint64_t block, struct err *err)
{
	_cleanup_request_ struct request r = { 0 };
	struct answer answer = { 0 };
	struct err ignored;

	if (deadline_left_ms(t->deadline) < ASK_MS || guest_is_lost(t->view.guest))
		return;
	command_add_range(request_add(&r, VERB_BLOCKER), block, block);
	if (!guest_run(t->view.guest, &r, &answer, &ignored) && answer.blocker)
		describe(answer.blocker, err);
	answer_free(&answer); /* also what a failed request left in it */
}
