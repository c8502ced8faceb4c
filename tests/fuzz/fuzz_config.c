/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A file of profiles. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "lib/util.h"
#include "vm/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config config = { 0 };
	struct err err = { 0 };
	char *text = xcalloc(1, size + 1);
	unsigned i;

	memcpy(text, data, size);
	if (config_parse(&config, "/etc/memhp/config", text, size, &err))
		seam_check(err.code == ERR_USAGE && strstr(err.message, "/etc/memhp/config"));
	for (i = 0; i < config.count; i++) {
		const struct profile *p = config_profile(&config, config.profiles[i].name);

		seam_check(p && p->settings_count <= CONFIG_KEYS_MAX);
		profile_get(p, "guest");
		profile_get(p, "timeout");
	}
	config_free(&config);
	return 0;
}
