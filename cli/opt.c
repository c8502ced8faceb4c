/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Typed option tables over getopt_long. */
#include <ctype.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "cli/opt.h"
#include "lib/text.h"
#include "lib/size.h"

#define ROWS_MAX    64
#define USER_MAX    64 /* bytes */
#define HELP_COLUMN 28
#define HELP_WIDTH  80

bool opt_may_lack_value(const struct opt *opt)
{
	return opt->arg && opt->arg[0] == '[';
}

static int bad_value(const char *text, const char *want, struct err *err)
{
	return err_set(err, ERR_USAGE, "bad value '%s': want %s", text, want);
}

static int set_number(const char *text, struct opt_u64 *out, struct err *err)
{
	bool is_hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');

	if (!parse_u64(is_hex ? text + 2 : text, is_hex ? 16 : 10, &out->value))
		return bad_value(text, "a number", err);
	out->is_set = true;
	return 0;
}

static int set_seconds(const char *text, int64_t *out, struct err *err)
{
	const char *dot = strchr(text, '.');
	char *end;
	double seconds;

	if (!isdigit((unsigned char)text[0]) || strspn(text, "0123456789.") != strlen(text) ||
	    (dot && strchr(dot + 1, '.')))
		return bad_value(text, "seconds, such as 10 or 0.5", err);
	seconds = strtod(text, &end);
	if (*end || seconds > 1e9)
		return bad_value(text, "seconds, such as 10 or 0.5", err);
	*out = (int64_t)(seconds * 1000);
	if (!*out && seconds > 0)
		*out = 1;
	return 0;
}

static int set_choice(const struct opt *opt, const char *text, unsigned *out, struct err *err)
{
	_cleanup_buf_ struct buf words = { 0 };
	unsigned i;

	for (i = 0; opt->choices[i]; i++) {
		if (!*opt->choices[i])
			continue;
		if (!strcmp(opt->choices[i], text)) {
			*out = i;
			return 0;
		}
		buf_addf(&words, "%s%s", words.len ? (opt->choices[i + 1] ? ", " : " or ") : "",
			 opt->choices[i]);
	}
	return bad_value(text, buf_text(&words), err);
}

static int set_user(const char *text, const char **out, struct err *err)
{
	const char *at = text;

	while ((unsigned char)*at > ' ' && *at != 0x7f)
		at++;
	if (!*text || *at || *text == '-' || at - text > USER_MAX)
		return bad_value(text, "the name of a user", err);
	*out = text;
	return 0;
}

int opt_set(const struct opt *opt, const char *text, void *options, struct err *err)
{
	void *at = (char *)options + opt->offset;

	if (opt->type == OPT_FLAG) {
		*(bool *)at = true;
		return 0;
	}
	if (!text) { /* getopt lets this pass only if the value is optional */
		((struct opt_u64 *)at)->is_set = true;
		return 0;
	}
	switch (opt->type) {
	case OPT_FLAG:
		break;
	case OPT_STRING:
		*(const char **)at = text;
		return 0;
	case OPT_USER:
		return set_user(text, at, err);
	case OPT_MONITOR:
		return address_parse_monitor(at, text, err);
	case OPT_CHANNEL:
		return address_parse_channel(at, text, err);
	case OPT_SIZE:
		((struct opt_u64 *)at)->is_set = true;
		return size_parse(text, &((struct opt_u64 *)at)->value, err);
	case OPT_NUMBER:
		return set_number(text, at, err);
	case OPT_SECONDS:
		return set_seconds(text, at, err);
	case OPT_CHOICE:
		return set_choice(opt, text, at, err);
	}
	return 0;
}

static const struct opt *row_named(const struct opt *table, const char *name)
{
	const struct opt *opt;

	for (opt = table; opt && opt->name; opt++)
		if (!strcmp(opt->name, name))
			return opt;
	return NULL;
}

static const struct opt *row_lettered(const struct opt *table, char letter)
{
	const struct opt *opt;

	for (opt = table; opt && opt->name; opt++)
		if (opt->letter == letter)
			return opt;
	return NULL;
}

const struct opt *opt_of_word(const struct opt *table, const char *word)
{
	_cleanup_free_ char *name = NULL;

	if (strncmp(word, "--", 2) != 0)
		return NULL;
	name = xstrndup(word + 2, strcspn(word + 2, "="));
	return row_named(table, name);
}

const struct opt *opt_awaiting(const struct opt *table, const char *word)
{
	const struct opt *opt = NULL;

	if (!strncmp(word, "--", 2)) {
		opt = strchr(word, '=') ? NULL : opt_of_word(table, word);
	} else if (word[0] == '-') {
		/* the first letter with a value takes the rest of the word as its value, if any
		 */
		while (*++word && !(opt && opt->arg))
			opt = row_lettered(table, *word);
		opt = *word ? NULL : opt;
	}
	return opt && opt->arg && !opt_may_lack_value(opt) ? opt : NULL;
}

