/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The transaction: looking, steps and their undo, and the guest's part of a step. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hotplug.h"
#include "size.h"
#include "util.h"

#define FOREVER_SECONDS 86400 /* for guest.sh when there is no deadline */
#define SWIFT_BLOCKS    64    /* so few go online in a moment: nothing that needs guarding */

void hotplug_init(struct hotplug *h, struct vm *vm)
{
	*h = (struct hotplug){ .vm = vm, .deadline = vm->deadline };
	h->phase_start_ms = vm->deadline->start_ms;
	h->phase = "connect";
}

void hotplug_release(struct hotplug *h)
{
	unsigned i;

	machine_release(&h->machine);
	guest_memory_release(&h->before);
	guest_memory_release(&h->after);
	for (i = 0; i < h->plan_count; i++)
		free(h->plan[i].text);
	free(h->plan);
}

void hotplug_phase(struct hotplug *h, const char *name)
{
	int64_t now = monotonic_ms();

	if (h->phase && h->phases_count < PHASES_MAX) {
		h->phases[h->phases_count].name = h->phase;
		h->phases[h->phases_count++].ms = now - h->phase_start_ms;
	}
	h->phase = name;
	h->phase_start_ms = now;
}

void hotplug_plan(struct hotplug *h, const char *where, char *text)
{
	h->plan = xrealloc(h->plan, (h->plan_count + 1) * sizeof(*h->plan));
	h->plan[h->plan_count++] = (struct plan_line){ where, text };
}

void hotplug_plan_request(struct hotplug *h, struct json_object *request)
{
	hotplug_plan(h, "qmp", xstrdup(json_text(request)));
	json_object_put(request);
}

int hotplug_request(struct hotplug *h, struct json_object *request, struct err *err)
{
	uint64_t id;

	if (qmp_send(h->vm->qmp, request, &id, err))
		return -1;
	return qmp_receive(h->vm->qmp, id, NULL, err);
}

static int check_machine(const struct hotplug *h, struct err *err)
{
	const struct machine *m = &h->machine;

	if (!m->is_running) {
		err_set(err, ERR_FAILED, "the VM is %s: its guest cannot answer",
			strcmp(m->status, "prelaunch") ? m->status : "paused (prelaunch)");
		return err_hint(err, "let it run first: memhp qmp cont");
	}
	if (m->migration) {
		err_set(err, ERR_FAILED, "the VM is migrating (%s): QEMU refuses hotplug meanwhile",
			m->migration);
		return err_hint(err, "wait for the end of the migration, or memhp qmp migrate_cancel");
	}
	return 0;
}

static int look_at_guest(struct hotplug *h, unsigned what, struct err *err)
{
	struct answer answer = { 0 };
	int status;

	if (vm_open_guest(h->vm, err))
		return -1;
	if (!h->vm->guest)
		return 0;
	/* what the job will need goes over while the guest is busy with the scan */
	status = guest_send(h->vm->guest, h->is_holding ? "scan;hold" : "scan", err);
	if (!status && h->ahead)
		status = guest_load(h->vm->guest, h->ahead, err);
	if (!status)
		status = guest_receive(h->vm->guest, &answer, err);
	if (!status)
		status = sysfs_parse(&h->before, answer.lines, answer.count, err);
	answer_release(&answer);
	if (status)
		return err->code == ERR_TIMEOUT ? err_wrap(err, "the guest does not answer") : -1;
	h->has_guest = true;
	if (!h->before.block_size_bytes)
		return err_set(err, ERR_GUEST_UNREACHABLE,
			       "the guest has no /sys/devices/system/memory: no memory hotplug");
	if ((what & LOOK_CHANGE) && !h->before.is_root) {
		err_set(err, ERR_GUEST_UNREACHABLE, "the guest's shell is not root");
		return err_hint(err, "memory blocks can be changed only by root in the guest");
	}
	return 0;
}

int hotplug_look(struct hotplug *h, unsigned what, struct err *err)
{
	if ((what & LOOK_QMP) || h->vm->qmp_address) {
		if (vm_open_qmp(h->vm, err) || machine_query(&h->machine, h->vm->qmp, err))
			return -1;
		h->has_machine = true;
		if ((what & LOOK_CHANGE) && check_machine(h, err))
			return -1;
	}
	hotplug_phase(h, "look");
	if (h->has_machine && !h->machine.is_running)
		return what & LOOK_GUEST ? check_machine(h, err) : 0;
	if (look_at_guest(h, what, err))
		return -1;
	if ((what & LOOK_GUEST) && !h->has_guest) {
		err_set(err, ERR_GUEST_UNREACHABLE, "no channel to the guest");
		return err_hint(err, "name one with --guest serial:PATH, ssh:HOST, exec:COMMAND or local");
	}
	return 0;
}

