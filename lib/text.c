/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Text that a person types or reads. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "lib/text.h"
#include "lib/util.h"

#define NEAREST_MAX 40 /* bytes; longer words are not compared */

/* RFC 3629, less U+0080-U+009F. */
size_t printable_len(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t len, i;

	if (s[0] >= 0x20 && s[0] < 0x7f)
		return 1;
	if (s[0] >= 0xc2 && s[0] <= 0xdf)
		len = 2;
	else if (s[0] >= 0xe0 && s[0] <= 0xef)
		len = 3;
	else if (s[0] >= 0xf0 && s[0] <= 0xf4)
		len = 4;
	else
		return 0;
	for (i = 1; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xc2 && s[1] < 0xa0) || (s[0] == 0xe0 && s[1] < 0xa0) ||
	    (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) ||
	    (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return len;
}

void printable(char *text)
{
	while (*text) {
		size_t len = printable_len(text);

		if (!len)
			*text = '?';
		text += len ? len : 1;
	}
}

void clip(char *text, size_t len)
{
	size_t at = 0;

	while (text[at]) {
		size_t next = printable_len(text + at);

		next = next ? next : 1;
		if (at + next > len)
			break;
		at += next;
	}
	text[at] = '\0';
}

char *printable_short(const char *text, size_t max_bytes)
{
	size_t len = strnlen(text, max_bytes + 1);
	char *copy;

	if (len <= max_bytes) {
		copy = xstrndup(text, len);
	} else {
		len = max_bytes - 3;
		while (len && ((unsigned char)text[len] & 0xc0) == 0x80)
			len--; /* not inside a character */
		copy = xasprintf("%.*s...", (int)len, text);
	}
	printable(copy);
	return copy;
}

static void add_word(struct argv *words, char *word)
{
	words->list = xrealloc(words->list, ((size_t)words->count + 2) * sizeof(*words->list));
	words->list[words->count++] = word;
	words->list[words->count] = NULL;
}

/* Take the text between quotes; *at moves from behind the first quote to behind the last. */
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

int argv_split(const char *line, struct argv *words, struct err *err)
{
	*words = (struct argv){ 0 };
	for (line += strspn(line, " \t\r\n"); *line && *line != '#';
	     line += strspn(line, " \t\r\n")) {
		struct buf word = { 0 };

		if (take_word(&line, &word, err)) {
			buf_free(&word);
			argv_free(words);
			return -1;
		}
		add_word(words, word.data ? word.data : xstrdup(""));
	}
	return 0;
}

void argv_free(struct argv *words)
{
	int i;

	for (i = 0; i < words->count; i++)
		free(words->list[i]);
	free(words->list);
	*words = (struct argv){ 0 };
}

bool text_is_plain(const char *word)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./=-";

	return *word && *word != '-' && strspn(word, plain) == strlen(word);
}

char *text_quoted(const char *word)
{
	_cleanup_free_ char *shown = xstrdup(word);
	struct buf text = { 0 };

	printable(shown);
	if (strcmp(shown, word) != 0)
		return NULL;
	if (text_is_plain(word))
		return xstrdup(word);
	buf_add(&text, "'", 1);
	for (; *word; word++)
		buf_addf(&text, *word == '\'' ? "'\\''" : "%c", *word);
	buf_add(&text, "'", 1);
	return text.data;
}

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* The number of letters to insert, drop, replace or swap to turn one word into the other. */
static unsigned distance_of(const char *a, const char *b)
{
	unsigned rows[3][NEAREST_MAX + 1], i, j;
	unsigned *above2 = rows[0], *above = rows[1], *row = rows[2];

	for (j = 0; j <= strlen(b); j++)
		above[j] = j;
	for (i = 1; i <= strlen(a); i++) {
		unsigned *spare = above2;

		row[0] = i;
		for (j = 1; j <= strlen(b); j++) {
			row[j] = least(above[j], row[j - 1]) + 1;
			row[j] = least(row[j], above[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = least(row[j], above2[j - 2] + 1);
		}
		above2 = above;
		above = row;
		row = spare;
	}
	return above[strlen(b)];
}

/* Up to a third of the letters may differ, or the end may be missing. */
static unsigned distance_allowed(const char *word, const char *candidate)
{
	size_t len = strlen(word);

	if (len > 1 && !strncmp(word, candidate, len))
		return UINT_MAX;
	return (unsigned)(len < 3 ? 1 : (len + 2) / 3);
}

void nearest_offer(struct nearest *n, const char *candidate)
{
	unsigned distance;

	if (!candidate || strlen(n->word) > NEAREST_MAX || strlen(candidate) > NEAREST_MAX)
		return;
	distance = distance_of(n->word, candidate);
	if (distance > distance_allowed(n->word, candidate) || distance >= strlen(candidate) ||
	    (n->best && distance >= n->distance))
		return;
	n->best = candidate;
	n->distance = distance;
}

int nearest_hint(const struct nearest *n, const char *otherwise, struct err *err)
{
	if (n->best)
		return err_hint(err, "did you mean '%s'?", n->best);
	return otherwise ? err_hint(err, "%s", otherwise) : -1;
}
