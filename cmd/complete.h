/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * complete: the possible words at a place of a command line, for the prompt of "memhp shell" and
 * the completions of bash, zsh and fish. If QEMU or the guest cannot be queried within a moment,
 * less is offered. Must never: print, fail.
 */
#ifndef CMD_COMPLETE_H
#define CMD_COMPLETE_H

#include <stdbool.h>

#include "cmd/report.h"

/* The context of the line; zero-initialise the rest. */
struct completion {
	const struct ctx *ctx; /* with the commands and the global options; borrowed */
	struct vm *vm;	       /* to query; NULL: none; borrowed */
	bool has_vm;	       /* the VM is fixed: do not offer options that choose it */
	struct config *config; /* with the profiles, read when needed; borrowed */
	/* receives each word, and its meaning or NULL; must copy both */
	void (*add)(const char *word, const char *meaning);
	struct transaction known; /* the VM, as of the last query */
	bool is_known, knows_guest;
};

/*
 * complete_words() - offer the possible words that begin with @word
 * @argc, @argv: the words before it, without "memhp" itself
 * Return: true if a file name is possible there as well
 */
bool complete_words(struct completion *o, int argc, char **argv, const char *word);

/* completion_forget() - the VM may have changed: query it again */
void completion_forget(struct completion *o);

#endif
