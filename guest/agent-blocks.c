/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Serves a request through qemu-guest-agent's own commands for memory blocks. */
#include <stdlib.h>
#include <string.h>

#include "guest/agent-blocks.h"
#include "lib/json.h"
#include "lib/util.h"

#define PAUSE_MAX_MS 50 /* no event reports new blocks: they are polled for */
#define TRIES_MAX    4	/* of reading all blocks: it fails if one disappears during it */

static const char get_blocks[] = "guest-get-memory-blocks";
static const char get_size[] = "guest-get-memory-block-info";
static const char set_blocks[] = "guest-set-memory-blocks";

/* A block as the agent reports it. */
struct state {
	uint64_t number;
	bool is_online;
	int can_offline; /* -1: unknown */
};

struct states {
	struct state *list; /* ascending; owned */
	size_t count;
};

/* A request under way. */
struct call {
	struct agent_blocks *b;
	struct answer *answer;
	int64_t until_ms;
	struct deadline *d;
};

/* The outcome of a command. */
enum { SERVED, SERVED_IN_PART, STILL_WAITING, BROKE_OFF = -1 };

/* Does guest-info list the command as enabled? */
static bool is_allowed(struct json_object *info, const char *command)
{
	struct json_object *commands;
	bool is_enabled = false;
	size_t i, count;

	if (!json_get_array(info, "supported_commands", &commands))
		return false;
	count = json_object_array_length(commands);
	for (i = 0; i < count; i++) {
		struct json_object *entry = json_object_array_get_idx(commands, i);
		const char *name = "";

		if (json_get_string(entry, "name", &name) && !strcmp(name, command))
			return json_get_bool(entry, "enabled", &is_enabled) && is_enabled;
	}
	return false;
}

/* The kernel's release, which the agent may not report. */
static int read_kernel(struct agent_blocks *b, struct deadline *d, struct err *err)
{
	_cleanup_json_ struct json_object *message = NULL;
	struct json_object *info = NULL;
	const char *release = "-";
	struct err ignored;
	int status = agent_run(b->agent, "guest-get-osinfo", NULL, &message, d, &ignored);

	if (status < 0) {
		*err = ignored;
		return -1;
	}
	json_get_object(message, "return", &info);
	json_get_string(info, "kernel-release", &release);
	if (!*release || release[strcspn(release, " \t\r\n")] ||
	    strlen(release) >= sizeof(b->kernel))
		release = "-";
	memcpy(b->kernel, release, strlen(release) + 1);
	return 0;
}

static int read_size(struct agent_blocks *b, struct deadline *d, struct err *err)
{
	_cleanup_json_ struct json_object *message = NULL;
	struct json_object *info = NULL;
	int status = agent_run(b->agent, get_size, NULL, &message, d, err);

	if (status)
		return -1;
	json_get_object(message, "return", &info);
	if (!json_get_u64(info, "size", &b->block_bytes))
		return agent_broken(b->agent, "no number 'size' in the answer", err);
	return 0;
}

int agent_blocks_open(struct agent_blocks *b, struct agent *a, struct deadline *d, struct err *err)
{
	_cleanup_json_ struct json_object *message = NULL;
	struct json_object *info = NULL;
	struct err ignored;
	int status = agent_run(a, "guest-info", NULL, &message, d, &ignored);

	if (status < 0) {
		*err = ignored;
		return -1;
	}
	json_get_object(message, "return", &info);
	if (!is_allowed(info, get_blocks) || !is_allowed(info, get_size))
		return 1;
	*b = (struct agent_blocks){ .agent = a, .can_change = is_allowed(info, set_blocks) };
	return read_size(b, d, err) || read_kernel(b, d, err) ? -1 : 0;
}

static int by_number(const void *a, const void *b)
{
	const struct state *x = a, *y = b;

	return (x->number > y->number) - (x->number < y->number);
}

/* Read the unordered array of blocks into an ordered list. */
static bool parse_states(struct json_object *array, struct states *states)
{
	size_t i, count = json_object_array_length(array);

	states->list = xcalloc(count + 1, sizeof(*states->list));
	for (i = 0; i < count; i++) {
		struct json_object *entry = json_object_array_get_idx(array, i);
		struct state *s = &states->list[i];
		bool can_offline = false;

		if (!json_get_u64(entry, "phys-index", &s->number) ||
		    !json_get_bool(entry, "online", &s->is_online))
			return false;
		s->can_offline =
			json_get_bool(entry, "can-offline", &can_offline) ? can_offline : -1;
	}
	qsort(states->list, count, sizeof(*states->list), by_number);
	for (i = 1; i < count; i++)
		if (states->list[i].number == states->list[i - 1].number)
			return false;
	states->count = count;
	return true;
}

