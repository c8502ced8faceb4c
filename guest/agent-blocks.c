/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The commands of guest.sh, served by qemu-guest-agent's own commands for memory blocks. */
#include <stdlib.h>
#include <string.h>

#include "guest/agent-blocks.h"
#include "lib/json.h"
#include "lib/util.h"

#define PAUSE_MAX_MS 50 /* no event tells of new blocks: they are asked for */
#define TRIES_MAX    4	/* of a look at the blocks: one that goes meanwhile spoils it */

static const char get_blocks[] = "guest-get-memory-blocks";
static const char get_size[] = "guest-get-memory-block-info";
static const char set_blocks[] = "guest-set-memory-blocks";

/* A block as the agent shows it. */
struct state {
	uint64_t number;
	bool is_online;
	int can_offline; /* -1: not said */
};

struct states {
	struct state *list; /* ascending; owned */
	size_t count;
};

/* A line of commands at work. */
struct call {
	struct agent_blocks *b;
	struct answer *answer;
	struct deadline *d;
};

/* Is the command among those of guest-info, and enabled? */
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

/* The kernel's release, which the agent may not tell. */
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

/* Read the array of blocks, which has no order, into a list that has. */
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

/* Ask for all blocks; the caller frees the list, also after a failure. */
static int read_states(struct call *c, struct states *states, struct err *err)
{
	struct agent *a = c->b->agent;
	_cleanup_json_ struct json_object *message = NULL;
	struct json_object *array;
	int status, tries = 1;

	do
		status = agent_run(a, get_blocks, NULL, &message, c->d, err);
	while (status == AGENT_REFUSED && tries++ < TRIES_MAX);
	if (status)
		return -1;
	if (!json_get_array(message, "return", &array) || !parse_states(array, states))
		return agent_broken(a, "no list of memory blocks, each once, in the answer", err);
	return 0;
}

static const struct state *find_state(const struct states *states, uint64_t number)
{
	const struct state wanted = { .number = number };

	return states->count
		       ? bsearch(&wanted, states->list, states->count, sizeof(wanted), by_number)
		       : NULL;
}

static void say_run(struct answer *answer, const struct state *first, const struct state *last)
{
	answer_addf(answer, "blocks %llu %llu %s - %s -", (unsigned long long)first->number,
		    (unsigned long long)last->number, first->is_online ? "online" : "offline",
		    first->can_offline < 0 ? "-"
		    : first->can_offline   ? "1"
					   : "0");
}

static bool continues(const struct state *last, const struct state *next)
{
	return next->number == last->number + 1 && next->is_online == last->is_online &&
	       next->can_offline == last->can_offline;
}

static void say_states(struct answer *answer, const struct states *states)
{
	size_t i, first = 0;

	for (i = 0; i < states->count; i++) {
		if (i + 1 < states->count && continues(&states->list[i], &states->list[i + 1]))
			continue;
		say_run(answer, &states->list[first], &states->list[i]);
		first = i + 1;
	}
}

static int bad_words(struct err *err)
{
	return err_set(err, ERR_FAILED, "bad words for a guest agent");
}

/* memory */
static int memory(struct call *c, char *rest, struct err *err)
{
	(void)rest, (void)err;
	answer_addf(c->answer, "memory - - -");
	return 0;
}

/* facts */
static int facts(struct call *c, char *rest, struct err *err)
{
	answer_addf(c->answer, "guest %s %d - - - limited", c->b->kernel, c->b->can_change);
	memory(c, rest, err);
	answer_addf(c->answer, "size %llx", (unsigned long long)c->b->block_bytes);
	return 0;
}

/* scan */
static int scan(struct call *c, char *rest, struct err *err)
{
	struct states states = { 0 };
	int status = read_states(c, &states, err);

	if (!status) {
		facts(c, rest, err);
		say_states(c->answer, &states);
	}
	free(states.list);
	return status;
}

/* Take "FROM-TO" from the front of a list; false at its end. */
static bool take_range(char **list, uint64_t *from, uint64_t *to)
{
	char *word = strsep(list, " ");
	char *dash = word ? strchr(word, '-') : NULL;

	if (!dash)
		return false;
	*dash = '\0';
	return parse_u64(word, 10, from) && parse_u64(dash + 1, 10, to);
}

/* Keep the blocks of ascending ranges, each once. */
static void keep_near(struct states *states, char *ranges, uint64_t unit)
{
	size_t i, kept = 0, next = 0;
	uint64_t from, to;

	while (take_range(&ranges, &from, &to)) {
		for (i = next; i < states->count && states->list[i].number <= to / unit; i++) {
			if (states->list[i].number >= from / unit)
				states->list[kept++] = states->list[i];
			next = i + 1;
		}
	}
	states->count = kept;
}

/* near UNIT FIRST-LAST...: by numbers (UNIT is 1) or by addresses (UNIT is 0x) */
static int near(struct call *c, char *rest, struct err *err)
{
	const char *word = strsep(&rest, " ");
	struct states states = { 0 };
	uint64_t unit;
	int status;

	if (!rest)
		return bad_words(err);
	unit = strcmp(word, "1") ? c->b->block_bytes : 1;
	status = read_states(c, &states, err);
	if (!status && unit) {
		keep_near(&states, rest, unit);
		say_states(c->answer, &states);
	}
	free(states.list);
	return status;
}

