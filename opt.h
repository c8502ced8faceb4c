/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * opt: typed option tables over getopt_long. A row is parser, help and completion at once.
 * May call: size, err, util. Must never: print, exit.
 */
#ifndef OPT_H
#define OPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "util.h"

enum opt_type {
	OPT_FLAG,    /* bool */
	OPT_STRING,  /* const char *, borrowed from argv */
	OPT_SIZE,    /* struct opt_u64, bytes */
	OPT_NUMBER,  /* struct opt_u64, decimal or 0x hexadecimal */
	OPT_SECONDS, /* int64_t, milliseconds; fractions allowed */
	OPT_CHOICE,  /* unsigned, the index in choices */
};

struct opt_u64 {
	bool is_set;
	uint64_t value;
};

struct opt {
	char letter;	  /* '\0': only the long form */
	const char *name; /* without the dashes; NULL ends a table */
	const char *
		arg; /* "SIZE", shown in help; "[=SIZE]" when it may be left out; NULL for a flag */
	const char *help;
	const char *env; /* environment variable that stands in for it, or NULL */
	enum opt_type type;
	size_t offset; /* of the value in the options struct */
	const char *const
		*choices; /* OPT_CHOICE: NULL-terminated; a first "" stands for none given */
};

/* opt_may_lack_value() - may the option be given without its argument? */
bool opt_may_lack_value(const struct opt *opt);

/*
 * opt_environment() - take the values of the rows that have a variable
 * @options:	the struct that the offsets refer to
 */
int opt_environment(const struct opt *table, void *options, struct err *err)
	__attribute__((warn_unused_result));

/* Two tables may be read at once: a command's own and the global one. */
struct opt_target {
	const struct opt *table;
	void *options;
};

/*
 * opt_shield() - let a word such as "-512M" count as a word, not as options
 * @argc, @argv: such words go to the end, behind a "--", unless there is one
 * Return: the new array, which the caller frees (not the words)
 */
char **opt_shield(int *argc, char **argv);

/*
 * opt_parse() - read options
 * @targets:	tables and where their values go
 * @argc, @argv: argv[0] is skipped
 * @stop_at_argument: stop at the first word that is no option, else permute
 * @first:	receives the index of the first word that is no option
 * Return: 0; -1 with ERR_USAGE
 */
int opt_parse(const struct opt_target *targets, unsigned targets_count, int argc, char **argv,
	      bool stop_at_argument, int *first, struct err *err)
	__attribute__((warn_unused_result));

/* opt_help() - append "  -t, --timeout SEC  ..." lines for a table, wrapped at 80 columns */
void opt_help(struct buf *out, const struct opt *table);

/* opt_check() - an error in a table (double letter or name, flag with an argument), or NULL */
const char *opt_check(const struct opt_target *targets, unsigned targets_count);

#endif
