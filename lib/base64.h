/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base64: bytes as text (RFC 4648). Must never: accept what it would not write. */
#ifndef LIB_BASE64_H
#define LIB_BASE64_H

#include "lib/util.h"

/* base64_encode() - the caller frees the result */
char *base64_encode(const void *bytes, size_t len);

/*
 * base64_decode() - append the decoded bytes of @text to @out
 * Return: false if it is not strict base64, padding included; then nothing is appended
 */
bool base64_decode(const char *text, struct buf *out) __attribute__((warn_unused_result));

#endif