/* The bit of a row in the masks of its target. */
static uint64_t bit_of(const struct opt_target *target, const struct opt *opt)
{
	return UINT64_C(1) << (opt - target->table);
}

int opt_environment(struct opt_target *target, struct err *err)
{
	const struct opt *opt;

	for (opt = target->table; opt->name; opt++) {
		const char *text = opt->env ? getenv(opt->env) : NULL;

		if (!text || !*text)
			continue;
		if (opt_set(opt, text, target->options, err))
			return err_wrap(err, "environment variable %s", opt->env);
		target->given |= bit_of(target, opt);
	}
	return 0;
}

int opt_default(struct opt_target *target, const char *name, const char *text, struct err *err)
{
	const struct opt *opt = row_named(target->table, name);

	if (!opt || target->given & bit_of(target, opt))
		return 0;
	return opt_set(opt, text, target->options, err);
}

void opt_forget(struct opt_target *target, const char *name)
{
	const struct opt *opt = row_named(target->table, name);
	void *at;

	if (!opt || target->typed & bit_of(target, opt))
		return;
	at = (char *)target->options + opt->offset;
	target->given &= ~bit_of(target, opt);
	if (opt->type == OPT_MONITOR || opt->type == OPT_CHANNEL)
		*(struct address *)at = (struct address){ 0 };
	else
		*(const char **)at = NULL;
}

bool opt_is_typed(const struct opt_target *target, const char *name)
{
	const struct opt *opt = row_named(target->table, name);

	return opt && target->typed & bit_of(target, opt);
}

/* getopt's tables for all rows; the value of a long option is 256 + its row. */
struct flat {
	const struct opt *rows[ROWS_MAX];
	struct opt_target *targets[ROWS_MAX]; /* the table of each row */
	struct option longs[ROWS_MAX + 1];
	char shorts[3 * ROWS_MAX + 3];
};

static int argument_of(const struct opt *opt)
{
	return !opt->arg		 ? no_argument
	       : opt_may_lack_value(opt) ? optional_argument
					 : required_argument;
}

static void flatten(struct flat *f, struct opt_target *targets, unsigned count, bool stop)
{
	char *s = f->shorts;
	unsigned t, n = 0;

	if (stop)
		*s++ = '+';
	*s++ = ':';
	for (t = 0; t < count; t++) {
		const struct opt *opt;

		for (opt = targets[t].table; opt && opt->name && n < ROWS_MAX; opt++, n++) {
			f->rows[n] = opt;
			f->targets[n] = &targets[t];
			f->longs[n] =
				(struct option){ opt->name, argument_of(opt), NULL, 256 + (int)n };
			if (opt->letter) {
				*s++ = opt->letter;
				if (opt->arg)
					*s++ = ':';
			}
		}
	}
	*s = '\0';
	f->longs[n] = (struct option){ 0 };
}

/* The row of a getopt result. */
static int row_of(const struct flat *f, int c)
{
	int i;

	if (c >= 256)
		return c - 256;
	for (i = 0; f->longs[i].name; i++)
		if (f->rows[i]->letter == c)
			return i;
	return -1;
}

/* Set the error for an unknown or ambiguous long option. */
static int complain_long(const struct flat *f, const char *word, struct err *err)
{
	_cleanup_free_ char *name = xstrndup(word + 2, strcspn(word + 2, "="));
	_cleanup_buf_ struct buf several = { 0 };
	struct nearest nearest = { .word = name };
	int i;

	for (i = 0; f->longs[i].name; i++) {
		nearest_offer(&nearest, f->longs[i].name);
		if (*name && !strncmp(f->longs[i].name, name, strlen(name)))
			buf_addf(&several, "%s--%s", several.len ? ", " : "", f->longs[i].name);
	}
	if (several.len)
		return err_set(err, ERR_USAGE, "ambiguous option '--%s': %s", name,
			       buf_text(&several));
	err_set(err, ERR_USAGE, "unknown option '--%s'", name);
	return nearest.best ? err_hint(err, "did you mean '--%s'?", nearest.best) : -1;
}

/* For an unknown long option getopt sets optopt to 0, and the word is just before optind. */
static int complain(const struct flat *f, int c, char **argv, struct err *err)
{
	int row = optopt ? row_of(f, optopt) : -1;

	if (c == ':')
		return err_set(err, ERR_USAGE, "option '--%s' needs a value: %s",
			       row < 0 ? "?" : f->rows[row]->name,
			       row < 0 ? "" : f->rows[row]->arg);
	if (!optopt)
		return complain_long(f, argv[optind - 1], err);
	if (optopt >= 256)
		return err_set(err, ERR_USAGE, "option '--%s' takes no value", f->rows[row]->name);
	if (isdigit((unsigned char)optopt))
		return err_set(err, ERR_USAGE, "unknown option '-%c': a size or block has no sign",
			       optopt);
	return err_set(err, ERR_USAGE, "unknown option '-%c'", optopt);
}

