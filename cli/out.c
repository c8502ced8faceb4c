/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Everything that a person sees. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/out.h"
#include "cli/sink.h"
#include "lib/deadline.h"
#include "lib/text.h"

#define PROGRESS_AFTER_MS 1000
#define COLUMNS_DEFAULT	  80 /* of a terminal of unknown width */

static bool is_progress_shown; /* there is one terminal, with one progress line */

void out_progress_clear(void)
{
	if (is_progress_shown)
		fputs("\r\033[K", sink_stderr());
	is_progress_shown = false;
}

/* printable(), line by line. */
static void print_text(FILE *stream, char *text)
{
	while (text) {
		char *end = strchr(text, '\n');

		if (end)
			*end = '\0';
		printable(text);
		fputs(text, stream);
		if (end)
			fputc('\n', stream);
		text = end ? end + 1 : NULL;
	}
}

static char *format(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0)));

static char *format(const char *fmt, va_list ap)
{
	char *text;

	return vasprintf(&text, fmt, ap) < 0 ? xstrdup("") : text;
}

void out_printf(const char *fmt, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	text = format(fmt, ap);
	va_end(ap);
	out_progress_clear();
	print_text(sink_stdout(), text);
}

/* Does the terminal understand escape sequences? */
static bool has_escapes(void)
{
	const char *term = getenv("TERM");

	return term && *term && strcmp(term, "dumb") != 0;
}

static bool has_colour(void)
{
	const char *no_color = getenv("NO_COLOR");

	return isatty(STDOUT_FILENO) && !(no_color && *no_color) && has_escapes();
}

void out_styled(enum out_style style, const char *text)
{
	static const char *const starts[] = { [OUT_PLAIN] = "",
					      [OUT_BOLD] = "\033[1m",
					      [OUT_GOOD] = "\033[32m",
					      [OUT_BAD] = "\033[31m" };
	bool colour = style != OUT_PLAIN && has_colour();

	out_progress_clear();
	if (colour)
		fputs(starts[style], sink_stdout());
	out_printf("%s", text);
	if (colour)
		fputs("\033[0m", sink_stdout());
}

/* json-c escapes characters below 0x20. DEL and U+0080 to U+009F control terminals as well, and so
 * do bytes that are not UTF-8: the user's arguments and paths may contain them. */
void out_json(struct json_object *object)
{
	const char *s = json_text(object);

	out_progress_clear();
	while (*s) {
		size_t len = printable_len(s);

		if (len) {
			fwrite(s, 1, len, sink_stdout());
		} else if (*s == 0x7f) {
			fputs("\\u007f", sink_stdout());
		} else if (*s == '\xc2' && (s[1] & 0xe0) == 0x80) {
			fprintf(sink_stdout(), "\\u00%02x", (unsigned char)s[1]);
			len = 2;
		} else {
			fputs("\\ufffd", sink_stdout());
		}
		s += len ? len : 1;
	}
	fputc('\n', sink_stdout());
}

void out_note(const char *fmt, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	text = format(fmt, ap);
	va_end(ap);
	printable(text);
	out_progress_clear();
	fprintf(sink_stderr(), "memhp: %s\n", text);
}

void out_error(const struct err *err)
{
	char hint[sizeof(err->hint)];

	out_note("%s", err->message);
	if (!err->hint[0])
		return;
	memcpy(hint, err->hint, sizeof(hint));
	printable(hint);
	fprintf(sink_stderr(), "hint: %s\n", hint);
}

int out_flush(struct err *err)
{
	return sink_flush(err);
}

void out_table_cell(struct out_table *t, const char *text)
{
	t->cells = xgrow(t->cells, t->count, sizeof(*t->cells));
	t->cells[t->count] = xstrdup(text);
	printable(t->cells[t->count]);
	t->count++;
}

/* Columns on the terminal: UTF-8 continuation bytes take none. */
static int width_of(const char *text)
{
	int width = 0;

	for (; *text; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

static void print_row(const struct out_table *t, unsigned row, const int *widths)
{
	_cleanup_buf_ struct buf line = { 0 };
	unsigned c;

	for (c = 0; c < t->columns; c++) {
		const char *cell = t->cells[row * t->columns + c];
		int pad = widths[c] - width_of(cell);

		if (c)
			buf_addf(&line, "  ");
		if (t->right[c])
			buf_addf(&line, "%*s%s", pad, "", cell);
		else
			buf_addf(&line, "%s%*s", cell, c + 1 < t->columns ? pad : 0, "");
	}
	while (line.len && line.data[line.len - 1] == ' ')
		line.data[--line.len] = '\0';
	out_styled(row ? OUT_PLAIN : OUT_BOLD, buf_text(&line));
	out_printf("\n");
}

void out_table_finish(struct out_table *t, bool is_wanted)
{
	int widths[OUT_COLUMNS_MAX] = { 0 };
	unsigned i;

	for (i = 0; i < t->count; i++) {
		int width = width_of(t->cells[i]);

		if (width > widths[i % t->columns])
			widths[i % t->columns] = width;
	}
	for (i = 0; is_wanted && i < t->count / t->columns; i++)
		print_row(t, i, widths);
	for (i = 0; i < t->count; i++)
		free(t->cells[i]);
	free(t->cells);
	t->cells = NULL;
	t->count = 0;
}

bool out_can_redraw(void)
{
	return isatty(STDERR_FILENO) && has_escapes();
}

/* The terminal's columns but the last: writing to it moves some terminals to the next line. */
static unsigned usable_columns(void)
{
	struct winsize size = { 0 };

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) || !size.ws_col)
		return COLUMNS_DEFAULT - 1;
	return size.ws_col - 1u;
}

void out_progress_tick(void *progress, bool is_waiting)
{
	const struct out_progress *p = progress;
	int64_t now_ms = monotonic_ms(), elapsed_ms = now_ms - p->start_ms;
	_cleanup_buf_ struct buf line = { 0 };

	if (!is_waiting)
		out_progress_clear();
	if (!is_waiting || !p->is_enabled || !p->job || !p->job->phase ||
	    elapsed_ms < PROGRESS_AFTER_MS)
		return;
	progress_format(p->job, elapsed_ms, now_ms, usable_columns(), &line);
	fprintf(sink_stderr(), "\r\033[K%s", buf_text(&line));
	is_progress_shown = true;
}

void out_trace(void *progress, const char *channel, char direction, const char *text)
{
	const struct out_progress *p = progress;
	int64_t elapsed_ms = monotonic_ms() - p->start_ms;
	_cleanup_free_ char *copy = xstrdup(text);

	out_progress_clear();
	printable(copy);
	fprintf(sink_stderr(), "[%lld.%03lld] %s %c %s\n", (long long)(elapsed_ms / 1000),
		(long long)(elapsed_ms % 1000), channel, direction, copy);
}
