/* SPDX-License-Identifier: GPL-3.0-or-later */
/* QEMU's command line. */
#include <stdlib.h>
#include <string.h>

#include "cmdline.h"
#include "util.h"

/* -chardev options looked up; each is a search of the whole line */
#define SEARCHES_MAX 64

struct parse {
	struct cmdline *line;
	const char *words, *end; /* NUL-terminated words up to @end */
	const char *cwd;
	unsigned searches;
};

void cmdline_release(struct cmdline *line)
{
	unsigned i;

	free(line->name);
	free(line->memory);
	free(line->serial);
	free(line->ssh);
	for (i = 0; i < line->monitors_count; i++)
		free(line->monitors[i]);
	*line = (struct cmdline){ 0 };
}

/* Take one piece of "a,b=c,,d" into @piece, "b=c,d"; returns what follows, NULL at the end. */
static const char *next_piece(const char *options, struct buf *piece)
{
	buf_release(piece);
	for (;;) {
		size_t len = strcspn(options, ",");

		buf_add(piece, options, len);
		options += len;
		if (!*options)
			return NULL;
		if (options[1] != ',')
			return options + 1;
		buf_add(piece, ",", 1);
		options += 2;
	}
}

/* What a piece says about @key: "key=value", a bare "key" for on, a bare value when it is implied.
 */
static const char *value_in(const char *piece, const char *key, bool is_implied)
{
	size_t len = strlen(key);

	if (is_implied && !strchr(piece, '='))
		return piece;
	if (strncmp(piece, key, len) != 0)
		return NULL;
	if (piece[len] == '=')
		return piece + len + 1;
	return piece[len] ? NULL : "on";
}

/* The last value of @key, which the caller frees; NULL for none. */
static char *value_of(const char *options, const char *key, bool is_first_implied)
{
	_cleanup_buf_ struct buf piece = { 0 };
	bool is_implied = is_first_implied;
	char *found = NULL;

	while (options) {
		const char *value;

		options = next_piece(options, &piece);
		value = value_in(buf_text(&piece), key, is_implied);
		if (value) {
			free(found);
			found = xstrdup(value);
		}
		is_implied = false;
	}
	return found;
}

static bool is_on(const char *options, const char *key)
{
	static const char *const words[] = { "on", "yes", "true", "y" };
	_cleanup_free_ char *value = value_of(options, key, false);
	size_t i;

	for (i = 0; value && i < ARRAY_SIZE(words); i++)
		if (!strcmp(value, words[i]))
			return true;
	return false;
}

static bool is_port(const char *text)
{
	uint64_t port;

	return parse_u64(text, 10, &port) && port >= 1 && port <= 65535;
}

/* The address of a host that was listened on: any of this machine's is localhost as well. */
static const char *reachable(const char *host)
{
	static const char *const any[] = { "", "*", "0.0.0.0", "::" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(any); i++)
		if (!strcmp(host, any[i]))
			return "localhost";
	return host;
}

static char *tcp_address(const char *options)
{
	_cleanup_free_ char *host = value_of(options, "host", false);
	_cleanup_free_ char *port = value_of(options, "port", false);
	const char *to = reachable(host ? host : "");

	if (!port || !is_port(port))
		return NULL;
	return xasprintf(strchr(to, ':') ? "tcp:[%s]:%s" : "tcp:%s:%s", to, port);
}

/* The address that a socket listens on, for the options of -chardev socket; NULL when it is a
 * client, or can only be reached in a way that memhp does not know. */
static char *socket_address(const struct parse *p, const char *options)
{
	static const char *const unknown[] = { "abstract", "telnet", "websocket", "tls-creds" };
	_cleanup_free_ char *path = value_of(options, "path", false);
	size_t i;

	if (!is_on(options, "server"))
		return NULL;
	for (i = 0; i < ARRAY_SIZE(unknown); i++) {
		_cleanup_free_ char *value = value_of(options, unknown[i], false);

		if (value && strcmp(value, "off") != 0)
			return NULL;
	}
	if (!path)
		return tcp_address(options);
	if (path[0] == '/')
		return xstrdup(path);
	return *path && p->cwd ? xasprintf("%s/%s", p->cwd, path) : NULL;
}

static const char *next_word(const struct parse *p, const char *word)
{
	word += strlen(word) + 1;
	return word < p->end ? word : NULL;
}

/* The name of an option, "qmp" for "-qmp" and "--qmp"; NULL for other words. */
static const char *option_name(const char *word)
{
	if (word[0] != '-')
		return NULL;
	return word[1] == '-' ? word + 2 : word + 1;
}

/* The address of the -chardev with that id. */
static char *chardev_address(struct parse *p, const char *id)
{
	const char *word, *name;

	if (p->searches++ >= SEARCHES_MAX)
		return NULL;
	for (word = p->words; word; word = next_word(p, word)) {
		const char *options = next_word(p, word);
		_cleanup_free_ char *backend = NULL;
		_cleanup_free_ char *own_id = NULL;

		name = option_name(word);
		if (!name || strcmp(name, "chardev") != 0 || !options)
			continue;
		backend = value_of(options, "backend", true);
		own_id = value_of(options, "id", false);
		if (own_id && backend && !strcmp(own_id, id) && !strcmp(backend, "socket"))
			return socket_address(p, options);
	}
	return NULL;
}

