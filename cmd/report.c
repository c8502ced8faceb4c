/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What commands share. */
#include <stdio.h>
#include <string.h>

#include "cmd/opener.h"
#include "cmd/report.h"
#include "hotplug/pool.h"
#include "lib/size.h"

static const char *const outcome_names[] = {
	[OUTCOME_UNCHANGED] = "unchanged",     [OUTCOME_DONE] = "done",
	[OUTCOME_ROLLED_BACK] = "rolled-back", [OUTCOME_PENDING] = "pending",
	[OUTCOME_PARTIAL] = "partial",
};

const char *const cmd_vm_options[] = { "qmp", "vm", NULL };

const struct cmd *cmd_find(const struct cmd *const *cmds, const char *name)
{
	for (; *cmds; cmds++)
		if (!strcmp((*cmds)->name, name))
			return *cmds;
	return NULL;
}

void cmd_begin(struct ctx *ctx, struct transaction *t, bool is_forced)
{
	transaction_init(t, opener_of(&ctx->vm), &ctx->deadline);
	t->is_dry_run = ctx->globals->is_dry_run;
	t->is_forced = is_forced;
	ctx->progress.job = &t->progress;
}

bool cmd_is_text(const struct ctx *ctx)
{
	return !ctx->globals->is_json && !ctx->globals->is_quiet;
}

static void add_times(struct ctx *ctx, const struct transaction *t)
{
	struct json_object *phases = json_object_new_object();
	unsigned i;

	for (i = 0; i < t->phases_count; i++)
		json_add_u64(phases, t->phases[i].name, true, (uint64_t)t->phases[i].ms);
	json_add_u64(ctx->result, "elapsed_ms", true, (uint64_t)transaction_elapsed_ms(t));
	json_object_object_add(ctx->result, "phases_ms", phases);
}

static void report_plan(struct ctx *ctx, const struct transaction *t)
{
	struct json_object *plan = json_object_new_array();
	unsigned i;

	for (i = 0; i < t->plan_count; i++) {
		struct json_object *line = json_object_new_object();
		struct json_object *value = strcmp(t->plan[i].where, "qmp")
						    ? json_object_new_string(t->plan[i].text)
						    : json_tokener_parse(t->plan[i].text);

		json_object_object_add(line, t->plan[i].where, value);
		json_object_array_add(plan, line);
		if (!ctx->globals->is_json)
			out_printf("%-5s  %s\n", t->plan[i].where, t->plan[i].text);
	}
	if (!i && !ctx->globals->is_json)
		out_printf("nothing to do\n");
	json_object_object_add(ctx->result, "plan", plan);
}

/* Warnings go to stderr, except with --quiet, and into the JSON. */
static void add_warnings(struct ctx *ctx, const struct transaction *t)
{
	struct json_object *warnings;
	unsigned i;

	if (!t->warnings_count)
		return;
	warnings = json_object_new_array();
	for (i = 0; i < t->warnings_count; i++) {
		if (!ctx->globals->is_quiet || ctx->globals->is_dry_run)
			out_note("warning: %s", t->warnings[i]);
		json_object_array_add(warnings, json_object_new_string(t->warnings[i]));
	}
	json_object_object_add(ctx->result, "warnings", warnings);
}

/* The report could not be written, so the user cannot know what was done: undo it if possible. */
static int unreported(struct transaction *t, struct err *err)
{
	if (t->outcome != OUTCOME_DONE)
		return -1;
	if (transaction_can_undo(t))
		return transaction_undo(t, err);
	if (t->steps_count) {
		err->code = ERR_PARTIAL;
		err_append(err, "the work itself is done");
	}
	return -1;
}

int cmd_finish(struct ctx *ctx, struct transaction *t, int status, cmd_report_fn *report, void *job,
	       struct err *err)
{
	transaction_phase(t, NULL);
	if (!status) {
		if (t->is_dry_run)
			report_plan(ctx, t);
		else
			report(ctx, t, job);
		if (t->view.has_guest && t->view.before.is_agent_only && cmd_is_text(ctx))
			out_note("the guest agent forbids guest-exec: zones, free memory and "
				 "policies are unknown, and room is not checked");
		add_warnings(ctx, t);
		add_times(ctx, t);
		if (ctx->globals->is_json)
			out_json(ctx->result);
		if (out_flush(err))
			status = unreported(t, err);
	} else {
		add_times(ctx, t);
	}
	if (status)
		json_add_string(ctx->result, "state", outcome_names[t->outcome]);
	ctx->progress.job = NULL;
	return status;
}

