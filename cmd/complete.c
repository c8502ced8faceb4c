/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The possible words at a place of a command line. */
#include <ctype.h>
#include <string.h>

#include "cmd/opener.h"
#include "cmd/complete.h"
#include "cmd/prefix.h"
#include "hotplug/place.h"
#include "lib/aside.h"
#include "lib/size.h"
#include "lib/text.h"
#include "vm/fleet.h"

#define BLOCKS_MAX     256  /* of the guest, which may report millions */
#define LOOK_MS	       2000 /* the longest wait after pressing Tab */
#define NAME_MAX_BYTES 128  /* a person completes no longer name */

/* A place in a command line. */
struct place {
	struct completion *completion;
	const char *word; /* the typed part of the word */
	size_t fixed;	  /* bytes of it before a value: "--zone=" */
	int argc;	  /* the words before it */
	char **argv;
	const struct cmd *cmd;	    /* NULL: its name comes next */
	const struct opt *awaiting; /* the option whose value comes next; NULL for none */
	bool is_ended;		    /* by "--": no more options */
	bool is_lost;		    /* after an unknown command */
	int words_count;	    /* of the command, before this one */
};

static bool is_typed_already(const struct place *p, const char *word)
{
	int i;

	for (i = 0; p->cmd && i < p->argc; i++)
		if (!strcmp(p->argv[i], word))
			return true;
	return false;
}

/* Offer @text as the word, or as the value at its end. */
static void add(const struct place *p, const char *text, const char *meaning)
{
	_cleanup_free_ char *whole = xasprintf("%.*s%s", (int)p->fixed, p->word, text);

	if (!strncmp(whole, p->word, strlen(p->word)) && !is_typed_already(p, whole))
		p->completion->add(whole, meaning);
}

/* The same for an id or a name, which comes from QEMU or another user: it is not offered if a shell
 * would split or expand it, or memhp take it for an option. */
static void add_name(const struct place *p, const char *name, const char *meaning)
{
	if (strlen(name) <= NAME_MAX_BYTES && text_is_plain(name))
		add(p, name, meaning);
}

void completion_forget(struct completion *o)
{
	if (o->is_known)
		transaction_free(&o->known);
	o->is_known = o->knows_guest = false;
}

/* Query QEMU, and the guest if needed; what cannot be queried stays unknown. */
static const struct view *look(struct completion *o, bool with_guest)
{
	struct vm *vm = o->vm;
	struct deadline outer;
	struct address channel = vm->channel;
	unsigned what = vm_has_monitor(vm) ? QUERY_QEMU : 0;
	struct err ignored;

	if (o->is_known && o->knows_guest >= with_guest)
		return &o->known.view;
	completion_forget(o);
	outer = deadline_push(vm->deadline, LOOK_MS);
	/* Tab on a shell's command line must not run a command; memhp's own shell was started with
	 * it */
	if (!with_guest || (!o->has_vm && channel.kind == ADDRESS_EXEC))
		vm->channel = (struct address){ ADDRESS_NONE, .text = "none" };
	vm->login.is_barred = true; /* no password prompt here */
	transaction_init(&o->known, opener_of(vm), vm->deadline);
	(void)!transaction_query(&o->known, what, &ignored);
	watch_end(&o->known.watch); /* the view is kept for longer */
	vm_close_guest(vm);
	vm->login.is_barred = false;
	vm->channel = channel;
	deadline_pop(vm->deadline, outer);
	o->is_known = true;
	o->knows_guest = with_guest;
	return &o->known.view;
}

static void complete_devices(const struct place *p, const struct view *v)
{
	unsigned i;

	for (i = 0; i < v->machine.devices_count; i++) {
		const struct memdev *d = &v->machine.devices[i];
		char size[SIZE_TEXT_MAX];

		if (d->id)
			add_name(p, d->id, size_format(size, d->size_bytes));
	}
}

static void complete_block(void *context, uint64_t block, const struct blocks *run)
{
	const struct place *p = context;
	char text[BLOCKS_TEXT_MAX];

	blocks_format(text, block, block);
	add(p, isdigit((unsigned char)p->word[0]) ? text + strlen("memory") : text,
	    blocks_are_online(run) && run->zones[0] ? run->zones : NULL);
}

