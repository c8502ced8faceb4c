/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A line as a shell splits it. */
#include <stdlib.h>
#include <string.h>

#include "lib/util.h"
#include "lib/words.h"

static void add_word(struct words *words, char *word)
{
	words->list = xrealloc(words->list, ((size_t)words->count + 2) * sizeof(*words->list));
	words->list[words->count++] = word;
	words->list[words->count] = NULL;
}

/* Take what stands between quotes; *at is behind the first and ends behind the last. */
static int take_quoted(const char **at, char quote, struct buf *word, struct err *err)
{
	for (; **at && **at != quote; (*at)++) {
		if (quote == '"' && **at == '\\' && strchr("\"\\", (*at)[1]) && (*at)[1])
			(*at)++;
		buf_add(word, *at, 1);
	}
	if (!**at)
		return err_set(err, ERR_USAGE, "no closing %c", quote);
	(*at)++;
	return 0;
}

/* Take one word, which begins at *at. */
static int take_word(const char **at, struct buf *word, struct err *err)
{
	buf_add(word, "", 0);
	while (**at && !strchr(" \t\r\n", **at)) {
		char c = *(*at)++;

		if (c == '\'' || c == '"') {
			if (take_quoted(at, c, word, err))
				return -1;
		} else if (c == '\\' && **at) {
			buf_add(word, (*at)++, 1);
		} else {
			buf_add(word, &c, 1);
		}
	}
	return 0;
}

int words_split(const char *line, struct words *words, struct err *err)
{
	*words = (struct words){ 0 };
	for (line += strspn(line, " \t\r\n"); *line && *line != '#';
	     line += strspn(line, " \t\r\n")) {
		struct buf word = { 0 };

		if (take_word(&line, &word, err)) {
			buf_release(&word);
			words_release(words);
			return -1;
		}
		add_word(words, word.data ? word.data : xstrdup(""));
	}
	return 0;
}

void words_release(struct words *words)
{
	int i;

	for (i = 0; i < words->count; i++)
		free(words->list[i]);
	free(words->list);
	*words = (struct words){ 0 };
}

bool words_is_plain(const char *word)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./=-";

	return *word && *word != '-' && strspn(word, plain) == strlen(word);
}

char *words_quoted(const char *word)
{
	_cleanup_free_ char *shown = xstrdup(word);
	struct buf text = { 0 };

	printable(shown);
	if (strcmp(shown, word) != 0)
		return NULL;
	if (words_is_plain(word))
		return xstrdup(word);
	buf_add(&text, "'", 1);
	for (; *word; word++)
		buf_addf(&text, *word == '\'' ? "'\\''" : "%c", *word);
	buf_add(&text, "'", 1);
	return text.data;
}
