/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * words: a line as a shell splits it: blanks, 'quotes', "quotes", backslashes, # comments. Must
 * never: expand anything.
 */
#ifndef LIB_WORDS_H
#define LIB_WORDS_H

#include <stdbool.h>

#include "lib/err.h"

/* Words with a NULL behind them, as main() gets them; zero-initialise it. */
struct words {
	char **list;
	int count;
};

/*
 * words_split() - split a line
 * @words:	receives the words, for words_release(); none for a blank line
 * Return: 0; -1 with ERR_USAGE when a quote does not end
 */
int words_split(const char *line, struct words *words, struct err *err)
	__attribute__((warn_unused_result));

void words_release(struct words *words);

/* words_is_plain() - is it a word that no shell takes apart, and that looks like no option? For
 * names that come from outside */
bool words_is_plain(const char *word);

/* words_quoted() - @word as a shell reads it as one word; the caller frees it; NULL when it has
 * what cannot be shown on a terminal */
char *words_quoted(const char *word);

#endif