/* The digits typed of "memory33" or "33"; NULL: it cannot become a block's name */
static const char *typed_digits(const char *word)
{
	size_t len = strlen(word), name_len = strlen("memory");

	if (!strncmp(word, "memory", len < name_len ? len : name_len))
		return word + (len < name_len ? len : name_len);
	return isdigit((unsigned char)word[0]) ? word : NULL;
}

/* The blocks that the command would change, by name or by number. */
static void complete_blocks(struct place *p, const struct view *v)
{
	const char *digits = typed_digits(p->word);
	struct block_list other = { 0 };
	unsigned i;

	for (i = 0; i < v->before.blocks.count; i++) {
		const struct blocks *run = &v->before.blocks.runs[i];

		if (p->cmd->takes & TAKES_ONLINE ? !blocks_are_online(run)
						 : !blocks_are_offline(run))
			continue;
		block_list_add(&other, run);
	}
	if (digits)
		prefix_each(&other, digits, BLOCKS_MAX, complete_block, p);
	block_list_free(&other);
	add(p, "all", NULL);
}

/* "512M", "4G" */
static void complete_size(const struct place *p, uint64_t bytes)
{
	_cleanup_free_ char *text = bytes % (1 << 30)
					    ? xasprintf("%lluM", (unsigned long long)bytes >> 20)
					    : xasprintf("%lluG", (unsigned long long)bytes >> 30);

	add(p, text, NULL);
}

/* From @first on, doubling, up to @max. */
static void complete_sizes(const struct place *p, uint64_t first, uint64_t max)
{
	uint64_t bytes;

	for (bytes = first; bytes && bytes <= max; bytes *= 2)
		complete_size(p, bytes);
}

/* Sizes that can be added: whole blocks, up to maxmem. */
static void complete_additions(const struct place *p, const struct view *v)
{
	const struct machine *m = &v->machine;
	uint64_t used = m->base_memory_bytes + machine_devices_max_bytes(m);

	if (v->has_guest && m->has_limits && used < m->max_memory_bytes)
		complete_sizes(p, v->before.block_size_bytes, m->max_memory_bytes - used);
}

/* Totals, doubling; above the current one, a whole number of blocks away from it. */
static void complete_totals(const struct place *p, const struct view *v)
{
	const struct machine *m = &v->machine;
	uint64_t now_bytes = m->base_memory_bytes + m->plugged_memory_bytes;
	uint64_t block_bytes = place_block_bytes(v), bytes;

	if (!m->has_limits)
		return;
	for (bytes = m->base_memory_bytes; bytes && bytes <= m->max_memory_bytes; bytes *= 2) {
		uint64_t over =
			bytes > now_bytes && block_bytes ? (bytes - now_bytes) % block_bytes : 0;
		uint64_t total = over ? bytes - over + block_bytes : bytes;

		if (total <= m->max_memory_bytes)
			complete_size(p, total);
	}
}

static void complete_vms(const struct place *p)
{
	struct qemu_list found = { 0 };
	struct fleet fleet = { 0 };
	struct deadline moment = deadline_moment(LOOK_MS), *outer;
	struct err ignored;
	unsigned i;

	if (config_load(p->completion->config, &ignored))
		return;
	outer = aside_limit(&moment);
	(void)!discover(&found, false, &moment, &ignored);
	aside_limit(outer);
	fleet_gather(&fleet, &found, p->completion->config);
	for (i = 0; i < fleet.count; i++)
		if (fleet_vm_name(&fleet.vms[i]))
			add_name(p, fleet_vm_name(&fleet.vms[i]),
				 fleet.vms[i].profile ? "profile" : NULL);
	fleet_free(&fleet);
	qemu_list_free(&found);
}

