/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lines that a person types. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <readline/history.h>
#include <readline/readline.h>

#include "cli/history.h"
#include "cli/prompt.h"
#include "lib/text.h"
#include "lib/util.h"

#define HISTORY_LINES 1000

/* readline edits one line at a time, and its callbacks have no context. */
static struct {
	const struct prompt_user *user;
	char *line;
	bool is_done; /* a line, or the end of input, has come */
	char **offers;
	unsigned offers_count, next_offer;
	int saved; /* lines of the history */
} now;

/* A word that could control the terminal is not offered. */
void prompt_offer(const char *word)
{
	const char *at = word;

	while (printable_len(at))
		at += printable_len(at);
	if (*at)
		return;
	now.offers = xgrow(now.offers, now.offers_count, sizeof(*now.offers));
	now.offers[now.offers_count++] = xstrdup(word);
}

static void drop_offers(void)
{
	while (now.offers_count)
		free(now.offers[--now.offers_count]);
	free(now.offers);
	now.offers = NULL;
	now.next_offer = 0;
}

/* The next offer that begins with @text; readline frees it. */
static char *next_match(const char *text, int state)
{
	if (!state)
		now.next_offer = 0;
	while (now.next_offer < now.offers_count) {
		const char *offer = now.offers[now.next_offer++];

		if (!strncmp(offer, text, strlen(text)))
			return xstrdup(offer);
	}
	return NULL;
}

static char **complete(const char *text, int start, int end)
{
	_cleanup_free_ char *before = xstrndup(rl_line_buffer, (size_t)start);
	char **matches;

	(void)end;
	rl_attempted_completion_over = !now.user->complete(now.user->context, before, text);
	matches = rl_completion_matches(text, next_match);
	if (matches && !matches[1] && matches[0][strlen(matches[0]) - 1] == '=')
		rl_completion_append_character = '\0';
	drop_offers();
	return matches;
}

static void take_line(char *line)
{
	now.line = line;
	now.is_done = true;
	rl_callback_handler_remove();
	fflush(rl_outstream);
}

static void add_line(const char *line)
{
	add_history(line);
}

/* The next line of the history; NULL at the end */
static const char *next_line(void)
{
	const HIST_ENTRY *entry = history_get(history_base + now.saved++);

	return entry ? entry->line : NULL;
}

void prompt_start(const char *name, const char *path)
{
	rl_readline_name = name;
	rl_attempted_completion_function = complete;
	rl_completer_word_break_characters = (char *)" \t";
	rl_catch_signals = 0;
	using_history();
	stifle_history(HISTORY_LINES);
	if (path)
		history_load(path, add_line);
}

void prompt_finish(const char *path)
{
	now.saved = 0;
	if (path)
		history_save(path, next_line);
	clear_history();
}

/* Hide the line while something is printed above it. */
static void report_ready(void)
{
	_cleanup_free_ char *text = NULL;

	rl_clear_visible_line();
	fflush(rl_outstream); /* other output goes through sink.h */
	now.user->ready(now.user->context);
	text = now.user->text(now.user->context);
	rl_set_prompt(text);
	rl_on_new_line();
	rl_redisplay();
}

/* Abandon the line; the next one begins below it. */
static void clear_line(struct deadline *d)
{
	d->interrupts = 0;
	rl_callback_sigcleanup();
	rl_replace_line("", 0);
	rl_crlf();
	rl_on_new_line();
	rl_redisplay();
}

int prompt_line(const struct prompt_user *user, struct deadline *d, char **line, struct err *err)
{
	_cleanup_free_ char *text = user->text(user->context);

	now.user = user;
	now.is_done = false;
	rl_callback_handler_install(text, take_line);
	while (!now.is_done) {
		struct pollfd fds[] = { { .fd = STDIN_FILENO, .events = POLLIN },
					{ .fd = user->fd, .events = POLLIN } };
		int64_t until_ms = user->has_news ? 0 : DEADLINE_NEVER;
		int ready = deadline_poll(d, fds, 2, until_ms, err);

		if (ready < 0 && err->code == ERR_INTERRUPTED && d->last_signal == SIGINT) {
			clear_line(d);
		} else if (ready < 0) {
			rl_callback_handler_remove();
			fflush(rl_outstream);
			return -1;
		} else if (ready && fds[0].revents) {
			/* first: the output above the line may never end */
			rl_callback_read_char();
		} else {
			report_ready();
		}
	}
	*line = now.line;
	if (*line && **line)
		add_history(*line);
	return 0;
}