/* Ask for all blocks; the caller frees the list whatever is returned. */
static int read_states(struct call *c, struct states *states, struct err *err)
{
	struct agent *a = c->b->agent;
	_cleanup_json_ struct json_object *message = NULL;
	struct json_object *array;
	int status, tries = 1;

	do {
		if (!a->awaited && agent_send(a, get_blocks, NULL, 1, c->d, err))
			return BROKE_OFF;
		status = agent_receive(a, &message, c->until_ms, c->d, err);
	} while (status == AGENT_REFUSED && tries++ < TRIES_MAX);
	c->b->is_waiting = status == AGENT_SILENT;
	if (status)
		return c->b->is_waiting ? STILL_WAITING : BROKE_OFF;
	if (!json_get_array(message, "return", &array) || !parse_states(array, states))
		return agent_broken(a, "no list of memory blocks, each once, in the answer", err);
	return SERVED;
}

static const struct state *find_state(const struct states *states, uint64_t number)
{
	const struct state wanted = { .number = number };

	return states->count
		       ? bsearch(&wanted, states->list, states->count, sizeof(wanted), by_number)
		       : NULL;
}

static void add_state(struct answer *answer, const struct state *s)
{
	const struct agent_run run = { s->number, s->number, s->is_online, s->can_offline };

	answer_add_run(answer, &run);
}

static int serve_info(struct call *c, const struct command *command, struct err *err)
{
	struct agent_memory *m = &c->answer->memory;

	(void)command, (void)err;
	m->has_info = true;
	m->can_change = c->b->can_change;
	m->block_size_bytes = c->b->block_bytes;
	memcpy(m->kernel, c->b->kernel, sizeof(m->kernel));
	return SERVED;
}

static int serve_scan(struct call *c, const struct command *command, struct err *err)
{
	struct states states = { 0 };
	int status = read_states(c, &states, err);
	size_t i;

	for (i = 0; status == SERVED && i < states.count; i++)
		add_state(c->answer, &states.list[i]);
	free(states.list);
	return status ? status : serve_info(c, command, err);
}

/* Add the blocks of ascending ranges, each once; of address ranges, with blocks of @unit bytes. */
static void add_blocks(struct call *c, const struct command *command, uint64_t unit,
		       const struct states *states)
{
	size_t next = 0;
	unsigned i;

	for (i = 0; i < command->ranges_count; i++) {
		const struct range *range = &command->ranges[i];

		for (; next < states->count && states->list[next].number <= range->to / unit;
		     next++)
			if (states->list[next].number >= range->from / unit)
				add_state(c->answer, &states->list[next]);
	}
}

static int serve_blocks(struct call *c, const struct command *command, struct err *err)
{
	uint64_t unit = command->verb == VERB_BLOCKS_AT ? c->b->block_bytes : 1;
	struct states states = { 0 };
	int status = read_states(c, &states, err);

	if (status == SERVED && unit)
		add_blocks(c, command, unit, &states);
	free(states.list);
	return status;
}

/* Is a block of the ranges missing? */
static bool is_any_absent(const struct states *states, const struct command *command)
{
	uint64_t block;
	unsigned i;

	for (i = 0; i < command->ranges_count; i++)
		for (block = command->ranges[i].from; block <= command->ranges[i].to; block++)
			if (!find_state(states, block))
				return true;
	return false;
}

/* Wait @ms, or until the agent goes away, which the next request reports. */
static int pause_for(struct call *c, int64_t ms, struct err *err)
{
	struct pollfd fd = { .fd = c->b->agent->stream.in_fd };

	return deadline_poll(c->d, &fd, 1, monotonic_ms() + ms, err) < 0 ? -1 : 0;
}

static int serve_appear(struct call *c, const struct command *command, struct err *err)
{
	int64_t end_ms = monotonic_ms() + (int64_t)command->seconds * 1000, pause_ms = 1;

	for (;; pause_ms = pause_ms * 2 < PAUSE_MAX_MS ? pause_ms * 2 : PAUSE_MAX_MS) {
		struct states states = { 0 };
		int status = read_states(c, &states, err);
		bool is_absent = !status && is_any_absent(&states, command);

		free(states.list);
		if (status || !is_absent)
			return status;
		if (monotonic_ms() >= end_ms) {
			c->answer->result = RESULT_ABSENT;
			return SERVED_IN_PART;
		}
		if (pause_for(c, pause_ms, err))
			return BROKE_OFF;
	}
}

/* The agent's answer to a change, as text; NULL: done; "": it makes no sense */
static const char *read_response(struct json_object *message, uint64_t block)
{
	struct json_object *array = NULL, *entry;
	const char *response = "";
	uint64_t number, code;

	if (!json_get_array(message, "return", &array) || json_object_array_length(array) != 1)
		return "";
	entry = json_object_array_get_idx(array, 0);
	if (!json_get_u64(entry, "phys-index", &number) || number != block ||
	    !json_get_string(entry, "response", &response))
		return "";
	if (!strcmp(response, "success"))
		return NULL;
	if (!strcmp(response, "not-found"))
		return "no such block";
	if (!strcmp(response, "operation-not-supported"))
		return "its kernel cannot do that";
	if (strcmp(response, "operation-failed") != 0)
		return "";
	return json_get_u64(entry, "error-code", &code) && code && code <= INT32_MAX
		       ? strerror((int)code)
		       : "no reason given";
}

