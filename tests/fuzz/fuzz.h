/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the fuzz targets share. A target is a fuzz_NAME.c with LLVMFuzzerTestOneInput(); its seeds
 * are the files in corpus/NAME. libFuzzer drives it in `make fuzz`, replay.c in `make check`.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>

#include "lib/address.h"
#include "lib/deadline.h"

/* The path of the peer that sends the bytes of seam_feed(); "unix:" or "serial:" may precede it. */
#define SEAM_PATH "/seam"

/* The same for an additional guest, with the bytes of seam_feed_guest(). */
#define SEAM_GUEST_PATH "/seam-guest"

/* seam_address() - "/seam" as the address of a monitor, a console or an agent */
struct address seam_address(enum address_kind kind);

/* The id of every guest session: random bytes are zeros here. */
#define SEAM_ID "00000000"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/*
 * seam_feed() - set what the next connection to SEAM_PATH receives before the end of the stream
 * @data:	borrowed until the connection is made
 */
void seam_feed(const void *data, size_t size);
void seam_feed_guest(const void *data, size_t size);

/* seam_deadline() - a deadline that never passes: the end of the stream comes first */
struct deadline seam_deadline(void);

/* seam_check() - if a promise is broken, end the run like a crash */
#define seam_check(condition) ((condition) ? (void)0 : seam_fail(#condition, __FILE__, __LINE__))
void seam_fail(const char *condition, const char *file, int line) __attribute__((noreturn));

#endif
