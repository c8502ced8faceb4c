/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * util: memory that cannot fail, growing strings, scope cleanup, numbers and names from outside.
 * Must never: print anything but "out of memory".
 */
#ifndef LIB_UTIL_H
#define LIB_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Scope cleanup: the resource is released when the variable goes out of scope. */
#define _cleanup_free_ __attribute__((cleanup(util_cleanup_free)))
#define _cleanup_buf_  __attribute__((cleanup(buf_free)))

void util_cleanup_free(void *pointer);

/* xcalloc(), xrealloc(), xstrdup(), xstrndup(), xasprintf() - as in libc, but end the process when
 * memory runs out. The caller frees the result. */
void *xcalloc(size_t count, size_t size_bytes);
void *xrealloc(void *old, size_t size_bytes);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t len);
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * xgrow() - make room for one more element at the end of an array, doubling it if @count is a power
 * of two
 * Return: the array, perhaps moved; the caller frees it
 */
void *xgrow(void *array, size_t count, size_t element_bytes);

/* A growing string: data is NUL-terminated whenever it is not NULL. Zero-initialise it. */
struct buf {
	char *data;
	size_t len;	 /* bytes, without the final NUL */
	size_t capacity; /* bytes allocated */
};

void buf_add(struct buf *b, const void *bytes, size_t len);
void buf_addf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* buf_drop() - remove the first @len bytes */
void buf_drop(struct buf *b, size_t len);
void buf_free(struct buf *b);
/* buf_text() - the string, "" if nothing was added; owned by the buffer */
const char *buf_text(const struct buf *b);

/*
 * parse_u64() - read an unsigned number, and nothing else
 * @text:	no sign, no white space, no prefix
 * @base:	10 or 16
 * @out:	written only on success
 * Return: true when @text is a number that fits
 */
bool parse_u64(const char *text, int base, uint64_t *out) __attribute__((warn_unused_result));

/* An optional number. */
struct opt_u64 {
	bool is_set;
	uint64_t value; /* valid with is_set */
};

#endif
