/* SPDX-License-Identifier: GPL-3.0-or-later */
/* QEMU's command line. */
#include <stdlib.h>
#include <string.h>

#include "lib/text.h"
#include "lib/util.h"
#include "vm/cmdline.h"
#include "vm/qemuopt.h"

#define OPTION_MAX   8192 /* bytes of an option's value; no relevant one is longer */
#define CHARDEVS_MAX 256

struct chardev {
	char *id;
	const char *options;
};

struct parse {
	struct cmdline *line;
	const char *end; /* of the words, which are NUL-terminated */
	const char *cwd;
	struct chardev chardevs[CHARDEVS_MAX];
	unsigned chardevs_count;
};

void cmdline_free(struct cmdline *line)
{
	unsigned i;

	free(line->name);
	free(line->memory);
	address_free(&line->ssh);
	for (i = 0; i < line->addresses_count; i++)
		address_free(&line->addresses[i].address);
	for (i = 0; i < line->configs_count; i++)
		free(line->configs[i]);
	*line = (struct cmdline){ 0 };
}

static bool is_port(const char *text, uint64_t *port)
{
	return parse_u64(text, 10, port) && *port >= 1 && *port <= 65535;
}

static char *tcp_address(const char *options)
{
	_cleanup_free_ char *host = qemuopt_value(options, "host", false);
	_cleanup_free_ char *port = qemuopt_value(options, "port", false);
	_cleanup_free_ char *to = qemuopt_value(options, "to", false);
	const char *name = host ? host : "", *open = strchr(name, ':') ? "[" : "";
	uint64_t first, last;

	if (!port || !is_port(port, &first) || (to && !is_port(to, &last)))
		return NULL;
	return xasprintf("tcp:%s%s%s:%s%s%s", open, name, *open ? "]" : "", port, to ? "-" : "",
			 to ? to : "");
}

static char *unix_address(const struct parse *p, const char *options, const char *path)
{
	if (!*path)
		return NULL;
	if (qemuopt_is_on(options, "abstract"))
		return xasprintf("unix:@%s", path);
	if (path[0] == '/')
		return xstrdup(path);
	return p->cwd ? xasprintf("%s/%s", strcmp(p->cwd, "/") ? p->cwd : "", path) : NULL;
}

/* The address that the socket of -chardev socket listens on; NULL if it is a client, or of a kind
 * that memhp cannot connect to. */
static char *socket_address(const struct parse *p, const char *options)
{
	static const char *const unknown[] = { "telnet", "tn3270", "websocket", "tls-creds" };
	_cleanup_free_ char *path = qemuopt_value(options, "path", false);
	_cleanup_free_ char *fd = qemuopt_value(options, "fd", false);
	uint64_t number;
	size_t i;

	if (!qemuopt_is_on(options, "server"))
		return NULL;
	for (i = 0; i < ARRAY_SIZE(unknown); i++) {
		_cleanup_free_ char *value = qemuopt_value(options, unknown[i], false);

		if (value && strcmp(value, "off") != 0)
			return NULL;
	}
	if (path)
		return unix_address(p, options, path);
	if (fd)
		return parse_u64(fd, 10, &number) ? xasprintf("fd:%s", fd) : NULL;
	return tcp_address(options);
}

static const char *next_word(const struct parse *p, const char *word)
{
	word += strlen(word) + 1;
	return word < p->end ? word : NULL;
}

/* The options of the -chardev with that id, if it is a socket. */
static const char *find_chardev(const struct parse *p, const char *id)
{
	unsigned i;

	for (i = 0; i < p->chardevs_count; i++)
		if (!strcmp(p->chardevs[i].id, id))
			return p->chardevs[i].options;
	return NULL;
}

static char *chardev_address(const struct parse *p, const char *id)
{
	const char *options = find_chardev(p, id);

	return options ? socket_address(p, options) : NULL;
}

