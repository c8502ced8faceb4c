/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The guest's part of a step: commands of guest.sh, what their answers mean, and putting blocks
 * back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hotplug/blocker.h"
#include "hotplug/blocks.h"
#include "hotplug/look.h"
#include "hotplug/range.h"
#include "lib/size.h"
#include "lib/util.h"

#define FOREVER_SECONDS 86400		     /* for guest.sh when there is no deadline */
#define ROOM_BYTES	(UINT64_C(16) << 20) /* that a guest needs beside what it gives up */
#define LAST_WORDS_MS	200 /* for what QEMU says when it ends, or the guest does */
#define SWIFT_BLOCKS	64  /* so few go online in a moment: the short way will do */

unsigned hotplug_seconds_left(const struct transaction *t)
{
	int64_t left_ms = deadline_left_ms(t->deadline);

	return left_ms / 1000 >= FOREVER_SECONDS ? FOREVER_SECONDS : (unsigned)(left_ms / 1000) + 1;
}

static bool is_short_way(const char *commands)
{
	return strstr(commands, "ease ");
}

/* The first block of a range, in its order, that is not in the state it was to be brought to. */
static bool find_unchanged(const struct block_list *blocks, const struct range *range,
			   uint64_t *block)
{
	bool is_up = range->from <= range->to;

	for (*block = range->from;;) {
		const struct blocks *run = block_list_find(blocks, *block);

		if (!run || !(range->is_online ? blocks_are_online(run) : blocks_are_offline(run)))
			return true;
		if (is_up ? run->last >= range->to : run->first <= range->to)
			return false;
		*block = is_up ? run->last + 1 : run->first - 1;
	}
}

/* The block that the changes were at when they were stopped: they go in order. */
static bool find_hanging(const struct transaction *t, const char *commands, uint64_t *block)
{
	struct range_reader reader = { .commands = commands };
	struct range range;

	while (range_next(&reader, &range))
		if (find_unchanged(&t->view.after.blocks, &range, block))
			return true;
	return false;
}

/* Was the block online in a zone of the kernel's own? There its memory may be what cannot be moved.
 */
static bool is_kernels(const struct transaction *t, uint64_t block)
{
	const struct blocks *b = block_list_find(&t->view.before.blocks, block);

	return b && blocks_are_online(b) && b->zones[0] && blocks_zone(b) != ZONE_MOVABLE;
}

/* "gone BLOCK" as an error in words. */
static int vanished(const char *line, struct err *err)
{
	unsigned long long block;

	if (sscanf(line, "gone %llu", &block) != 1)
		return err_set(err, ERR_GUEST_UNREACHABLE, "cannot understand the guest: '%.80s'",
			       line);
	return err_set(err, ERR_GUEST_REFUSED,
		       "the guest has not added the memory: its kernel has dealt with the DIMM and "
		       "shows no 'memory%llu'",
		       block);
}

/* "failed BLOCK WHY" as an error in words. */
static int refused(const struct transaction *t, const char *line, const char *verb, const char *to,
		   struct err *err)
{
	unsigned long long block;
	int used = 0;
	const char *why;

	if (sscanf(line, "failed %llu %n", &block, &used) != 1 || !used)
		return err_set(err, ERR_GUEST_UNREACHABLE, "cannot understand the guest: '%.80s'",
			       line);
	why = line + used;
	err_set(err, ERR_GUEST_REFUSED, "the guest cannot %s 'memory%llu' %s: %.200s", verb, block,
		to, *why ? why : "no reason given");
	if (strstr(why, "busy") && is_kernels(t, block))
		err_hint(err, "it lies in the kernel's own zone, where some memory cannot be "
			      "moved; memory "
			      "plugged with --zone movable can be taken back");
	else if (strstr(why, "busy") && t->view.before.is_limited)
		err_hint(err,
			 "the guest's kernel chose its zone: with memory_hotplug.online_policy="
			 "auto-movable on its command line new memory can be movable");
	return -1;
}

/* The kernel has ended the writer before the deadline did. */
static int ended(const char *verb, const char *to, struct err *err)
{
	err_set(err, ERR_GUEST_REFUSED,
		"the guest ended the shell that was to %s its memory %s "
		"(has it run out of memory?)",
		verb, to);
	return err_hint(err, "free memory in the guest first");
}

