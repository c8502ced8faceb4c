/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A console's output, up to any point. */
#include <string.h>

#include "fuzz.h"
#include "guest/screen.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t len;

	for (len = 0; len <= size && len < 256; len++)
		seam_check(console_wait((const char *)data, len) <= CONSOLE_CHANGE);
	seam_check(console_wait((const char *)data, size) <= CONSOLE_CHANGE);
	return 0;
}