/* The value of an option; true if it is a file name. */
static bool complete_value(const struct place *p, const struct opt *opt)
{
	const char *const *choice;

	for (choice = opt->choices; choice && *choice; choice++)
		add(p, *choice, NULL);
	if (!strcmp(opt->name, "vm"))
		complete_vms(p);
	else if (!strcmp(opt->arg, "SIZE") && p->completion->vm)
		complete_additions(p, look(p->completion, true));
	return !strcmp(opt->arg, "ADDR") || !strcmp(opt->arg, "PATH");
}

/* Would this option choose the VM, although that is fixed? */
static bool is_barred(const struct completion *o, const struct opt *opt)
{
	const char *const *name = cmd_vm_options;

	while (*name && strcmp(*name, opt->name) != 0)
		name++;
	return o->has_vm && *name;
}

static void complete_options(const struct place *p, const struct opt *table)
{
	const struct opt *opt;

	for (opt = table; opt && opt->name; opt++) {
		_cleanup_free_ char *word = xasprintf(
			"--%s%s", opt->name, opt->arg && !opt_may_lack_value(opt) ? "=" : "");

		if (!is_barred(p->completion, opt))
			add(p, word, opt->help);
	}
}

/* A word that begins with a dash: an option, or "--option=value". */
static bool complete_option(struct place *p)
{
	const struct opt *own = p->cmd ? p->cmd->opts : NULL, *opt;
	const char *equals = strchr(p->word, '=');

	if (!equals) {
		complete_options(p, own);
		complete_options(p, p->completion->ctx->global_opts);
		return false;
	}
	opt = opt_of_word(own, p->word);
	if (!opt)
		opt = opt_of_word(p->completion->ctx->global_opts, p->word);
	p->fixed = (size_t)(equals + 1 - p->word);
	return opt && opt->arg ? complete_value(p, opt) : false;
}

static void complete_commands(const struct place *p)
{
	const struct cmd *const *cmd;

	for (cmd = p->completion->ctx->cmds; *cmd; cmd++)
		add(p, (*cmd)->name, (*cmd)->summary);
}

/* What the command takes besides options. */
static void complete_arguments(struct place *p)
{
	const struct cmd *cmd = p->cmd;
	const struct view *v;

	if (!cmd->takes || !p->completion->vm ||
	    (cmd->args_max >= 0 && p->words_count >= cmd->args_max))
		return;
	v = look(p->completion, cmd->takes & ~(TAKES_DEVICES | TAKES_TOTALS));
	if (cmd->takes & TAKES_DEVICES)
		complete_devices(p, v);
	if (cmd->takes & (TAKES_ONLINE | TAKES_OFFLINE))
		complete_blocks(p, v);
	if (cmd->takes & TAKES_SIZES)
		complete_additions(p, v);
	if (cmd->takes & TAKES_TOTALS)
		complete_totals(p, v);
}

/* The option that the previous word leaves without its value. */
static const struct opt *awaiting_after(const struct place *p, const char *word)
{
	const struct opt *opt = p->cmd ? opt_awaiting(p->cmd->opts, word) : NULL;

	return opt ? opt : opt_awaiting(p->completion->ctx->global_opts, word);
}

/* Process one word before the place. */
static void pass(struct place *p, const char *word)
{
	if (p->awaiting) {
		p->awaiting = NULL;
	} else if (!p->is_ended && word[0] == '-' && word[1]) {
		p->is_ended = !strcmp(word, "--");
		p->awaiting = awaiting_after(p, word);
	} else if (!p->cmd) {
		p->cmd = cmd_find(p->completion->ctx->cmds, word);
		p->is_lost |= !p->cmd;
	} else {
		p->words_count++;
	}
}

bool complete_words(struct completion *o, int argc, char **argv, const char *word)
{
	struct place p = { .completion = o, .word = word, .argc = argc, .argv = argv };
	int i;

	for (i = 0; i < argc; i++)
		pass(&p, argv[i]);
	if (p.is_lost)
		return false;
	if (p.awaiting)
		return complete_value(&p, p.awaiting);
	if (word[0] == '-' && !p.is_ended)
		return complete_option(&p);
	if (p.cmd)
		complete_arguments(&p);
	else
		complete_commands(&p);
	return false;
}