/* The first block of the ranges that is not there. */
static bool find_absent(const struct states *states, const char *ranges, uint64_t *block)
{
	_cleanup_free_ char *copy = xstrdup(ranges);
	char *list = copy;
	uint64_t to;

	while (take_range(&list, block, &to))
		for (; *block <= to; (*block)++)
			if (!find_state(states, *block))
				return true;
	return false;
}

/* Wait @ms, or until the agent goes away, which the next request shows. */
static int pause_for(struct call *c, int64_t ms, struct err *err)
{
	struct pollfd fd = { .fd = c->b->agent->stream.in_fd };

	return deadline_poll(c->d, &fd, 1, monotonic_ms() + ms, err) < 0 ? -1 : 0;
}

/* appear SECONDS FIRST-LAST... */
static int appear(struct call *c, char *rest, struct err *err)
{
	const char *word = strsep(&rest, " ");
	uint64_t seconds, block;
	int64_t end_ms, pause_ms = 1;

	if (!rest || !parse_u64(word, 10, &seconds) || seconds > INT32_MAX)
		return bad_words(err);
	end_ms = monotonic_ms() + (int64_t)seconds * 1000;
	for (;; pause_ms = pause_ms * 2 < PAUSE_MAX_MS ? pause_ms * 2 : PAUSE_MAX_MS) {
		struct states states = { 0 };
		int status = read_states(c, &states, err);
		bool is_absent = !status && find_absent(&states, rest, &block);

		free(states.list);
		if (status || !is_absent)
			return status;
		if (monotonic_ms() >= end_ms) {
			answer_addf(c->answer, "absent %llu", (unsigned long long)block);
			return 1;
		}
		if (pause_for(c, pause_ms, err))
			return -1;
	}
}

/* What the agent says to a change, in words; NULL: done; "": it makes no sense */
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

/* After a failure it is the block's state that counts: somebody else may have been faster. */
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
	answer_addf(c->answer, "failed %llu %s", (unsigned long long)b->block, why);
	return 1;
}

/* One block a request: the first that fails is the last, and where the agent hangs is known. */
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

/* change SECONDS lower|raise|lift any FROM-TO...: where a block is online already, the agent leaves
 * it */
static int change(struct call *c, char *rest, struct err *err)
{
	const char *seconds = strsep(&rest, " "), *verb = strsep(&rest, " ");
	const char *zone = strsep(&rest, " ");
	uint64_t block, to;

	(void)seconds;
	if (!rest || strcmp(zone, "any") != 0)
		return bad_words(err);
	while (take_range(&rest, &block, &to)) {
		uint64_t by = block <= to ? 1 : UINT64_MAX;

		for (;; block += by) {
			int status = set_block(c, block, strcmp(verb, "lower") != 0, err);

			if (status)
				return status;
			if (block == to)
				break;
		}
	}
	return 0;
}

/* What such an agent knows nothing about, or has no need of. */
static int silent(struct call *c, char *rest, struct err *err)
{
	(void)c, (void)rest, (void)err;
	return 0;
}

/* 0: done; 1: failed, as a command of a shell does; -1 with @err */
static const struct {
	const char *word;
	int (*serve)(struct call *c, char *rest, struct err *err);
} words[] = {
	{ "scan", scan },     { "facts", facts },   { "memory", memory }, { "near", near },
	{ "appear", appear }, { "change", change }, { "hold", silent },	  { "mark", silent },
	{ "udev", silent },   { "held", silent },   { "pool", silent },
};

static int serve(struct call *c, char *command, struct err *err)
{
	const char *word = strsep(&command, " ");
	size_t i;

	for (i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcmp(words[i].word, word))
			return words[i].serve(c, command, err);
	return err_set(err, ERR_FAILED, "a guest agent without guest-exec cannot do that: %s",
		       word);
}

/* Commands joined by "&&": up to the first that fails. */
static int serve_chain(struct call *c, char *chain, struct err *err)
{
	int status = 0;

	while (chain && !status) {
		char *next = strstr(chain, "&&");

		if (next)
			*next = '\0';
		status = serve(c, chain, err);
		chain = next ? next + 2 : NULL;
	}
	return status;
}

int agent_blocks_run(struct agent_blocks *b, const char *commands, struct answer *answer,
		     struct deadline *d, struct err *err)
{
	struct call call = { b, answer, d };
	_cleanup_free_ char *text = xstrdup(commands);
	char *rest = text, *chain;

	answer_free(answer);
	if (agent_blocks_finish(b, d, err))
		return -1;
	while ((chain = strsep(&rest, ";")))
		if (serve_chain(&call, chain, err) < 0)
			return -1;
	return 0;
}

int agent_blocks_finish(struct agent_blocks *b, struct deadline *d, struct err *err)
{
	_cleanup_json_ struct json_object *message = NULL;

	if (!b->agent->awaited || agent_receive(b->agent, &message, d, err) >= 0)
		return 0;
	if (strcmp(b->agent->command, set_blocks) != 0)
		return -1;
	return err_wrap(err, "the %s has not said yet whether 'memory%llu' is %s",
			b->agent->stream.peer, (unsigned long long)b->block,
			b->is_online ? "online" : "offline");
}