static bool is_negative(const char *word)
{
	return word[0] == '-' && isdigit((unsigned char)word[1]);
}

char **opt_shield(int *argc, char **argv)
{
	char **words = xcalloc((size_t)*argc + 2, sizeof(*words));
	bool has_end = false;
	int i, count = 0, pass;

	for (i = 0; i < *argc; i++)
		has_end |= !strcmp(argv[i], "--");
	for (pass = 0; pass < 2; pass++) {
		for (i = 0; i < *argc; i++)
			if (has_end ? !pass : is_negative(argv[i]) == pass)
				words[count++] = argv[i];
		if (!pass && !has_end && count < *argc)
			words[count++] = (char *)"--";
	}
	*argc = count;
	return words;
}

/* Set one row from the command line. */
static int set_typed(struct flat *f, int row, const char *text, struct err *err)
{
	struct opt_target *target = f->targets[row];
	const struct opt *opt = f->rows[row];

	if (opt_set(opt, text, target->options, err))
		return err_wrap(err, "option '--%s'", opt->name);
	target->given |= bit_of(target, opt);
	target->typed |= bit_of(target, opt);
	return 0;
}

int opt_parse(struct opt_target *targets, unsigned targets_count, int argc, char **argv,
	      bool stop_at_argument, int *first, struct err *err)
{
	struct flat f = { 0 };
	int c;

	flatten(&f, targets, targets_count, stop_at_argument);
	optind = 0; /* glibc and musl: start again */
	opterr = 0;
	while ((c = getopt_long(argc, argv, f.shorts, f.longs, NULL)) != -1) {
		int row;

		if (c == '?' || c == ':')
			return complain(&f, c, argv, err);
		row = row_of(&f, c);
		if (row >= 0 && set_typed(&f, row, optarg, err))
			return -1;
	}
	*first = optind;
	return 0;
}

/* Append @text at HELP_COLUMN, wrapped at HELP_WIDTH; @column is the current column. */
static void wrap(struct buf *out, const char *text, size_t column)
{
	while (*text) {
		size_t len = strcspn(text, " ");

		if (column > HELP_COLUMN && column + 1 + len > HELP_WIDTH - 1) {
			buf_addf(out, "\n");
			column = 0;
		}
		if (column < HELP_COLUMN) {
			buf_addf(out, "%*s", (int)(HELP_COLUMN - column), "");
			column = HELP_COLUMN;
		} else {
			buf_addf(out, " ");
			column++;
		}
		buf_add(out, text, len);
		column += len;
		text += len + strspn(text + len, " ");
	}
	buf_addf(out, "\n");
}

void opt_help(struct buf *out, const struct opt *table)
{
	const struct opt *opt;

	for (opt = table; opt && opt->name; opt++) {
		_cleanup_free_ char *left = xasprintf(
			"  %c%c%s --%s%s%s", opt->letter ? '-' : ' ',
			opt->letter ? opt->letter : ' ', opt->letter ? "," : " ", opt->name,
			opt->arg && !opt_may_lack_value(opt) ? " " : "", opt->arg ? opt->arg : "");
		_cleanup_free_ char *help =
			opt->env ? xasprintf("%s [%s]", opt->help, opt->env) : xstrdup(opt->help);

		buf_addf(out, "%s", left);
		if (strlen(left) > HELP_COLUMN - 2)
			buf_addf(out, "\n");
		wrap(out, help, strlen(left) > HELP_COLUMN - 2 ? 0 : strlen(left));
	}
}

const char *opt_check(struct opt_target *targets, unsigned targets_count)
{
	struct flat f = { 0 };
	int i, j;

	flatten(&f, targets, targets_count, false);
	for (i = 0; f.longs[i].name; i++) {
		const struct opt *a = f.rows[i];

		if (!a->help || !*a->help)
			return "an option without help";
		if ((a->type == OPT_FLAG) != !a->arg)
			return "an argument on a flag, or none on a value";
		if (opt_may_lack_value(a) && a->type != OPT_SIZE && a->type != OPT_NUMBER)
			return "a value that may lack, but cannot be told from none";
		if ((a->type == OPT_CHOICE) != !!a->choices)
			return "choices on what is no choice";
		for (j = 0; j < i; j++)
			if (!strcmp(a->name, f.rows[j]->name) ||
			    (a->letter && a->letter == f.rows[j]->letter))
				return "two options of one name";
	}
	return NULL;
}