/* After a failure the block's state counts: another program may have been faster. */
static int read_back(struct call *c, const char *why, struct err *err)
{
	struct agent_blocks *b = c->b;
	struct states states = { 0 };
	int status = read_states(c, &states, err);
	const struct state *s = status ? NULL : find_state(&states, b->block);
	bool is_there = s && s->is_online == b->is_online;

	free(states.list);
	if (status || is_there)
		return status;
	answer_fail(c->answer, b->block, why);
	return SERVED_IN_PART;
}

/* One block per request: a failure stops at that block, and a hang shows at which one. */
static int set_block(struct call *c, uint64_t block, bool is_online, struct err *err)
{
	struct agent *a = c->b->agent;
	_cleanup_json_ struct json_object *message = NULL;
	struct json_object *arguments = json_object_new_object();
	struct json_object *list = json_object_new_array(), *entry = json_object_new_object();
	const char *why;

	json_add_u64(entry, "phys-index", true, block);
	json_add_bool(entry, "online", true, is_online);
	json_object_array_add(list, entry);
	json_object_object_add(arguments, "mem-blks", list);
	c->b->block = block;
	c->b->is_online = is_online;
	if (agent_run(a, set_blocks, arguments, &message, c->d, err))
		return -1;
	why = read_response(message, block);
	if (!why)
		return 0;
	return *why ? read_back(c, why, err)
		    : agent_broken(a, "no response for the memory block in the answer", err);
}

/* The agent leaves a block that is online already. */
static int serve_change(struct call *c, const struct command *command, struct err *err)
{
	unsigned i;

	if (command->zone != ZONE_ANY)
		return err_set(err, ERR_FAILED,
			       "a guest agent without guest-exec cannot choose a zone");
	for (i = 0; i < command->ranges_count; i++) {
		const struct range *range = &command->ranges[i];
		uint64_t block = range->from, by = range->from <= range->to ? 1 : UINT64_MAX;

		for (;; block += by) {
			int status = set_block(c, block, verb_is_online(command->verb), err);

			if (status)
				return status;
			if (block == range->to)
				break;
		}
	}
	return SERVED;
}

/* Commands that such an agent cannot serve, or does not need. */
static int serve_nothing(struct call *c, const struct command *command, struct err *err)
{
	(void)c, (void)command, (void)err;
	return SERVED;
}

static int (*const servers[VERBS])(struct call *, const struct command *, struct err *) = {
	[VERB_NONE] = serve_nothing,	 [VERB_INFO] = serve_info,
	[VERB_MEMORY] = serve_nothing,	 [VERB_BLOCKS] = serve_blocks,
	[VERB_BLOCKS_AT] = serve_blocks, [VERB_SCAN] = serve_scan,
	[VERB_SCAN_NEWS] = serve_scan,	 [VERB_APPEAR] = serve_appear,
	[VERB_ONLINE] = serve_change,	 [VERB_MOVE] = serve_change,
	[VERB_OFFLINE] = serve_change,	 [VERB_ONLINE_IF_OFFLINE] = serve_change,
	[VERB_MARK] = serve_nothing,	 [VERB_FREEZE_POLICY] = serve_nothing,
	[VERB_UDEV] = serve_nothing,	 [VERB_BLOCKER] = serve_nothing,
	[VERB_POOLS] = serve_nothing,
};

static int serve(struct call *c, const struct command *command, struct err *err)
{
	if (!servers[command->verb])
		return err_set(err, ERR_FAILED, "a guest agent without guest-exec cannot do that");
	return servers[command->verb](c, command, err);
}

int agent_blocks_run(struct agent_blocks *b, const struct request *r, struct answer *answer,
		     int64_t until_ms, struct deadline *d, struct err *err)
{
	struct call call = { b, answer, r->count == 1 ? until_ms : DEADLINE_NEVER, d };
	int status = SERVED;
	unsigned i;

	answer_free(answer);
	answer->is_from_agent = true;
	if (!b->is_waiting && agent_blocks_finish(b, d, err))
		return -1;
	for (i = 0; i < r->count; i++) {
		/* the command before was a condition of this one, and has failed */
		if (status == SERVED_IN_PART && r->list[i - 1].is_condition)
			continue;
		status = serve(&call, &r->list[i], err);
		if (status == STILL_WAITING || status == BROKE_OFF)
			return status == BROKE_OFF ? -1 : 0;
	}
	return 1;
}

int agent_blocks_finish(struct agent_blocks *b, struct deadline *d, struct err *err)
{
	_cleanup_json_ struct json_object *message = NULL;

	b->is_waiting = false;
	if (!b->agent->awaited || agent_receive(b->agent, &message, DEADLINE_NEVER, d, err) >= 0)
		return 0;
	if (strcmp(b->agent->command, set_blocks) != 0)
		return -1;
	return err_wrap(err, "the %s has not said yet whether 'memory%llu' is %s",
			b->agent->stream.peer, (unsigned long long)b->block,
			b->is_online ? "online" : "offline");
}
