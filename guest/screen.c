/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the last line on a console waits for. */
#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "guest/screen.h"

#define LOOK_BACK 2048 /* bytes from the end that matter */

/* The visible part of a text. */
struct view {
	char text[LOOK_BACK + 1];
	size_t len;
};

/* The length of a kernel message, "[   12.345678] ...", with its line end; 0 if there is none; the
 * rest of the text if it is incomplete. */
static size_t kernel_message(const char *at, size_t len)
{
	size_t i = 1, digits;
	const char *end;

	if (*at != '[')
		return 0;
	while (i < len && at[i] == ' ')
		i++;
	for (digits = 0; i < len && isdigit((unsigned char)at[i]); digits++)
		i++;
	if (i < len && (!digits || at[i++] != '.'))
		return 0;
	for (digits = 0; i < len && isdigit((unsigned char)at[i]); digits++)
		i++;
	if (i < len && (digits != 6 || at[i] != ']'))
		return 0;
	end = memchr(at, '\n', len);
	return end ? (size_t)(end - at) + 1 : len;
}

/* The length of an escape sequence: "ESC [ ... letter", "ESC ] ... BEL", or two bytes. */
static size_t escape_sequence(const char *at, size_t len)
{
	size_t i = 2;

	if (len < 2)
		return len;
	if (at[1] == '[')
		while (i < len && !(at[i] >= '@' && at[i] <= '~'))
			i++;
	else if (at[1] == ']')
		while (i < len && at[i] != '\a')
			i++;
	else
		return 2;
	return i < len ? i + 1 : len;
}

/* A prompt that a kernel message follows, after a line end, is still the last line. */
static void rejoin(struct view *view)
{
	size_t len = view->len;

	if (len && view->text[len - 1] == '\n')
		len--;
	while (len && view->text[len - 1] == ' ')
		len--;
	if (len && view->text[len - 1] == ':')
		view->len = len;
}

/* Fill in the view; false while a kernel message at the end is incomplete. */
static bool look_at(struct view *view, const char *text, size_t len)
{
	size_t skip = len > LOOK_BACK ? len - LOOK_BACK : 0;

	view->len = 0;
	for (text += skip, len -= skip; len;) {
		size_t n = *text == '\033' ? escape_sequence(text, len) : kernel_message(text, len);

		if (n && *text == '[') {
			if (text[n - 1] != '\n')
				return false;
			rejoin(view);
		}
		if (!n) {
			n = 1;
			if (*text && *text != '\r' && *text != '\a')
				view->text[view->len++] = *text;
		}
		text += n;
		len -= n;
	}
	return true;
}

static bool has(const char *line, const char *word)
{
	return strcasestr(line, word) != NULL;
}

static enum console_wait judge(const char *line)
{
	char last = line[strlen(line) - 1];

	if (last == ':' && has(line, "password"))
		return has(line, "new ") || has(line, "current") || has(line, "retype")
			       ? CONSOLE_CHANGE
			       : CONSOLE_PASSWORD;
	if (last == ':' && strlen(line) >= 6 && has(line + strlen(line) - 6, "login:") &&
	    !has(line, "last login:") && !has(line, "failed login:"))
		return CONSOLE_NAME;
	return strchr("#$%>", last) ? CONSOLE_SHELL : CONSOLE_TEXT;
}

enum console_wait console_wait(const char *text, size_t len)
{
	struct view view;
	char *line;

	if (!look_at(&view, text, len))
		return CONSOLE_NOTHING;
	view.text[view.len] = '\0';
	line = strrchr(view.text, '\n');
	line = line ? line + 1 : view.text;
	for (len = strlen(line); len && isspace((unsigned char)line[len - 1]);)
		line[--len] = '\0';
	return len ? judge(line) : CONSOLE_NOTHING;
}