/* The address behind the short form: "unix:PATH,...", "tcp:HOST:PORT,...", "chardev:ID". */
static char *short_address(struct parse *p, const char *text)
{
	_cleanup_free_ char *options = NULL;

	if (!strncmp(text, "chardev:", 8))
		return chardev_address(p, text + 8);
	if (!strncmp(text, "unix:", 5)) {
		options = xasprintf("path=%s", text + 5);
	} else if (!strncmp(text, "tcp:", 4)) {
		const char *host = text + 4, *colon = strchr(host, ':');

		if (!colon || colon > host + strcspn(host, ","))
			return NULL;
		options = xasprintf("host=%.*s,port=%s", (int)(colon - host), host, colon + 1);
	}
	return options ? socket_address(p, options) : NULL;
}

static char *printable_copy(const char *text)
{
	char *copy = xstrdup(text);

	printable(copy);
	return copy;
}

static void take_name(struct parse *p, const char *value)
{
	_cleanup_free_ char *name = value_of(value, "guest", true);

	if (!name || !*name)
		return;
	free(p->line->name);
	p->line->name = printable_copy(name);
}

static void take_memory(struct parse *p, const char *value)
{
	free(p->line->memory);
	p->line->memory = printable_copy(value);
}

/* @address is taken over; NULL for none */
static void add_monitor(struct parse *p, char *address)
{
	if (address && p->line->monitors_count < CMDLINE_MONITORS_MAX)
		p->line->monitors[p->line->monitors_count++] = address;
	else
		free(address);
}

static void take_qmp(struct parse *p, const char *value)
{
	add_monitor(p, short_address(p, value));
}

static void take_mon(struct parse *p, const char *value)
{
	_cleanup_free_ char *mode = value_of(value, "mode", false);
	_cleanup_free_ char *id = value_of(value, "chardev", true);

	if (mode && !strcmp(mode, "control") && id)
		add_monitor(p, chardev_address(p, id));
}

static void take_serial(struct parse *p, const char *value)
{
	_cleanup_free_ char *address = p->line->serial ? NULL : short_address(p, value);

	if (address && address[0] == '/')
		p->line->serial = xasprintf("serial:%s", address);
}

/* "[tcp]:[HOSTADDR]:HOSTPORT-[GUESTADDR]:22" */
static char *ssh_address(const char *forward)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.";
	_cleanup_free_ char *copy = xstrdup(forward);
	char *rest = copy;
	const char *protocol = strsep(&rest, ":"), *host = strsep(&rest, ":");
	const char *port = strsep(&rest, "-"), *guest = strsep(&rest, ":");

	if (!host || !port || !guest || !rest || strcmp(rest, "22") != 0 || !is_port(port) ||
	    (*protocol && strcmp(protocol, "tcp") != 0) || host[strspn(host, letters)])
		return NULL;
	return xasprintf("ssh:root@%s:%s", reachable(host), port);
}

static void take_network(struct parse *p, const char *value)
{
	_cleanup_buf_ struct buf piece = { 0 };

	while (value && !p->line->ssh) {
		const char *forward;

		value = next_piece(value, &piece);
		forward = value_in(buf_text(&piece), "hostfwd", false);
		if (forward)
			p->line->ssh = ssh_address(forward);
	}
}

static const struct {
	const char *name;
	void (*take)(struct parse *p, const char *value);
} options_known[] = {
	{ "name", take_name },	    { "m", take_memory },    { "qmp", take_qmp },
	{ "qmp-pretty", take_qmp }, { "mon", take_mon },     { "serial", take_serial },
	{ "netdev", take_network }, { "nic", take_network }, { "net", take_network },
};

/* Take an option with its value; true when it is one of those known. */
static bool take(struct parse *p, const char *word, const char *value)
{
	const char *name = option_name(word);
	size_t i;

	for (i = 0; name && i < ARRAY_SIZE(options_known); i++) {
		if (strcmp(name, options_known[i].name) != 0)
			continue;
		options_known[i].take(p, value);
		return true;
	}
	return false;
}

void cmdline_parse(struct cmdline *line, const char *bytes, size_t len, const char *cwd)
{
	_cleanup_free_ char *copy = xcalloc(len + 1, 1);
	struct parse p = { .line = line, .words = copy, .end = copy + len, .cwd = cwd };
	const char *word;

	*line = (struct cmdline){ 0 };
	memcpy(copy, bytes, len);
	/* the first word is the program's name */
	for (word = len ? next_word(&p, copy) : NULL; word; word = next_word(&p, word)) {
		const char *value = next_word(&p, word);

		if (value && take(&p, word, value))
			word = value;
	}
}