static int read_answer(struct transaction *t, const struct answer *answer, const char *verb,
		       const char *to, struct err *err)
{
	bool is_stopped = false, is_absent = false;
	unsigned i;

	if (sysfs_parse(&t->view.after, answer->lines, answer->count, err))
		return -1;
	for (i = 0; i < answer->count; i++) {
		const char *line = answer->lines[i];

		if (!strncmp(line, "failed ", 7))
			return refused(t, line, verb, to, err);
		if (!strncmp(line, "gone ", 5))
			return vanished(line, err);
		is_absent |= !strncmp(line, "absent ", 7);
		is_stopped |= !strcmp(line, "stopped");
	}
	if (is_stopped)
		return deadline_left_ms(t->deadline) ? ended(verb, to, err)
						     : deadline_passed(t->deadline, err);
	return is_absent ? 1 : 0;
}

static bool is_nothing(const char *name, struct json_object *data, void *context)
{
	(void)name, (void)data, (void)context;
	return false;
}

/* The shell in the guest has ended at its work, as *err says: QEMU may know why, or have ended
 * itself, which ends the wait. */
static int explain_loss(struct transaction *t, const char *verb, const char *to, struct err *err)
{
	_cleanup_json_ struct json_object *event = NULL;
	int64_t until_ms = monotonic_ms() + LAST_WORDS_MS;
	struct err gone = { 0 };

	if (t->view.qmp &&
	    qmp_wait_event(t->view.qmp, is_nothing, NULL, until_ms, &event, &gone) < 0) {
		*err = gone;
		return -1;
	}
	err->code = ERR_GUEST_REFUSED;
	err_wrap(err, "the %s that was to %s the guest's memory %s has gone",
		 t->view.before.is_limited ? "agent" : "shell", verb, to);
	return err_hint(err, "the guest's dmesg may tell why; it may have run out of memory");
}

/* Name the block that the change was at when time was up, and what holds it where it was to go
 * offline. */
static void explain_block(struct transaction *t, const char *commands, const char *verb,
			  const char *to, struct err *err)
{
	bool is_ended = err->code == ERR_TIMEOUT || err->code == ERR_INTERRUPTED;
	uint64_t block;

	if ((!is_ended && err->code != ERR_GUEST_REFUSED) || !t->view.after.blocks.count ||
	    !find_hanging(t, commands, &block))
		return;
	if (t->is_try && err->code == ERR_TIMEOUT)
		err_set(err, ERR_TIMEOUT, "its share of the time passed");
	/* where it has not even come, that is what is to be said */
	if (is_ended && block_list_find(&t->view.after.blocks, block))
		err_wrap(err, "the guest has not managed to %s 'memory%llu' %s", verb,
			 (unsigned long long)block, to);
	if (strcmp(verb, "take") != 0 || err->code == ERR_INTERRUPTED)
		return;
	/* a guest that is slow to tell has no time left for the undoing */
	t->has_hanging = err->code == ERR_TIMEOUT;
	t->hanging_block = block;
	if (!t->has_hanging)
		hotplug_explain_held(t, block, err);
}

int hotplug_cancel(struct transaction *t, struct answer *answer, struct err *err)
{
	int64_t final_ms = t->deadline->final_ms;
	int status;

	deadline_undo(t->deadline);
	t->deadline->final_ms = deadline_within(t->deadline, deadline_left_ms(t->deadline) / 2);
	status = guest_cancel(t->view.guest, answer, err);
	t->deadline->final_ms = final_ms;
	return status;
}

/*
 * Stop the write that hangs. Where it was shows in the rest of the answer; the short way has none,
 * because what stops it ends the session: another one looks.
 */
static void stop(struct transaction *t, const char *commands, struct answer *answer)
{
	struct err ignored;
	int status;

	guest_memory_free(&t->view.after);
	status = hotplug_cancel(t, answer, &ignored);
	if (status && guest_is_lost(t->view.guest) && is_short_way(commands))
		status = guest_run(t->view.guest, "scan", answer, &ignored);
	if (!status && sysfs_parse(&t->view.after, answer->lines, answer->count, &ignored))
		guest_memory_free(&t->view.after);
}

/* What the commands are to change is the work that is shown, unless the job counts bytes itself. */
static void expect(struct transaction *t, const char *commands)
{
	struct progress *p = &t->progress;
	uint64_t blocks = range_blocks(commands);

	if (p->total_bytes && !p->unit)
		return;
	progress_begin(p, p->phase);
	if (blocks)
		progress_expect(p, "blocks", blocks, blocks * t->view.before.block_size_bytes,
				range_zone(commands));
}

/* What hears the guest while it is at work. */
struct hearing {
	struct transaction *t;
	const char *commands;
};

