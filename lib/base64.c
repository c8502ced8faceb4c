/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Bytes as text. */
#include <string.h>

#include "lib/base64.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *base64_encode(const void *bytes, size_t len)
{
	const unsigned char *p = bytes;
	char *text = xcalloc((len + 2) / 3 * 4 + 1, 1), *at = text;
	size_t i;

	for (i = 0; i < len; i += 3) {
		unsigned b = i + 1 < len ? p[i + 1] : 0, c = i + 2 < len ? p[i + 2] : 0;
		unsigned bits = (unsigned)p[i] << 16 | b << 8 | c;

		*at++ = digits[bits >> 18];
		*at++ = digits[bits >> 12 & 63];
		*at++ = i + 1 < len ? digits[bits >> 6 & 63] : '=';
		*at++ = i + 2 < len ? digits[bits & 63] : '=';
	}
	return text;
}

bool base64_decode(const char *text, struct buf *out)
{
	_cleanup_buf_ struct buf bytes = { 0 };
	_cleanup_free_ char *again = NULL;
	unsigned group = 0;
	size_t i, padding = strlen(text + strcspn(text, "="));

	for (i = 0; text[i]; i++) {
		static const unsigned shifts[] = { 18, 12, 6, 0 };
		const char *digit = strchr(digits, text[i]);
		unsigned bits = digit ? (unsigned)(digit - digits) : 0;

		group = (i % 4 ? group : 0) | bits << shifts[i % 4];
		if (i % 4 == 3) {
			const char three[] = { (char)(group >> 16), (char)(group >> 8),
					       (char)group };

			buf_add(&bytes, three, 3);
		}
	}
	if (padding > 2 || padding > bytes.len)
		return false;
	/* strict: accept only what base64_encode() would write */
	again = base64_encode(buf_text(&bytes), bytes.len - padding);
	if (strcmp(again, text) != 0)
		return false;
	buf_add(out, buf_text(&bytes), bytes.len - padding);
	return true;
}
