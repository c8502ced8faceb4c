/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The one error object: kinds, exit codes, and messages built from the inside out. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/err.h"

static const struct {
	const char *name;
	int exit_code;
} codes[] = {
	[ERR_NONE] = { "none", 0 },
	[ERR_FAILED] = { "failed", 1 },
	[ERR_QEMU_REFUSED] = { "qemu-refused", 1 },
	[ERR_USAGE] = { "usage", 2 },
	[ERR_QEMU_UNREACHABLE] = { "qemu-unreachable", 3 },
	[ERR_GUEST_UNREACHABLE] = { "guest-unreachable", 4 },
	[ERR_GUEST_REFUSED] = { "guest-refused", 5 },
	[ERR_TIMEOUT] = { "timeout", 6 },
	[ERR_PARTIAL] = { "partial", 7 },
	[ERR_INTERRUPTED] = { "interrupted", 130 },
};

int err_exit_code(enum err_code code)
{
	return codes[code].exit_code;
}

const char *err_code_name(enum err_code code)
{
	return codes[code].name;
}

int err_set(struct err *err, enum err_code code, const char *fmt, ...)
{
	va_list ap;

	err->code = code;
	err->hint[0] = '\0';
	va_start(ap, fmt);
	vsnprintf(err->message, sizeof(err->message), fmt, ap);
	va_end(ap);
	return -1;
}

int err_wrap(struct err *err, const char *fmt, ...)
{
	char old[sizeof(err->message)];
	va_list ap;
	size_t len;

	memcpy(old, err->message, sizeof(old));
	va_start(ap, fmt);
	vsnprintf(err->message, sizeof(err->message), fmt, ap);
	va_end(ap);
	len = strlen(err->message);
	snprintf(err->message + len, sizeof(err->message) - len, ": %s", old);
	return -1;
}

int err_append(struct err *err, const char *fmt, ...)
{
	size_t len = strlen(err->message);
	va_list ap;

	if (len + 3 >= sizeof(err->message))
		return -1;
	memcpy(err->message + len, "; ", 3);
	len += 2;
	va_start(ap, fmt);
	vsnprintf(err->message + len, sizeof(err->message) - len, fmt, ap);
	va_end(ap);
	return -1;
}

int err_hint(struct err *err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (vsnprintf(err->hint, sizeof(err->hint), fmt, ap) >= (int)sizeof(err->hint))
		err->hint[0] = '\0'; /* half of a command is another command */
	va_end(ap);
	return -1;
}
