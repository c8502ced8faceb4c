/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * complete: what can stand at a place of a command line, for the prompt of "memhp shell" and for
 * the completions of bash, zsh and fish. Where QEMU or the guest cannot be asked within a moment,
 * less is offered. Must never: print, fail.
 */
#ifndef CMD_COMPLETE_H
#define CMD_COMPLETE_H

#include <stdbool.h>

#include "cmd/report.h"

/* Where the line is typed; zero-initialise the rest. */
struct completion {
	const struct ctx *ctx; /* with the commands and the global options; borrowed */
	struct vm *vm;	       /* to ask; NULL: nobody; borrowed */
	bool has_vm;	       /* the VM is settled: no option that chooses it is offered */
	struct config *config; /* with the profiles, read when they are needed; borrowed */
	/* receives each word, and what it means or NULL; both are to be copied */
	void (*add)(const char *word, const char *meaning);
	struct transaction known; /* the VM, as it was when it was asked */
	bool is_known, knows_guest;
};

/*
 * complete_words() - offer what can stand in the place of @word, and begins like it
 * @argc, @argv: the words before it, without "memhp" itself
 * Return: true when the name of a file can stand there as well
 */
bool complete_words(struct completion *o, int argc, char **argv, const char *word);

/* completion_forget() - the VM may have changed: ask it again */
void completion_forget(struct completion *o);

#endif
