/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * text: what a person types or reads: printable text, lines split as a shell splits them, the
 * intended name behind a typo. Must never: expand anything, guess silently.
 */
#ifndef LIB_TEXT_H
#define LIB_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/err.h"

/* printable_len() - bytes of the character at @text; 0 at the end, and for what printable()
 * replaces
 */
size_t printable_len(const char *text);

/*
 * printable() - replace what could control a terminal (control characters, DEL, C1, broken UTF-8)
 * by '?', in place: for text from a guest, QEMU or a file
 */
void printable(char *text);

/* clip() - cut a text to at most @len bytes, at a character boundary */
void clip(char *text, size_t len);

/* printable_short() - a printable copy of at most @max_bytes, which the caller frees; a longer text
 * is cut and gets "..." */
char *printable_short(const char *text, size_t max_bytes);

/* Words and a final NULL, as main() gets them; zero-initialise it. */
struct argv {
	char **list;
	int count;
};

/*
 * argv_split() - split a line
 * @words:	receives the words, for argv_free(); none for a blank line
 * Return: 0; -1 with ERR_USAGE if a quote does not end
 */
int argv_split(const char *line, struct argv *words, struct err *err)
	__attribute__((warn_unused_result));

void argv_free(struct argv *words);

/* text_is_plain() - is it a word that no shell splits or expands, and that does not look like an
 * option? For names from outside */
bool text_is_plain(const char *word);

/* text_quoted() - @word quoted for a shell; the caller frees it; NULL if it cannot be shown on a
 * terminal */
char *text_quoted(const char *word);

/* A search: set word, offer each candidate, ask for the hint. */
struct nearest {
	const char *word; /* as typed; borrowed */
	const char *best; /* the closest candidate so far, NULL for none; borrowed */
	unsigned distance;
};

/* nearest_offer() - add a name that may be meant; NULL is ignored */
void nearest_offer(struct nearest *n, const char *candidate);

/*
 * nearest_hint() - "did you mean '...'?" if a candidate is close enough
 * @otherwise:	the hint if none is; NULL keeps the current hint
 * Return: -1
 */
int nearest_hint(const struct nearest *n, const char *otherwise, struct err *err);

#endif
