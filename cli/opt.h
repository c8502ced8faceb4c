/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * opt: typed option tables over getopt_long. A row serves parsing, help and completion. Must
 * never: print, exit.
 */
#ifndef CLI_OPT_H
#define CLI_OPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/address.h"
#include "lib/err.h"
#include "lib/util.h"

enum opt_type {
	OPT_FLAG,    /* bool */
	OPT_STRING,  /* const char *, borrowed from argv */
	OPT_USER,    /* the same, a name that a login program accepts */
	OPT_MONITOR, /* struct address, whose text is borrowed from argv */
	OPT_CHANNEL, /* the same, for the guest */
	OPT_SIZE,    /* struct opt_u64, bytes */
	OPT_NUMBER,  /* struct opt_u64, decimal or 0x hexadecimal */
	OPT_SECONDS, /* int64_t, milliseconds; fractions allowed */
	OPT_CHOICE,  /* unsigned, the index in choices */
};

struct opt {
	char letter;	  /* '\0': long form only */
	const char *name; /* without the dashes; NULL ends a table */
	const char *arg;  /* "SIZE"; "[=SIZE]" if it is optional; NULL for a flag */
	const char *help;
	const char *env; /* environment variable with its default, or NULL */
	enum opt_type type;
	size_t offset; /* of the value in the options struct */
	/* OPT_CHOICE: NULL-terminated; a first "" stands for not given */
	const char *const *choices;
};

/* opt_may_lack_value() - is the option's argument optional? */
bool opt_may_lack_value(const struct opt *opt);

/* A table and where its values go. Two are parsed together: a command's own and the global one. */
struct opt_target {
	const struct opt *table; /* NULL for none; at most 64 rows */
	void *options;		 /* the struct that the offsets refer to */
	uint64_t given;		 /* bits of the rows that have a value, by row number */
	uint64_t typed;		 /* those set on the command line */
};

/* opt_of_word() - the row of "--name" or "--name=VALUE", not abbreviated; NULL for none */
const struct opt *opt_of_word(const struct opt *table, const char *word);

/* opt_awaiting() - the row whose value is the next word after @word: "--zone", "-Q", "-jQ"; NULL
 * for none */
const struct opt *opt_awaiting(const struct opt *table, const char *word);

/*
 * opt_set() - set the value of one row
 * @text:	borrowed by OPT_STRING, OPT_USER, OPT_MONITOR and OPT_CHANNEL
 * Return: 0; -1 with ERR_USAGE, which does not name the row
 */
int opt_set(const struct opt *opt, const char *text, void *options, struct err *err)
	__attribute__((warn_unused_result));

/* opt_environment() - set rows from their environment variables */
int opt_environment(struct opt_target *target, struct err *err) __attribute__((warn_unused_result));

/* opt_default() - set row @name, if it exists and was not given */
int opt_default(struct opt_target *target, const char *name, const char *text, struct err *err)
	__attribute__((warn_unused_result));

/* opt_forget() - reset row @name, a string or an address, unless it was set on the command line */
void opt_forget(struct opt_target *target, const char *name);

/* opt_is_typed() - was row @name set on the command line? */
bool opt_is_typed(const struct opt_target *target, const char *name);

/*
 * opt_shield() - make a word such as "-512M" an argument, not options
 * @argc, @argv: such words move to the end, after a "--", unless there is one already
 * Return: the new array, which the caller frees (not the words)
 */
char **opt_shield(int *argc, char **argv);

/*
 * opt_parse() - parse options
 * @argc, @argv: argv[0] is skipped
 * @stop_at_argument: stop at the first word that is not an option, else permute
 * @first:	receives the index of the first word that is not an option
 * Return: 0; -1 with ERR_USAGE
 */
int opt_parse(struct opt_target *targets, unsigned targets_count, int argc, char **argv,
	      bool stop_at_argument, int *first, struct err *err)
	__attribute__((warn_unused_result));

/* opt_help() - append "  -t, --timeout SEC  ..." lines for a table, wrapped at 80 columns */
void opt_help(struct buf *out, const struct opt *table);

/* opt_check() - an error in a table (duplicate letter or name, flag with an argument), or NULL */
const char *opt_check(struct opt_target *targets, unsigned targets_count);

#endif
