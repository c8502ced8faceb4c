/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * size: amounts of memory as people write and read them. Every size inside memhp is in bytes. Must
 * never: guess a unit.
 */
#ifndef LIB_SIZE_H
#define LIB_SIZE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"

/* No machine has more memory, nor higher addresses: a larger value from a peer is refused where it
 * is read. Sums of eight such sizes, and of a size from the user, fit 64 bits. */
#define SIZE_LIMIT_BYTES (UINT64_C(1) << 60)

#define SIZE_TEXT_MAX 32 /* bytes: enough for size_format() and size_exact() */

/*
 * size_parse() - read "512M", "1.5G", "512MiB", "536870912B"
 * @text:	K M G T P are powers of 1024, with or without "iB" or "B"; a plain "B" is bytes.
 *		A bare number is refused: QEMU takes it as MiB, HMP as bytes, libvirt as KiB.
 * @size_bytes:	written only on success; never 0
 * @err:	ERR_USAGE with a hint
 * Return: 0 or -1
 */
int size_parse(const char *text, uint64_t *size_bytes, struct err *err)
	__attribute__((warn_unused_result, nonnull));

/* size_looks_like() - true if @text starts like a size and ends in a unit ("512M", not "33") */
bool size_looks_like(const char *text);

/*
 * size_format() - "512 MiB", "1.5 GiB", "0 B": exact if two decimals suffice, else rounded
 * @out:	receives the text, SIZE_TEXT_MAX bytes
 * Return: @out
 */
const char *size_format(char out[static SIZE_TEXT_MAX], uint64_t size_bytes);

/* size_exact() - the same, never rounded: "1152 MiB", not "1.12 GiB"; for sizes that the user will
 * type */
const char *size_exact(char out[static SIZE_TEXT_MAX], uint64_t size_bytes);

#endif