/* "HOST:PORT,..." as options of -chardev socket; NULL if it is not that. */
static char *host_options(const char *host)
{
	const char *colon = strchr(host, ':');

	if (!colon || colon > host + strcspn(host, ","))
		return NULL;
	return xasprintf("host=%.*s,port=%s", (int)(colon - host), host, colon + 1);
}

/* The address in a short form: "unix:PATH,...", "tcp:HOST:PORT,...", "chardev:ID". */
static char *short_address(const struct parse *p, const char *text)
{
	_cleanup_free_ char *options = NULL;

	if (!strncmp(text, "chardev:", 8))
		return chardev_address(p, text + 8);
	if (!strncmp(text, "unix:", 5))
		options = xasprintf("path=%s", text + 5);
	else if (!strncmp(text, "tcp:", 4))
		options = host_options(text + 4);
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
	_cleanup_free_ char *name = qemuopt_value(value, "guest", true);

	if (!name || !*name)
		return;
	free(p->line->name);
	p->line->name = strlen(name) <= CMDLINE_NAME_MAX ? printable_copy(name) : NULL;
}

static void take_memory(struct parse *p, const char *value)
{
	free(p->line->memory);
	p->line->memory = strlen(value) <= CMDLINE_NAME_MAX ? printable_copy(value) : NULL;
}

/* Half of the table is reserved for monitors and consoles. */
static bool has_room(const struct parse *p, enum cmdline_purpose purpose)
{
	return p->line->addresses_count <
	       CMDLINE_ADDRESSES_MAX / (purpose == CMDLINE_OTHER ? 2 : 1);
}

/* @address is taken over; NULL for none */
static void add_address(struct parse *p, enum cmdline_purpose purpose, char *address)
{
	struct cmdline *line = p->line;
	struct cmdline_address *a;

	if (!address || !has_room(p, purpose)) {
		free(address);
		return;
	}
	a = &line->addresses[line->addresses_count];
	a->purpose = purpose;
	line->addresses_count += address_of_listener(&a->address, address);
}

/* Add the address that a character device in short form listens on. */
static void take_short(struct parse *p, enum cmdline_purpose purpose, const char *value)
{
	if (has_room(p, purpose))
		add_address(p, purpose, short_address(p, value));
}

static void take_qmp(struct parse *p, const char *value)
{
	take_short(p, CMDLINE_QMP, value);
}

static void take_monitor(struct parse *p, const char *value)
{
	take_short(p, CMDLINE_HMP, value);
}

static void take_serial(struct parse *p, const char *value)
{
	take_short(p, CMDLINE_CONSOLE, value);
}

static void take_mon(struct parse *p, const char *value)
{
	_cleanup_free_ char *mode = qemuopt_value(value, "mode", false);
	_cleanup_free_ char *id = qemuopt_value(value, "chardev", true);
	enum cmdline_purpose purpose = mode && !strcmp(mode, "control") ? CMDLINE_QMP : CMDLINE_HMP;

	if (id && has_room(p, purpose))
		add_address(p, purpose, chardev_address(p, id));
}

/* Add an address, "unix:PATH" or "tcp:HOST:PORT", whose option always makes it a server. */
static void take_server(struct parse *p, const char *value)
{
	_cleanup_free_ char *options = xasprintf("%s,server=on", value);

	take_short(p, CMDLINE_OTHER, options);
}

/* "[tcp]:[HOSTADDR]:HOSTPORT-[GUESTADDR]:22"; QEMU takes only numeric IPv4 addresses */
static void take_ssh(struct parse *p, const char *forward)
{
	_cleanup_free_ char *copy = xstrdup(forward);
	char *rest = copy;
	const char *protocol = strsep(&rest, ":"), *host = strsep(&rest, ":");
	const char *port = strsep(&rest, "-"), *guest = strsep(&rest, ":");
	struct err ignored;
	uint64_t number;
	char *text;

	if (!host || !port || !guest || !rest || strcmp(rest, "22") != 0 ||
	    !is_port(port, &number) || (*protocol && strcmp(protocol, "tcp") != 0) ||
	    host[strspn(host, "0123456789.")] || strlen(host) > 15)
		return;
	text = xasprintf("ssh:root@%s:%s", !*host || !strcmp(host, "0.0.0.0") ? "127.0.0.1" : host,
			 port);
	if (address_parse_channel(&p->line->ssh, text, &ignored))
		address_free(&p->line->ssh);
}

