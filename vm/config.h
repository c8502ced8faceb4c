/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * config: profiles of VMs, from files with "[vm NAME]" sections of "key = value" lines. A profile
 * may name a command to run (guest = exec:...), so a file that others can change is refused. Must
 * never: guess what a line means.
 */
#ifndef VM_CONFIG_H
#define VM_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/address.h"
#include "lib/err.h"

/* The maximum number of keys: the names of the options that a profile can set. */
#define CONFIG_KEYS_MAX 8

struct setting {
	const char *key, *text; /* the text is a valid value of the key */
};

struct profile {
	const char *name;
	const char *path; /* of its file */
	struct setting settings[CONFIG_KEYS_MAX];
	unsigned settings_count;
	struct address monitor, channel; /* of the keys "qmp" and "guest"; may be absent */
};

/* Zero-initialise it. */
struct config {
	struct profile *profiles; /* the user's first, then the system's */
	unsigned count;
	char *texts[2]; /* that all the pointers point into */
	char *paths[2];
	unsigned files_count;
	bool is_loaded;
};

/*
 * config_load() - read $XDG_CONFIG_HOME/memhp/config and /etc/memhp/config, if they exist and have
 * not been read yet
 * @err:	ERR_USAGE with the file and the line
 */
int config_load(struct config *config, struct err *err) __attribute__((warn_unused_result));

/*
 * config_parse() - add the profiles of one file
 * @path:	for messages; copied
 * @text:	@len bytes and one more for a NUL; taken over, also on error
 */
int config_parse(struct config *config, const char *path, char *text, size_t len, struct err *err)
	__attribute__((warn_unused_result));

void config_free(struct config *config);

/* config_profile() - the first profile of that name; NULL for none; owned by @config */
const struct profile *config_profile(const struct config *config, const char *name);

/* profile_get() - the profile's value for @key; NULL for none */
const char *profile_get(const struct profile *profile, const char *key);

#endif
