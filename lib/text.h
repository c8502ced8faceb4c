/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * text: what a person types or reads: printable text, a line split as a shell splits it, the name
 * that a mistyped one was meant for. Must never: expand anything, guess without saying so.
 */
#ifndef LIB_TEXT_H
#define LIB_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/err.h"

/* printable_len() - bytes of the character at @text; 0 at its end, and for what printable()
 * replaces
 */
size_t printable_len(const char *text);

/*
 * printable() - replace what could drive a terminal (control characters, DEL, C1, broken UTF-8)
 * by '?', in place: for text that came from a guest, QEMU or a file
 */
void printable(char *text);

/* clip() - end a text after at most @len bytes, at the edge of a character */
void clip(char *text, size_t len);

/* printable_short() - a printable copy of at most @max_bytes, which the caller frees: of a longer
 * text the beginning, and "..." */
char *printable_short(const char *text, size_t max_bytes);

/* Words with a NULL behind them, as main() gets them; zero-initialise it. */
struct argv {
	char **list;
	int count;
};

/*
 * argv_split() - split a line
 * @words:	receives the words, for argv_free(); none for a blank line
 * Return: 0; -1 with ERR_USAGE when a quote does not end
 */
int argv_split(const char *line, struct argv *words, struct err *err)
	__attribute__((warn_unused_result));

void argv_free(struct argv *words);

/* text_is_plain() - is it a word that no shell takes apart, and that looks like no option? For
 * names that come from outside */
bool text_is_plain(const char *word);

/* text_quoted() - @word as a shell reads it as one word; the caller frees it; NULL when it has
 * what cannot be shown on a terminal */
char *text_quoted(const char *word);

/* A search: set word, offer each candidate, ask for the hint. */
struct nearest {
	const char *word; /* as it was typed; borrowed */
	const char *best; /* the closest candidate so far, NULL for none; borrowed */
	unsigned distance;
};

/* nearest_offer() - one more name that might be meant; NULL is passed over */
void nearest_offer(struct nearest *n, const char *candidate);

/*
 * nearest_hint() - "did you mean '...'?" when a candidate is close enough
 * @otherwise:	the hint when none is; NULL leaves the hint as it is
 * Return: -1
 */
int nearest_hint(const struct nearest *n, const char *otherwise, struct err *err);

#endif
