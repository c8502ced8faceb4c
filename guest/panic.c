/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A kernel's panic message on a console. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "guest/panic.h"

bool panic_is(const char *line)
{
	const char *text = strstr(line, "Kernel panic - not syncing");

	return text && strspn(line, "[ 0123456789.]") == (size_t)(text - line);
}

int panic_hear(struct stream *s, bool is_kept, size_t max_bytes)
{
	char bytes[4096], *line, *next;
	ssize_t n = read(s->in_fd, bytes, sizeof(bytes));
	int has_panicked = 0;

	if (n <= 0)
		return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
	buf_add(&s->in, bytes, (size_t)n);
	line = s->in.data;
	while ((next = memchr(line, '\n', (size_t)(s->in.data + s->in.len - line)))) {
		_cleanup_free_ char *copy = xstrndup(line, (size_t)(next - line));

		has_panicked |= panic_is(copy);
		line = next + 1;
	}
	if (!is_kept || s->in.len > max_bytes)
		buf_drop(&s->in, (size_t)(line - s->in.data));
	return has_panicked;
}