/* Undo the steps begun, last first. All are tried, whatever fails; *err is completed. */
static void undo_steps(struct hotplug *h, struct err *err)
{
	bool is_whole = true, is_changed = false;

	hotplug_phase(h, "undo");
	deadline_undo(h->deadline);
	while (h->steps_begun) {
		const struct step *step = &h->steps[--h->steps_begun];
		struct err left = { 0 };

		if (!step->undo)
			continue;
		is_changed = true;
		if (step->undo(h, &left)) {
			is_whole = false;
			err_append(err, "%s", left.message);
			if (err->code != ERR_INTERRUPTED)
				err->code = ERR_PARTIAL;
		}
	}
	if (!is_whole) {
		h->outcome = OUTCOME_PARTIAL;
		err_hint(err, "see what is left with: memhp list");
	} else if (is_changed && h->outcome != OUTCOME_PENDING) {
		h->outcome = OUTCOME_ROLLED_BACK;
	}
}

int hotplug_undo(struct hotplug *h, struct err *err)
{
	undo_steps(h, err);
	return -1;
}

int hotplug_execute(struct hotplug *h, const struct step *steps, unsigned count, struct err *err)
{
	unsigned i;

	h->steps = steps;
	h->steps_count = count;
	if (h->is_dry_run) {
		for (i = 0; i < count; i++)
			if (steps[i].show)
				steps[i].show(h);
		return 0;
	}
	for (i = 0; i < count; i++) {
		hotplug_phase(h, steps[i].phase);
		h->steps_begun = i + 1;
		if (steps[i].run(h, err)) {
			undo_steps(h, err);
			return -1;
		}
	}
	h->outcome = OUTCOME_DONE;
	return 0;
}

unsigned hotplug_seconds(const struct hotplug *h)
{
	int64_t left_ms = deadline_left_ms(h->deadline);

	return left_ms / 1000 >= FOREVER_SECONDS ? FOREVER_SECONDS : (unsigned)(left_ms / 1000) + 1;
}

/* Is the block, as the last scan saw it, in the state that the change was to bring? */
static bool is_there(const struct hotplug *h, uint64_t block, bool is_online)
{
	unsigned i;

	for (i = 0; i < h->after.blocks.count; i++) {
		const struct blocks *b = &h->after.blocks.runs[i];

		if (block >= b->first && block <= b->last)
			return is_online ? blocks_are_online(b) : blocks_are_offline(b);
	}
	return false;
}

/* The block that a stopped change was at: the first of its ranges, in order, that is not there yet. */
static bool find_hanging(const struct hotplug *h, const char *commands, uint64_t *block)
{
	const char *at = strstr(commands, "change ");
	unsigned long long from, to;
	unsigned seconds;
	char verb[8], zone[8];
	int used;

	if (!at || sscanf(at, "change %u %7s %7s%n", &seconds, verb, zone, &used) != 3)
		return false;
	at += used;
	while (sscanf(at, " %llu-%llu%n", &from, &to, &used) == 2) {
		int64_t by = from <= to ? 1 : -1;

		for (*block = from;; *block += (uint64_t)by) {
			if (!is_there(h, *block, strcmp(verb, "lower") != 0))
				return true;
			if (*block == to)
				break;
		}
		at += used;
	}
	return false;
}

/* Was the block online in a zone of the kernel's own? There its memory may be what cannot be moved. */
static bool is_kernels(const struct hotplug *h, uint64_t block)
{
	unsigned i;

	for (i = 0; i < h->before.blocks.count; i++) {
		const struct blocks *b = &h->before.blocks.runs[i];

		if (block >= b->first && block <= b->last)
			return blocks_are_online(b) && blocks_zone(b) != ZONE_MOVABLE;
	}
	return false;
}

/* "failed BLOCK WHY" as an error in words. */
static int refused(const struct hotplug *h, const char *line, const char *verb, const char *to,
		   struct err *err)
{
	unsigned long long block;
	int used = 0;
	const char *why;