void cmd_hint_channel(const struct ctx *ctx)
{
	_cleanup_free_ char *ssh = ctx->globals->guest.kind ? NULL : vm_ssh_address(&ctx->vm);

	if (ssh && !vm_channel(&ctx->vm))
		out_note("QEMU forwards a port to the guest's ssh: --guest %s", ssh);
}

static int look(struct ctx *ctx, struct transaction *t, unsigned what, struct err *err)
{
	bool is_chosen = ctx->globals->guest.kind || (what & QUERY_GUEST);

	if (transaction_query(t, what, err)) {
		if (is_chosen || !t->view.has_machine || err->code == ERR_INTERRUPTED)
			return -1;
		out_note("nothing known about the guest: %s", err->message);
		t->view.has_guest = false;
	} else if (t->view.has_machine && !t->view.machine.is_running) {
		out_note("nothing known about the guest: the VM is %s", t->view.machine.status);
	} else if (!t->view.has_guest) {
		cmd_hint_channel(ctx);
	}
	return 0;
}

int cmd_run_look(struct ctx *ctx, unsigned what, enum verb also, cmd_report_fn *report,
		 struct err *err)
{
	struct transaction t;
	int status;

	cmd_begin(ctx, &t, false);
	t.is_dry_run = false; /* a query changes nothing anyway */
	t.view.extra = also;
	status = cmd_finish(ctx, &t, look(ctx, &t, what, err), report, NULL, err);
	transaction_free(&t);
	return status;
}

struct json_object *cmd_json_blocks(const struct block_list *list, const struct owners *owners)
{
	struct json_object *array = json_object_new_array();
	unsigned i;

	for (i = 0; i < list->count; i++) {
		const struct blocks *b = &list->runs[i];
		struct json_object *run = json_object_new_object();
		const struct memdev *owner = owners ? owners_get(owners, b->first, NULL) : NULL;

		blocks_add_json(run, b);
		if (owners)
			json_add_string(run, "device", owner ? memdev_name(owner) : NULL);
		json_object_array_add(array, run);
	}
	return array;
}

struct json_object *cmd_json_device(const struct view *v, const struct guest_memory *g,
				    const struct memdev *d)
{
	struct json_object *device = json_object_new_object();

	json_add_string(device, "id", d->id);
	json_add_string(device, "handle", d->handle);
	json_add_string(device, "type", d->type);
	json_add_string(device, "backend", d->backend);
	json_add_u64(device, "address", d->has & MEMDEV_HAS_ADDRESS, d->address);
	json_add_u64(device, "size", true, d->size_bytes);
	json_add_u64(device, "slot", d->has & MEMDEV_HAS_SLOT, d->slot);
	json_add_u64(device, "node", d->has & MEMDEV_HAS_NODE, d->node);
	json_add_bool(device, "hotplugged", d->has & MEMDEV_HAS_HOTPLUGGED, d->is_hotplugged);
	if (memdev_is_virtio_mem(d)) {
		json_add_u64(device, "requested", true, d->requested_bytes);
		json_add_u64(device, "max_size", true, d->max_size_bytes);
		json_add_u64(device, "block_size", true, d->block_size_bytes);
	}
	if (v->has_guest) {
		struct block_list blocks = view_found_blocks(v, g, d);

		json_object_object_add(device, "blocks", cmd_json_blocks(&blocks, NULL));
		block_list_free(&blocks);
	} else {
		json_object_object_add(device, "blocks", NULL);
	}
	return device;
}

/* What going offline took from the guest; NULL: unknown. */
static struct json_object *json_taken(const struct view *v)
{
	unsigned i, count;
	_cleanup_free_ struct loss *taken = hotplug_losses(v, &count);
	struct json_object *array;

	if (!view_now(v)->pools.is_known)
		return NULL;
	array = json_object_new_array();
	for (i = 0; i < count; i++) {
		struct json_object *one = json_object_new_object();

		json_add_u64(one, "page_size", true, taken[i].page_bytes);
		json_add_u64(one, "taken", true, taken[i].pages);
		json_add_u64(one, "left", true, taken[i].left);
		json_object_array_add(array, one);
	}
	return array;
}

struct json_object *cmd_json_guest(const struct view *v)
{
	struct json_object *guest;

	if (!v->has_guest)
		return NULL;
	guest = json_object_new_object();
	json_add_u64(guest, "block_size", true, v->before.block_size_bytes);
	json_add_u64(guest, "mem_total_before", v->before.has & GUEST_HAS_TOTAL,
		     v->before.total_bytes);
	json_add_u64(guest, "mem_total_after", view_now(v)->has & GUEST_HAS_TOTAL,
		     view_now(v)->total_bytes);
	if (v->is_taking)
		json_object_object_add(guest, "huge_pages_taken", json_taken(v));
	return guest;
}