/* "at BLOCK": that one is done, and those before it. */
static void hear(void *context, const char *payload)
{
	const struct hearing *hearing = context;
	struct transaction *t = hearing->t;
	uint64_t block, done;

	if (strncmp(payload, "at ", 3) != 0 || !parse_u64(payload + 3, 10, &block))
		return;
	done = range_place(hearing->commands, block);
	if (done && t->progress.unit)
		progress_reach(&t->progress, done, done * t->view.before.block_size_bytes,
			       monotonic_ms());
}

/* Run the commands, and follow how far they have come. */
static int run(struct transaction *t, const char *commands, struct answer *answer, struct err *err)
{
	struct hearing hearing = { t, commands };
	int status;

	expect(t, commands);
	guest_listen(t->view.guest, hear, &hearing);
	status = guest_run(t->view.guest, commands, answer, err);
	guest_listen(t->view.guest, NULL, NULL);
	return status;
}

int hotplug_guest(struct transaction *t, const char *commands, const char *verb, const char *to,
		  struct err *err)
{
	struct answer answer = { 0 };
	int status;

	if (transaction_guest_has_ended(t))
		return watch_tell(&t->watch, err);
	status = run(t, commands, &answer, err);
	if (!status)
		status = read_answer(t, &answer, verb, to, err);
	else if (err->code == ERR_TIMEOUT || err->code == ERR_INTERRUPTED)
		stop(t, commands, &answer);
	answer_free(&answer);
	if (status < 0 && guest_has_panicked(t->view.guest)) {
		watch_note_panic(&t->watch);
		watch_tell(&t->watch, err);
	}
	if (status < 0 && guest_is_lost(t->view.guest) && err->code != ERR_INTERRUPTED &&
	    !transaction_guest_has_ended(t))
		explain_loss(t, verb, to, err);
	if (status < 0)
		explain_block(t, commands, verb, to, err);
	return status;
}

int hotplug_hold(struct transaction *t, struct err *err)
{
	const char *policy = t->view.before.auto_online;

	if (!t->view.has_guest || !*policy || !strcmp(policy, "offline"))
		return 0;
	return hotplug_guest(t, "scan;hold", "hold", "", err);
}

void hotplug_add_ranges(struct buf *words, const struct block_list *list, bool is_descending)
{
	unsigned i;

	for (i = 0; i < list->count; i++) {
		const struct blocks *b = &list->runs[is_descending ? list->count - 1 - i : i];

		buf_addf(words, " %llu-%llu",
			 (unsigned long long)(is_descending ? b->last : b->first),
			 (unsigned long long)(is_descending ? b->first : b->last));
	}
}

char *hotplug_lower_words(const struct transaction *t, const struct block_list *list)
{
	struct buf words = { 0 };

	buf_addf(&words, "change %u lower any", hotplug_seconds_left(t));
	hotplug_add_ranges(&words, list, true);
	return words.data;
}

char *hotplug_raise_words(const struct transaction *t, const struct block_list *list,
			  enum zone zone, bool is_lift)
{
	struct buf words = { 0 };

	buf_addf(&words, "change %u %s %s", hotplug_seconds_left(t), is_lift ? "lift" : "raise",
		 sysfs_zone_word(zone));
	hotplug_add_ranges(&words, list, false);
	return words.data;
}

char *hotplug_swift_words(const struct block_list *list, enum zone zone)
{
	struct buf words = { 0 };
	unsigned i;

	if (block_list_blocks(list) > SWIFT_BLOCKS || zone == ZONE_ANY)
		return NULL;
	for (i = 0; i < list->count; i++)
		if (!blocks_are_offline(&list->runs[i]) && list->runs[i].state[0])
			return NULL;
	buf_addf(&words, "swift online_%s", sysfs_zone_word(zone));
	hotplug_add_ranges(&words, list, false);
	return words.data;
}

void hotplug_add_look(const struct transaction *t, struct buf *words, const struct block_list *list)
{
	unsigned i = 1;

	while (i < t->steps_count && t->steps[i].job == t->steps[0].job)
		i++;
	look_add_again(words, i < t->steps_count ? NULL : list);
}

/* Add the commands that bring back what was online in @zone before. */
static void restore_zone(const struct transaction *t, const struct block_list *were, enum zone zone,
			 struct buf *words)
{
	struct block_list some = { 0 };
	unsigned i;

	for (i = 0; i < were->count; i++)
		if (blocks_are_online(&were->runs[i]) && blocks_zone(&were->runs[i]) == zone)
			block_list_add(&some, &were->runs[i]);
	if (some.count) {
		_cleanup_free_ char *raise = hotplug_raise_words(t, &some, zone, false);

		buf_addf(words, "%s;", raise);
	}
	block_list_free(&some);
}