/* "tcp:[HOSTADDR]:HOSTPORT-..." */
static void take_forward(struct parse *p, const char *forward)
{
	_cleanup_free_ char *copy = xstrdup(forward);
	char *rest = copy;
	const char *protocol = strsep(&rest, ":"), *host = strsep(&rest, ":");
	const char *port = strsep(&rest, "-");
	uint64_t number;

	if (!p->line->ssh.kind)
		take_ssh(p, forward);
	if (host && port && is_port(port, &number) && strcmp(protocol, "udp") != 0)
		add_address(p, CMDLINE_OTHER, xasprintf("tcp:%s:%s", host, port));
}

static void take_network(struct parse *p, const char *value)
{
	_cleanup_buf_ struct buf piece = { 0 };

	while (value && (has_room(p, CMDLINE_OTHER) || !p->line->ssh.kind)) {
		const char *forward;

		value = qemuopt_piece(value, &piece);
		forward = qemuopt_in_piece(buf_text(&piece), "hostfwd", false);
		if (forward)
			take_forward(p, forward);
	}
}

/* "HOST:DISPLAY,...", "unix:PATH,..." (vnc_display_print_local_addr() of QEMU: port 5900 is 0) */
static void take_vnc(struct parse *p, const char *value)
{
	_cleanup_free_ char *where = xstrndup(value, strcspn(value, ","));
	char *colon = strrchr(where, ':');
	uint64_t display;

	if (!strncmp(where, "unix:", 5)) {
		take_server(p, where);
	} else if (colon && parse_u64(colon + 1, 10, &display) && display <= 65535 - 5900) {
		*colon = '\0';
		add_address(p, CMDLINE_OTHER,
			    xasprintf("tcp:%s:%u", where, 5900 + (unsigned)display));
	}
}

static void take_spice(struct parse *p, const char *value)
{
	static const char *const ports[] = { "port", "tls-port" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ports); i++) {
		_cleanup_free_ char *port = qemuopt_value(value, ports[i], false);
		uint64_t number;

		if (port && is_port(port, &number))
			add_address(p, CMDLINE_OTHER, xasprintf("tcp::%s", port));
	}
}

/* -s is short for -gdb tcp::1234 */
static void take_s(struct parse *p, const char *value)
{
	(void)value;
	add_address(p, CMDLINE_OTHER, xstrdup("tcp::1234"));
}

static void take_config(struct parse *p, const char *value)
{
	if (p->line->configs_count < CMDLINE_CONFIGS_MAX)
		p->line->configs[p->line->configs_count++] = xstrdup(value);
}

/* The options that are read, by name. */
static const struct {
	const char *name;
	void (*take)(struct parse *p, const char *value);
} takers[] = {
	{ "gdb", take_server },	 { "incoming", take_server }, { "m", take_memory },
	{ "mon", take_mon },	 { "monitor", take_monitor }, { "name", take_name },
	{ "net", take_network }, { "netdev", take_network },  { "nic", take_network },
	{ "qmp", take_qmp },	 { "qmp-pretty", take_qmp },  { "readconfig", take_config },
	{ "s", take_s },	 { "serial", take_serial },   { "spice", take_spice },
	{ "vnc", take_vnc },
};

/* Character devices: other options may name them before they are defined. */
static void take_chardev(struct parse *p, const char *options)
{
	_cleanup_free_ char *backend = qemuopt_value(options, "backend", true);
	char *id = qemuopt_value(options, "id", false);

	if (id && backend && !strcmp(backend, "socket") && p->chardevs_count < CHARDEVS_MAX)
		p->chardevs[p->chardevs_count++] = (struct chardev){ id, options };
	else
		free(id);
}