	if (sscanf(line, "failed %llu %n", &block, &used) != 1 || !used)
		return err_set(err, ERR_GUEST_UNREACHABLE, "cannot understand the guest: '%.80s'", line);
	why = line + used;
	err_set(err, ERR_GUEST_REFUSED, "the guest cannot %s 'memory%llu' %s: %.200s", verb, block, to,
		*why ? why : "no reason given");
	if (strstr(why, "busy") && is_kernels(h, block))
		err_hint(err, "it lies in the kernel's own zone, where some memory cannot be moved; memory "
			      "plugged with --zone movable can be taken back");
	return -1;
}

static int read_answer(struct hotplug *h, const struct answer *answer, const char *verb,
		       const char *to, struct err *err)
{
	bool is_stopped = false, is_absent = false;
	unsigned i;

	if (sysfs_parse(&h->after, answer->lines, answer->count, err))
		return -1;
	for (i = 0; i < answer->count; i++) {
		const char *line = answer->lines[i];

		if (!strncmp(line, "failed ", 7))
			return refused(h, line, verb, to, err);
		is_absent |= !strncmp(line, "absent ", 7);
		is_stopped |= !strcmp(line, "stopped");
	}
	if (is_stopped)
		return err_set(err, ERR_TIMEOUT, "the deadline passed");
	return is_absent ? 1 : 0;
}

int hotplug_guest(struct hotplug *h, const char *commands, const char *verb, const char *to,
		  struct err *err)
{
	struct answer answer = { 0 };
	struct err ignored;
	uint64_t block;
	int status = guest_run(h->vm->guest, commands, &answer, err);

	if (!status) {
		status = read_answer(h, &answer, verb, to, err);
	} else if (err->code == ERR_TIMEOUT || err->code == ERR_INTERRUPTED) {
		/* stop the write that hangs; where it was shows in the rest of the answer */
		deadline_undo(h->deadline);
		guest_memory_release(&h->after);
		if (!guest_cancel(h->vm->guest, &answer, &ignored) &&
		    sysfs_parse(&h->after, answer.lines, answer.count, &ignored))
			guest_memory_release(&h->after);
	}
	answer_release(&answer);
	if (status < 0 && guest_is_lost(h->vm->guest) && err->code != ERR_INTERRUPTED)
		err_set(err, ERR_GUEST_REFUSED, "the guest ended the shell that was to %s its memory %s "
			"(has it run out of memory?)", verb, to);
	if (status < 0 && (err->code == ERR_TIMEOUT || err->code == ERR_INTERRUPTED) &&
	    h->after.blocks.count && find_hanging(h, commands, &block))
		err_wrap(err, "the guest has not managed to %s 'memory%llu' %s", verb,
			 (unsigned long long)block, to);
	return status;
}

static void add_ranges(struct buf *words, const struct block_list *list, bool is_descending)
{
	unsigned i;

	for (i = 0; i < list->count; i++) {
		const struct blocks *b = &list->runs[is_descending ? list->count - 1 - i : i];

		buf_addf(words, " %llu-%llu", (unsigned long long)(is_descending ? b->last : b->first),
			 (unsigned long long)(is_descending ? b->first : b->last));
	}
}

char *hotplug_lower_words(const struct hotplug *h, const struct block_list *list)
{
	struct buf words = { 0 };

	buf_addf(&words, "change %u lower any", hotplug_seconds(h));
	add_ranges(&words, list, true);
	return words.data;
}

char *hotplug_raise_words(const struct hotplug *h, const struct block_list *list, enum zone zone,
			  bool is_lift)
{
	struct buf words = { 0 };

	buf_addf(&words, "change %u %s %s", hotplug_seconds(h), is_lift ? "lift" : "raise",
		 sysfs_zone_word(zone));
	add_ranges(&words, list, false);
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
	add_ranges(&words, list, false);
	return words.data;
}

/* Add the commands that bring back what was online in @zone before. */
static void restore_zone(const struct hotplug *h, const struct block_list *were, enum zone zone,
			 struct buf *words)
{
	struct block_list some = { 0 };
	unsigned i;

	for (i = 0; i < were->count; i++)
		if (blocks_are_online(&were->runs[i]) && blocks_zone(&were->runs[i]) == zone)
			block_list_add(&some, &were->runs[i]);
	if (some.count) {
		_cleanup_free_ char *raise = hotplug_raise_words(h, &some, zone, false);

		buf_addf(words, "%s;", raise);
	}
	block_list_release(&some);
}