static void restore_offline(const struct transaction *t, const struct block_list *were,
			    struct buf *words)
{
	struct block_list some = { 0 };
	unsigned i;

	for (i = 0; i < were->count; i++)
		if (blocks_are_offline(&were->runs[i]))
			block_list_add(&some, &were->runs[i]);
	if (some.count) {
		_cleanup_free_ char *lower = hotplug_lower_words(t, &some);

		buf_addf(words, "%s;", lower);
	}
	block_list_free(&some);
}

/* Are the blocks as they were? State and zone count, not what may change by itself. */
static int check_restored(const struct transaction *t, const struct block_list *were,
			  struct err *err)
{
	char is[STATE_TEXT_MAX], was[STATE_TEXT_MAX];
	unsigned i, j;

	for (i = 0; i < were->count; i++) {
		const struct blocks *then = &were->runs[i];

		for (j = 0; j < t->view.after.blocks.count; j++) {
			const struct blocks *now = &t->view.after.blocks.runs[j];

			if (now->last < then->first || now->first > then->last)
				continue;
			if (strcmp(now->state, then->state) != 0 ||
			    blocks_zone(now) != blocks_zone(then))
				return err_set(err, ERR_PARTIAL, "'memory%llu' is %s now, was %s",
					       (unsigned long long)(now->first > then->first
									    ? now->first
									    : then->first),
					       blocks_format_state(is, now),
					       blocks_format_state(was, then));
		}
	}
	return 0;
}

/* Say which blocks are perhaps not as they were. */
static int not_back(const struct transaction *t, const struct block_list *were, struct err *err)
{
	char range[BLOCKS_TEXT_MAX];

	blocks_format(range, were->runs[0].first, were->runs[were->count - 1].last);
	if (transaction_guest_has_ended(t))
		return err_set(err, ERR_PARTIAL,
			       "the state of %s is not known: it is what the guest's next boot "
			       "makes of it",
			       range);
	return err_wrap(err, "some of %s may not be back as they were", range);
}

int hotplug_restore(struct transaction *t, const struct block_list *list, struct err *err)
{
	struct block_list were = { 0 };
	_cleanup_buf_ struct buf words = { 0 };
	struct answer late = { 0 };
	int status = guest_cancel(t->view.guest, &late, err);

	answer_free(&late);
	block_list_intersect(&were, &t->view.before.blocks, list);
	if (!were.count)
		return 0;
	if (status && !guest_is_lost(t->view.guest)) {
		not_back(t, &were, err);
		block_list_free(&were);
		return -1;
	}
	restore_zone(t, &were, ZONE_MOVABLE, &words);
	restore_zone(t, &were, ZONE_KERNEL, &words);
	restore_zone(t, &were, ZONE_ANY, &words);
	restore_offline(t, &were, &words);
	if (words.len) {
		buf_addf(&words, t->view.before.pools.is_known ? "scan;pool" : "scan");
		status = hotplug_guest(t, words.data, "put", "back", err);
		if (!status)
			status = check_restored(t, &were, err);
	}
	if (status)
		not_back(t, &were, err);
	block_list_free(&were);
	return status ? -1 : 0;
}

/* Can the rest of the guest do without @bytes? */
static bool has_room(const struct guest_memory *g, uint64_t bytes)
{
	/* what is free now, and the memory map of what goes: MemAvailable leaves out reserves,
	 * which shrink with the memory. Where memmap_on_memory may count, it is not reckoned with.
	 */
	uint64_t map_bytes = g->memmap_on_memory ? 0 : bytes / MAP_SHARE;

	return g->available_bytes >= bytes + ROOM_BYTES ||
	       ((g->has & GUEST_HAS_FREE) && g->free_bytes + map_bytes >= bytes + ROOM_BYTES);
}

int hotplug_check_room(const struct transaction *t, uint64_t bytes, struct err *err)
{
	char need[SIZE_TEXT_MAX], have[SIZE_TEXT_MAX];

	if (t->is_forced || !bytes || !(t->view.before.has & GUEST_HAS_AVAILABLE) ||
	    has_room(&t->view.before, bytes))
		return 0;
	err_set(err, ERR_GUEST_REFUSED,
		"the guest uses that memory: to give up %s it has %s available",
		size_format(need, bytes), size_format(have, t->view.before.available_bytes));
	return err_hint(err, "free memory in the guest first; --force tries anyway");
}
