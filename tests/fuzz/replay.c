/* SPDX-License-Identifier: GPL-3.0-or-later */
/* replay FILE...: one run of a fuzz target for each file, without libFuzzer. */
#include <stdio.h>
#include <string.h>

#include "fuzz.h"
#include "lib/util.h"

int main(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++) {
		_cleanup_buf_ struct buf text = { 0 };
		FILE *file = fopen(argv[i], "r");
		char bytes[4096];
		size_t n;

		if (!file) {
			perror(argv[i]);
			return 1;
		}
		while ((n = fread(bytes, 1, sizeof(bytes), file)) > 0)
			buf_add(&text, bytes, n);
		fclose(file);
		printf("%s\n", argv[i]);
		fflush(stdout);
		LLVMFuzzerTestOneInput((const uint8_t *)buf_text(&text), text.len);
	}
	return 0;
}