struct json_object *cmd_json_backend(const struct backend_options *b)
{
	struct json_object *backend = json_object_new_object();

	json_add_string(backend, "type", backend_types[backend_type(b)]);
	json_add_bool(backend, "share", true, backend_is_shared(b));
	json_add_printable(backend, "reason", b->reason);
	return backend;
}

void cmd_print_backend(const struct backend_options *b)
{
	if (!b->reason)
		return;
	out_printf("  %s%s, shared: %s\n", backend_types[backend_type(b)],
		   b->hugetlb.is_set ? " of huge pages" : "", b->reason);
	if (b->mem_path)
		out_printf("  in '%s'\n", b->mem_path);
}

void cmd_note_backend(const struct ctx *ctx, const struct backend_options *b)
{
	if (ctx->globals->is_dry_run && b->reason)
		out_note("memory is %s, shared: %s", backend_types[backend_type(b)], b->reason);
}

static void add_mib(struct out_table *table, bool is_known, uint64_t bytes)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)(bytes >> 20));
	out_table_cell(table, is_known ? text : "-");
}

static void add_memory_row(struct out_table *table, const char *name, const struct guest_memory *g)
{
	out_table_cell(table, name);
	add_mib(table, g->has & GUEST_HAS_TOTAL, g->total_bytes);
	add_mib(table, g->has & GUEST_HAS_FREE, g->free_bytes);
	add_mib(table, g->has & GUEST_HAS_AVAILABLE, g->available_bytes);
}

static void print_taken(const struct view *v)
{
	unsigned i, count;
	_cleanup_free_ struct loss *taken = hotplug_losses(v, &count);
	char page[SIZE_TEXT_MAX];

	for (i = 0; i < count; i++)
		out_printf("took %llu of the guest's huge pages of %s; %llu are left\n",
			   (unsigned long long)taken[i].pages,
			   size_format(page, taken[i].page_bytes),
			   (unsigned long long)taken[i].left);
}

void cmd_print_memory(const struct view *v)
{
	static const char *const heading[] = { "MiB", "total", "free", "available" };
	struct out_table table = { .columns = 4, .right = { false, true, true, true } };
	unsigned i;

	if (v->before.is_agent_only)
		return; /* none of it is known */
	for (i = 0; i < ARRAY_SIZE(heading); i++)
		out_table_cell(&table, heading[i]);
	add_memory_row(&table, "before", &v->before);
	add_memory_row(&table, "after", view_now(v));
	out_table_finish(&table, true);
	print_taken(v);
}

void cmd_print_virtio_mem(const struct machine *m, const char *indent)
{
	char size[SIZE_TEXT_MAX], requested[SIZE_TEXT_MAX], max[SIZE_TEXT_MAX], step[SIZE_TEXT_MAX];
	unsigned i;

	for (i = 0; i < m->devices_count; i++) {
		const struct memdev *d = &m->devices[i];

		if (!memdev_is_virtio_mem(d))
			continue;
		out_printf("%s%s: %s of at most %s, in steps of %s", indent, memdev_name(d),
			   size_format(size, d->size_bytes), size_format(max, d->max_size_bytes),
			   size_format(step, d->block_size_bytes));
		if (d->requested_bytes != d->size_bytes)
			out_printf("; %s requested", size_format(requested, d->requested_bytes));
		out_printf("\n");
	}
}

void cmd_print_absent(const struct view *v, const char *indent)
{
	unsigned i;

	for (i = 0; i < v->machine.devices_count; i++) {
		const struct memdev *d = &v->machine.devices[i];
		enum added added = view_added(v, &v->before, d);

		if (added == ADDED_NOT || added == ADDED_PARTLY)
			out_printf("%s%s: the guest has not added %s\n", indent, memdev_name(d),
				   added == ADDED_NOT ? "it" : "all of it");
	}
}

void cmd_print_left(const struct ctx *ctx)
{
	out_printf("no channel to the guest: bringing the memory online is left to it\n");
	cmd_hint_channel(ctx);
}

void cmd_print_times(const struct transaction *t)
{
	unsigned i;

	out_printf("done in %lld ms:", (long long)transaction_elapsed_ms(t));
	for (i = 0; i < t->phases_count; i++)
		out_printf("%s %s %lld", i ? "," : "", t->phases[i].name,
			   (long long)t->phases[i].ms);
	out_printf("\n");
}