/* What a pass over the command line has seen besides the options it reads. */
struct seen {
	unsigned unknown, images, telling;
};

/* @value: NULL for an option without one */
static void take_option(struct parse *p, const char *name, const char *value, bool is_chardevs_turn)
{
	size_t i;

	if (value && strlen(value) > OPTION_MAX)
		return;
	if (is_chardevs_turn && value && !strcmp(name, "chardev"))
		take_chardev(p, value);
	for (i = 0; !is_chardevs_turn && i < ARRAY_SIZE(takers); i++)
		if (!strcmp(name, takers[i].name))
			takers[i].take(p, value);
}

/* Walk all options: take the character devices, or (with @seen) all others. */
static void walk(struct parse *p, const char *word, struct seen *seen)
{
	for (; word; word = next_word(p, word)) {
		const char *name = qemuopt_name(word), *value = NULL;
		bool has_value = name && qemuopt_has_value(name);

		if (has_value)
			value = next_word(p, word);
		if (seen && name)
			seen->telling += qemuopt_is_telling(name);
		else if (seen)
			*(word[0] == '-' ? &seen->unknown : &seen->images) += 1;
		if (name && (value || !has_value))
			take_option(p, name, value, !seen);
		if (value)
			word = value;
	}
}

/* Drop the last address if an earlier one is the same. */
static void drop_double(struct cmdline *line)
{
	struct address *last = &line->addresses[--line->addresses_count].address;

	if (cmdline_explains(line, last))
		address_free(last);
	else
		line->addresses_count++;
}

/* Add the other character devices: their purpose is unknown, but they are not monitors. */
static void take_chardevs(struct parse *p)
{
	unsigned i;

	for (i = 0; i < p->chardevs_count; i++) {
		unsigned count = p->line->addresses_count;

		add_address(p, CMDLINE_OTHER, socket_address(p, p->chardevs[i].options));
		if (p->line->addresses_count > count)
			drop_double(p->line);
		free(p->chardevs[i].id);
	}
}

void cmdline_index(struct cmdline *line)
{
	const struct address *console;
	unsigned i;

	line->monitors_count = 0;
	for (i = 0; i < line->addresses_count; i++)
		if (line->addresses[i].purpose == CMDLINE_QMP &&
		    line->monitors_count < CMDLINE_MONITORS_MAX)
			line->monitors[line->monitors_count++] = line->addresses[i].address;
	console = cmdline_find(line, CMDLINE_CONSOLE);
	line->console = console ? *console : (struct address){ 0 };
}

const struct address *cmdline_find(const struct cmdline *line, enum cmdline_purpose purpose)
{
	unsigned i;

	for (i = 0; i < line->addresses_count; i++)
		if (line->addresses[i].purpose == purpose)
			return &line->addresses[i].address;
	return NULL;
}

bool cmdline_explains(const struct cmdline *line, const struct address *address)
{
	unsigned i;

	for (i = 0; i < line->addresses_count; i++)
		if (address_is_same(&line->addresses[i].address, address))
			return true;
	return false;
}

void cmdline_parse(struct cmdline *line, const char *bytes, size_t len, const char *cwd)
{
	_cleanup_free_ char *copy = xcalloc(len + 1, 1);
	struct parse p = { .line = line, .end = copy + len, .cwd = cwd };
	/* the first word is the program's name */
	const char *first = len ? next_word(&p, memcpy(copy, bytes, len)) : NULL;
	struct seen seen = { 0 };

	*line = (struct cmdline){ 0 };
	walk(&p, first, NULL);
	walk(&p, first, &seen);
	take_chardevs(&p);
	line->is_qemus = seen.telling && !seen.unknown && seen.images <= 1;
	cmdline_index(line);
}
