/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Profiles of VMs. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/opt.h"
#include "lib/text.h"
#include "lib/trust.h"
#include "lib/util.h"
#include "sysfs.h"
#include "vm/config.h"

#define FILE_MAX    (64 << 10) /* bytes */
#define LINE_BYTES  1024
#define SYSTEM_PATH "/etc/memhp/config"

/* Where values go to be checked. */
struct scratch {
	struct address monitor, channel;
	const char *text;
	int64_t ms;
	unsigned choice;
	struct opt_u64 size_bytes;
};

static const struct opt keys[] = {
	{ 0, "qmp", "ADDR", "QMP monitor", NULL, OPT_MONITOR, offsetof(struct scratch, monitor),
	  NULL },
	{ 0, "guest", "ADDR", "guest channel", NULL, OPT_CHANNEL, offsetof(struct scratch, channel),
	  NULL },
	{ 0, "login", "USER", "on a console", NULL, OPT_USER, offsetof(struct scratch, text),
	  NULL },
	{ 0, "password-file", "PATH", "of that user", NULL, OPT_STRING,
	  offsetof(struct scratch, text), NULL },
	{ 0, "timeout", "SEC", "deadline", NULL, OPT_SECONDS, offsetof(struct scratch, ms), NULL },
	{ 0, "zone", "ZONE", "of plug", NULL, OPT_CHOICE, offsetof(struct scratch, choice),
	  zone_choices },
	{ 0, "dimm", "SIZE", "of plug", NULL, OPT_SIZE, offsetof(struct scratch, size_bytes),
	  NULL },
	{ 0 },
};

_Static_assert(ARRAY_SIZE(keys) <= CONFIG_KEYS_MAX + 1, "a profile has room for all keys");

/* The current position in a file. */
struct place {
	struct config *config;
	const char *path;
	unsigned line;
	struct profile *profile; /* NULL before the first section */
};

void config_free(struct config *config)
{
	unsigned i;

	for (i = 0; i < config->files_count; i++) {
		free(config->texts[i]);
		free(config->paths[i]);
	}
	free(config->profiles);
	*config = (struct config){ 0 };
}

const struct profile *config_profile(const struct config *config, const char *name)
{
	unsigned i;

	for (i = 0; i < config->count; i++)
		if (!strcmp(config->profiles[i].name, name))
			return &config->profiles[i];
	return NULL;
}

const char *profile_get(const struct profile *profile, const char *key)
{
	unsigned i;

	for (i = 0; i < profile->settings_count; i++)
		if (!strcmp(profile->settings[i].key, key))
			return profile->settings[i].text;
	return NULL;
}

/* Put file and line before the message. */
static int at(const struct place *place, struct err *err)
{
	err_wrap(err, "bad config '%s' line %u", place->path, place->line);
	return err->hint[0] ? -1 : err_hint(err, "see memhp.conf(5)");
}

static char *trim(char *text)
{
	size_t len;

	text += strspn(text, " \t");
	for (len = strlen(text); len && strchr(" \t", text[len - 1]); len--)
		text[len - 1] = '\0';
	return text;
}

/* A comment begins a line, or follows a blank. */
static void cut_comment(char *line)
{
	char *sharp;

	for (sharp = strchr(line, '#'); sharp; sharp = strchr(sharp + 1, '#')) {
		if (sharp > line && !strchr(" \t", sharp[-1]))
			continue;
		*sharp = '\0';
		return;
	}
}

static bool is_taken(const struct place *place, const char *name)
{
	unsigned i;

	for (i = 0; i < place->config->count; i++)
		if (place->config->profiles[i].path == place->path &&
		    !strcmp(place->config->profiles[i].name, name))
			return true;
	return false;
}

/* "[vm NAME]" */
static int read_section(struct place *place, char *line, struct err *err)
{
	struct config *c = place->config;
	size_t len = strlen(line), kind_len = strcspn(line, " \t]");
	char *name;

	if (line[len - 1] != ']' || kind_len != 3 || strncmp(line, "[vm", 3) != 0) {
		err_set(err, ERR_USAGE, "unknown section '%s'", line);
		return err_hint(err, "sections are [vm NAME]");
	}
	line[len - 1] = '\0';
	name = trim(line + 3);
	if (!*name)
		return err_set(err, ERR_USAGE, "no name in '[vm]'");
	if (is_taken(place, name))
		return err_set(err, ERR_USAGE, "a second section for VM '%s'", name);
	c->profiles = xgrow(c->profiles, c->count, sizeof(*c->profiles));
	place->profile = &c->profiles[c->count++];
	*place->profile = (struct profile){ .name = name, .path = place->path };
	return 0;
}

static int unknown_key(const char *key, struct err *err)
{
	_cleanup_buf_ struct buf known = { 0 };
	struct nearest nearest = { .word = key };
	const struct opt *opt;

	for (opt = keys; opt->name; opt++) {
		nearest_offer(&nearest, opt->name);
		buf_addf(&known, "%s%s", known.len ? ", " : "known keys: ", opt->name);
	}
	err_set(err, ERR_USAGE, "unknown key '%s'", key);
	return nearest_hint(&nearest, buf_text(&known), err);
}

