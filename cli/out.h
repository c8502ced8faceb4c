/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * out: everything that a person sees: tables, colour, the progress line, errors. Text from outside
 * is made printable here, once. JSON goes to stdout as one line. All of it goes through sink.h.
 */
#ifndef CLI_OUT_H
#define CLI_OUT_H

#include <stdbool.h>

#include "lib/err.h"
#include "lib/json.h"
#include "lib/progress.h"
#include "lib/util.h"

/* Emphasis, used only if stdout is a terminal, NO_COLOR is not set and TERM is not "dumb". */
enum out_style { OUT_PLAIN, OUT_BOLD, OUT_GOOD, OUT_BAD };

/* out_printf() - to stdout; control characters except line ends become '?' */
void out_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* out_styled() - @text to stdout in a style */
void out_styled(enum out_style style, const char *text);

/* out_json() - @object on one line; borrowed */
void out_json(struct json_object *object);

/* out_note() - "memhp: ..." on stderr, for what is not an error */
void out_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* out_error() - message and hint of @err on stderr */
void out_error(const struct err *err);

/*
 * out_flush() - write everything out and check for errors
 * Return: 0; -1 with ERR_FAILED if stdout is closed or full, ERR_TIMEOUT or ERR_INTERRUPTED if the
 * reader takes too long
 */
int out_flush(struct err *err) __attribute__((warn_unused_result));

/* A table: cells are made printable; columns are as wide as the widest cell. Zero-initialise it. */
#define OUT_COLUMNS_MAX 10
struct out_table {
	unsigned columns;
	char **cells; /* rows x columns; the first row is the heading */
	unsigned count;
	bool right[OUT_COLUMNS_MAX]; /* right-aligned */
};

/* out_table_cell() - add the next cell, row by row; @text is copied */
void out_table_cell(struct out_table *t, const char *text);
/* out_table_finish() - print it if @is_wanted, and release it */
void out_table_finish(struct out_table *t, bool is_wanted);

/* The progress line: on stderr, only where it can be redrawn in place, only after a second. All
 * other output removes it first. */
struct out_progress {
	bool is_enabled;
	const struct progress *job; /* NULL: nothing to show; borrowed */
	int64_t start_ms;	    /* CLOCK_MONOTONIC */
};

/* out_can_redraw() - is stderr a terminal that can redraw a line? */
bool out_can_redraw(void);

/* out_progress_tick() - for struct deadline: shows how far the job has come */
void out_progress_tick(void *progress, bool is_waiting);
/* out_progress_clear() - remove the line, at the end of a command */
void out_progress_clear(void);

/* out_trace() - for struct trace: "[0.123] qmp > {...}" on stderr */
void out_trace(void *progress, const char *channel, char direction, const char *text);

#endif