static void restore_offline(const struct hotplug *h, const struct block_list *were, struct buf *words)
{
	struct block_list some = { 0 };
	unsigned i;

	for (i = 0; i < were->count; i++)
		if (blocks_are_offline(&were->runs[i]))
			block_list_add(&some, &were->runs[i]);
	if (some.count) {
		_cleanup_free_ char *lower = hotplug_lower_words(h, &some);

		buf_addf(words, "%s;", lower);
	}
	block_list_release(&some);
}

/* Are the blocks as they were? State and zone count, not what may change by itself. */
static int check_restored(const struct hotplug *h, const struct block_list *were, struct err *err)
{
	unsigned i, j;

	for (i = 0; i < were->count; i++) {
		const struct blocks *then = &were->runs[i];

		for (j = 0; j < h->after.blocks.count; j++) {
			const struct blocks *now = &h->after.blocks.runs[j];

			if (now->last < then->first || now->first > then->last)
				continue;
			if (strcmp(now->state, then->state) != 0 || blocks_zone(now) != blocks_zone(then))
				return err_set(err, ERR_PARTIAL, "'memory%llu' is %s %s now, was %s %s",
					       (unsigned long long)(now->first > then->first ?
									    now->first : then->first),
					       now->state, now->zones, then->state, then->zones);
		}
	}
	return 0;
}

/* Say which blocks are perhaps not as they were. */
static int not_back(const struct block_list *were, struct err *err)
{
	char range[BLOCKS_TEXT_MAX];

	return err_wrap(err, "some of %s may not be back as they were",
			blocks_format(range, were->runs[0].first, were->runs[were->count - 1].last));
}

int hotplug_restore(struct hotplug *h, const struct block_list *list, struct err *err)
{
	struct block_list were = { 0 };
	_cleanup_buf_ struct buf words = { 0 };
	struct answer late = { 0 };
	int status = guest_cancel(h->vm->guest, &late, err);

	answer_release(&late);
	block_list_intersect(&were, &h->before.blocks, list);
	if (!were.count)
		return 0;
	if (status && !guest_is_lost(h->vm->guest)) {
		not_back(&were, err);
		block_list_release(&were);
		return -1;
	}
	restore_zone(h, &were, ZONE_MOVABLE, &words);
	restore_zone(h, &were, ZONE_KERNEL, &words);
	restore_zone(h, &were, ZONE_ANY, &words);
	restore_offline(h, &were, &words);
	if (words.len) {
		buf_addf(&words, "scan");
		status = hotplug_guest(h, words.data, "put", "back", err);
		if (!status)
			status = check_restored(h, &were, err);
	}
	if (status)
		not_back(&were, err);
	block_list_release(&were);
	return status ? -1 : 0;
}

int hotplug_check_room(const struct hotplug *h, uint64_t bytes, struct err *err)
{
	char need[SIZE_TEXT_MAX], have[SIZE_TEXT_MAX];
	uint64_t margin_bytes = UINT64_C(16) << 20;

	if (h->is_forced || !(h->before.has & GUEST_HAS_AVAILABLE) ||
	    h->before.available_bytes >= bytes + margin_bytes)
		return 0;
	err_set(err, ERR_GUEST_REFUSED, "the guest uses that memory: to give up %s it has %s available",
		size_format(need, bytes), size_format(have, h->before.available_bytes));
	return err_hint(err, "free memory in the guest first; --force tries anyway");
}

enum zone hotplug_choose_zone(const struct guest_memory *g, uint64_t size_bytes, char *reason,
			      size_t reason_size)
{
	char movable[SIZE_TEXT_MAX], kernel[SIZE_TEXT_MAX];
	uint64_t movable_bytes, kernel_bytes;
	bool fits;

	sysfs_zone_bytes(g, &movable_bytes, &kernel_bytes);
	fits = movable_bytes + size_bytes <= 3 * kernel_bytes;
	snprintf(reason, reason_size, "auto: Movable %s %s 3 x kernel zones' %s",
		 size_format(movable, movable_bytes + size_bytes), fits ? "<=" : ">",
		 size_format(kernel, kernel_bytes));
	return fits ? ZONE_MOVABLE : ZONE_KERNEL;
}