static int add_setting(struct profile *profile, const char *key, const char *text, struct err *err)
{
	const struct opt *opt = keys;
	struct scratch scratch = { 0 };

	while (opt->name && strcmp(opt->name, key) != 0)
		opt++;
	if (!opt->name)
		return unknown_key(key, err);
	if (profile_get(profile, key))
		return err_set(err, ERR_USAGE, "a second '%s' for VM '%s'", key, profile->name);
	if (!*text)
		return err_set(err, ERR_USAGE, "no value for '%s'", key);
	if (opt_set(opt, text, &scratch, err))
		return err_wrap(err, "key '%s'", key);
	if (scratch.monitor.kind)
		profile->monitor = scratch.monitor;
	if (scratch.channel.kind)
		profile->channel = scratch.channel;
	profile->settings[profile->settings_count++] = (struct setting){ key, text };
	return 0;
}

/* "key = value" */
static int read_setting(struct place *place, char *line, struct err *err)
{
	char *equals = strchr(line, '=');

	if (!equals)
		return err_set(err, ERR_USAGE, "'%s' is neither key = value nor [vm NAME]", line);
	if (!place->profile)
		return err_set(err, ERR_USAGE, "'%s' stands before the first [vm NAME]", line);
	*equals = '\0';
	return add_setting(place->profile, trim(line), trim(equals + 1), err);
}

/* @line: @len bytes and a NUL */
static int read_line(struct place *place, char *line, size_t len, struct err *err)
{
	size_t i;

	if (len > LINE_BYTES)
		return err_set(err, ERR_USAGE, "more than %d bytes", LINE_BYTES);
	for (i = 0; i < len; i++)
		if (((unsigned char)line[i] < ' ' && line[i] != '\t') || line[i] == 0x7f)
			return err_set(err, ERR_USAGE, "a control character (0x%02x)",
				       (unsigned char)line[i]);
	cut_comment(line);
	line = trim(line);
	if (!*line)
		return 0;
	return *line == '[' ? read_section(place, line, err) : read_setting(place, line, err);
}

int config_parse(struct config *config, const char *path, char *text, size_t len, struct err *err)
{
	struct place place = { .config = config, .path = xstrdup(path) };
	char *line = text, *end = text + len;

	config->texts[config->files_count] = text;
	config->paths[config->files_count++] = (char *)place.path;
	*end = '\0';
	while (line < end) {
		char *line_end = memchr(line, '\n', (size_t)(end - line));

		line_end = line_end ? line_end : end;
		*line_end = '\0';
		place.line++;
		if (read_line(&place, line, (size_t)(line_end - line), err))
			return at(&place, err);
		line = line_end + 1;
	}
	return 0;
}

static int check_file(int fd, const char *path, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st))
		return err_set(err, ERR_USAGE, "cannot read '%s': %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_USAGE, "config '%s' is not a regular file", path);
	if (trust_check_file("config", path, &st, err))
		return -1;
	if (st.st_size > FILE_MAX)
		return err_set(err, ERR_USAGE, "config '%s' has more than %d bytes", path,
			       FILE_MAX);
	return 0;
}

/* Read the whole file, which may have grown since fstat(2). */
static int read_all(int fd, const char *path, struct buf *text, struct err *err)
{
	char chunk[4096];
	ssize_t n;

	while ((n = read(fd, chunk, sizeof(chunk))) > 0 && text->len <= FILE_MAX)
		buf_add(text, chunk, (size_t)n);
	if (n < 0)
		return err_set(err, ERR_USAGE, "cannot read '%s': %s", path, strerror(errno));
	buf_add(text, "", 0);
	return text->len <= FILE_MAX ? 0
				     : err_set(err, ERR_USAGE, "config '%s' has more than %d bytes",
					       path, FILE_MAX);
}

static int load_file(struct config *config, const char *path, struct err *err)
{
	struct buf text = { 0 };
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), status;

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR
			       ? 0
			       : err_set(err, ERR_USAGE, "cannot read '%s': %s", path,
					 strerror(errno));
	status = check_file(fd, path, err) || read_all(fd, path, &text, err) ? -1 : 0;
	close(fd);
	if (!status && text.data)
		return config_parse(config, path, text.data, text.len, err);
	buf_free(&text);
	return -1;
}

/* The path of the user's file, which the caller frees; NULL without a home. A relative
 * XDG_CONFIG_HOME is ignored (XDG Base Directory Specification). */
static char *user_path(void)
{
	const char *config_home = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

	if (config_home && *config_home == '/')
		return xasprintf("%s/memhp/config", config_home);
	return home && *home == '/' ? xasprintf("%s/.config/memhp/config", home) : NULL;
}

int config_load(struct config *config, struct err *err)
{
	_cleanup_free_ char *path = user_path();

	if (config->is_loaded)
		return 0;
	if ((path && load_file(config, path, err)) || load_file(config, SYSTEM_PATH, err)) {
		config_free(config);
		return -1;
	}
	config->is_loaded = true;
	return 0;
}
