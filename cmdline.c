/* SPDX-License-Identifier: GPL-3.0-or-later */
/* QEMU's command line. */
#include <stdlib.h>
#include <string.h>

#include "cmdline.h"
#include "util.h"

#define OPTION_MAX   8192 /* bytes of an option's value; none that matters here is longer */
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

void cmdline_release(struct cmdline *line)
{
	unsigned i;

	free(line->name);
	free(line->memory);
	free(line->ssh);
	for (i = 0; i < line->addresses_count; i++)
		free(line->addresses[i].text);
	for (i = 0; i < line->configs_count; i++)
		free(line->configs[i]);
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

static bool is_port(const char *text, uint64_t *port)
{
	return parse_u64(text, 10, port) && *port >= 1 && *port <= 65535;
}

static char *tcp_address(const char *options)
{
	_cleanup_free_ char *host = value_of(options, "host", false);
	_cleanup_free_ char *port = value_of(options, "port", false);
	_cleanup_free_ char *to = value_of(options, "to", false);
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
	if (is_on(options, "abstract"))
		return xasprintf("unix:@%s", path);
	if (path[0] == '/')
		return xstrdup(path);
	return p->cwd ? xasprintf("%s/%s", p->cwd, path) : NULL;
}

/* The address that a socket listens on, for the options of -chardev socket; NULL when it is a
 * client, or can only be reached in a way that memhp does not know. */
static char *socket_address(const struct parse *p, const char *options)
{
	static const char *const unknown[] = { "telnet", "tn3270", "websocket", "tls-creds" };
	_cleanup_free_ char *path = value_of(options, "path", false);
	_cleanup_free_ char *fd = value_of(options, "fd", false);
	uint64_t number;
	size_t i;

	if (!is_on(options, "server"))
		return NULL;
	for (i = 0; i < ARRAY_SIZE(unknown); i++) {
		_cleanup_free_ char *value = value_of(options, unknown[i], false);

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

/* The options of the -chardev with that id, when it is a socket. */
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

/* "HOST:PORT,..." as options of -chardev socket; NULL when it is none. */
static char *host_options(const char *host)
{
	const char *colon = strchr(host, ':');

	if (!colon || colon > host + strcspn(host, ","))
		return NULL;
	return xasprintf("host=%.*s,port=%s", (int)(colon - host), host, colon + 1);
}

/* The address behind the short form: "unix:PATH,...", "tcp:HOST:PORT,...", "chardev:ID". */
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
	_cleanup_free_ char *name = value_of(value, "guest", true);

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

/* @address is taken over; NULL for none */
static void add_address(struct parse *p, enum cmdline_purpose purpose, char *address)
{
	struct cmdline *line = p->line;

	if (address && line->addresses_count < CMDLINE_ADDRESSES_MAX)
		line->addresses[line->addresses_count++] =
			(struct cmdline_address){ purpose, address };
	else
		free(address);
}

static bool is_full(const struct parse *p)
{
	return p->line->addresses_count == CMDLINE_ADDRESSES_MAX;
}

static void take_qmp(struct parse *p, const char *value)
{
	add_address(p, CMDLINE_QMP, short_address(p, value));
}

static void take_monitor(struct parse *p, const char *value)
{
	add_address(p, CMDLINE_HMP, short_address(p, value));
}

static void take_mon(struct parse *p, const char *value)
{
	_cleanup_free_ char *mode = value_of(value, "mode", false);
	_cleanup_free_ char *id = value_of(value, "chardev", true);

	if (id)
		add_address(p, mode && !strcmp(mode, "control") ? CMDLINE_QMP : CMDLINE_HMP,
			    chardev_address(p, id));
}

static void take_serial(struct parse *p, const char *value)
{
	add_address(p, CMDLINE_CONSOLE, short_address(p, value));
}

/* What listens as its first word says, "unix:PATH" or "tcp:HOST:PORT", and always serves. */
static void take_server(struct parse *p, const char *value)
{
	_cleanup_free_ char *options = xasprintf("%s,server=on", value);

	add_address(p, CMDLINE_OTHER, short_address(p, options));
}

/* "[tcp]:[HOSTADDR]:HOSTPORT-[GUESTADDR]:22"; QEMU takes numeric addresses only, IPv4 */
static char *ssh_address(const char *forward)
{
	_cleanup_free_ char *copy = xstrdup(forward);
	char *rest = copy;
	const char *protocol = strsep(&rest, ":"), *host = strsep(&rest, ":");
	const char *port = strsep(&rest, "-"), *guest = strsep(&rest, ":");
	uint64_t number;

	if (!host || !port || !guest || !rest || strcmp(rest, "22") != 0 ||
	    !is_port(port, &number) || (*protocol && strcmp(protocol, "tcp") != 0) ||
	    host[strspn(host, "0123456789.")] || strlen(host) > 15)
		return NULL;
	return xasprintf("ssh:root@%s:%s", !*host || !strcmp(host, "0.0.0.0") ? "127.0.0.1" : host,
			 port);
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

static void take_config(struct parse *p, const char *value)
{
	if (p->line->configs_count < CMDLINE_CONFIGS_MAX)
		p->line->configs[p->line->configs_count++] = xstrdup(value);
}

/* The name of an option, "qmp" for "-qmp" and "--qmp"; NULL for other words. */
static const char *option_name(const char *word)
{
	if (word[0] != '-' || !word[1])
		return NULL;
	return word[1] == '-' ? word + 2 : word + 1;
}

enum {
	HAS_NONE = 0,
	HAS_VALUE = 1 << 0,
	IS_TELLING = 1 << 1, /* neither qemu-storage-daemon nor others have it */
};

/* QEMU's options (qemu-options.hx), by strcmp(3). */
static const struct option {
	const char *name;
	unsigned flags;
	void (*take)(struct parse *p, const char *value);
} options_known[] = {
	{ "D", HAS_VALUE, NULL },
	{ "L", HAS_VALUE, NULL },
	{ "M", HAS_VALUE | IS_TELLING, NULL },
	{ "S", HAS_NONE, NULL },
	{ "accel", HAS_VALUE | IS_TELLING, NULL },
	{ "acpitable", HAS_VALUE, NULL },
	{ "action", HAS_VALUE, NULL },
	{ "add-fd", HAS_VALUE, NULL },
	{ "alt-grab", HAS_NONE, NULL },
	{ "append", HAS_VALUE, NULL },
	{ "async-teardown", HAS_NONE, NULL },
	{ "audio", HAS_VALUE, NULL },
	{ "audio-help", HAS_NONE, NULL },
	{ "audiodev", HAS_VALUE, NULL },
	{ "balloon", HAS_VALUE, NULL },
	{ "bios", HAS_VALUE, NULL },
	{ "blockdev", HAS_VALUE, NULL },
	{ "boot", HAS_VALUE, NULL },
	{ "cdrom", HAS_VALUE, NULL },
	{ "chardev", HAS_VALUE, NULL },
	{ "chroot", HAS_VALUE, NULL },
	{ "compat", HAS_VALUE, NULL },
	{ "cpu", HAS_VALUE, NULL },
	{ "ctrl-grab", HAS_NONE, NULL },
	{ "curses", HAS_NONE, NULL },
	{ "d", HAS_VALUE, NULL },
	{ "daemonize", HAS_NONE, NULL },
	{ "debugcon", HAS_VALUE, NULL },
	{ "device", HAS_VALUE | IS_TELLING, NULL },
	{ "dfilter", HAS_VALUE, NULL },
	{ "display", HAS_VALUE, NULL },
	{ "drive", HAS_VALUE | IS_TELLING, NULL },
	{ "dtb", HAS_VALUE, NULL },
	{ "dump-vmstate", HAS_VALUE, NULL },
	{ "echr", HAS_VALUE, NULL },
	{ "enable-fips", HAS_NONE, NULL },
	{ "enable-hax", HAS_NONE, NULL },
	{ "enable-kvm", HAS_NONE | IS_TELLING, NULL },
	{ "enable-sync-profile", HAS_NONE, NULL },
	{ "fda", HAS_VALUE, NULL },
	{ "fdb", HAS_VALUE, NULL },
	{ "fsdev", HAS_VALUE, NULL },
	{ "full-screen", HAS_NONE, NULL },
	{ "fw_cfg", HAS_VALUE, NULL },
	{ "g", HAS_VALUE, NULL },
	{ "gdb", HAS_VALUE, take_server },
	{ "global", HAS_VALUE, NULL },
	{ "h", HAS_NONE, NULL },
	{ "hda", HAS_VALUE, NULL },
	{ "hdb", HAS_VALUE, NULL },
	{ "hdc", HAS_VALUE, NULL },
	{ "hdd", HAS_VALUE, NULL },
	{ "help", HAS_NONE, NULL },
	{ "icount", HAS_VALUE, NULL },
	{ "igd-passthru", HAS_VALUE, NULL },
	{ "incoming", HAS_VALUE, take_server },
	{ "initrd", HAS_VALUE, NULL },
	{ "iscsi", HAS_VALUE, NULL },
	{ "k", HAS_VALUE, NULL },
	{ "kernel", HAS_VALUE, NULL },
	{ "loadvm", HAS_VALUE, NULL },
	{ "m", HAS_VALUE, take_memory },
	{ "machine", HAS_VALUE | IS_TELLING, NULL },
	{ "mem-path", HAS_VALUE, NULL },
	{ "mem-prealloc", HAS_NONE, NULL },
	{ "mon", HAS_VALUE, take_mon },
	{ "monitor", HAS_VALUE, take_monitor },
	{ "msg", HAS_VALUE, NULL },
	{ "mtdblock", HAS_VALUE, NULL },
	{ "name", HAS_VALUE, take_name },
	{ "net", HAS_VALUE, take_network },
	{ "netdev", HAS_VALUE | IS_TELLING, take_network },
	{ "nic", HAS_VALUE | IS_TELLING, take_network },
	{ "no-acpi", HAS_NONE, NULL },
	{ "no-fd-bootchk", HAS_NONE, NULL },
	{ "no-frame", HAS_NONE, NULL },
	{ "no-hpet", HAS_NONE, NULL },
	{ "no-kvm", HAS_NONE, NULL },
	{ "no-kvm-irqchip", HAS_NONE, NULL },
	{ "no-kvm-pit", HAS_NONE, NULL },
	{ "no-kvm-pit-reinjection", HAS_NONE, NULL },
	{ "no-quit", HAS_NONE, NULL },
	{ "no-reboot", HAS_NONE, NULL },
	{ "no-shutdown", HAS_NONE, NULL },
	{ "no-user-config", HAS_NONE, NULL },
	{ "nodefaults", HAS_NONE | IS_TELLING, NULL },
	{ "nodefconfig", HAS_NONE, NULL },
	{ "nographic", HAS_NONE, NULL },
	{ "numa", HAS_VALUE, NULL },
	{ "object", HAS_VALUE, NULL },
	{ "old-param", HAS_NONE, NULL },
	{ "only-migratable", HAS_NONE, NULL },
	{ "option-rom", HAS_VALUE, NULL },
	{ "overcommit", HAS_VALUE, NULL },
	{ "parallel", HAS_VALUE, NULL },
	{ "pflash", HAS_VALUE, NULL },
	{ "pidfile", HAS_VALUE, NULL },
	{ "plugin", HAS_VALUE, NULL },
	{ "portrait", HAS_NONE, NULL },
	{ "preconfig", HAS_NONE, NULL },
	{ "prom-env", HAS_VALUE, NULL },
	{ "qmp", HAS_VALUE, take_qmp },
	{ "qmp-pretty", HAS_VALUE, take_qmp },
	{ "qtest", HAS_VALUE, NULL },
	{ "qtest-log", HAS_VALUE, NULL },
	{ "readconfig", HAS_VALUE | IS_TELLING, take_config },
	{ "realtime", HAS_VALUE, NULL },
	{ "rotate", HAS_VALUE, NULL },
	{ "rtc", HAS_VALUE, NULL },
	{ "run-with", HAS_VALUE, NULL },
	{ "runas", HAS_VALUE, NULL },
	{ "s", HAS_NONE, NULL },
	{ "sandbox", HAS_VALUE, NULL },
	{ "sd", HAS_VALUE, NULL },
	{ "sdl", HAS_NONE, NULL },
	{ "seed", HAS_VALUE, NULL },
	{ "semihosting", HAS_NONE, NULL },
	{ "semihosting-config", HAS_VALUE, NULL },
	{ "serial", HAS_VALUE, take_serial },
	{ "set", HAS_VALUE, NULL },
	{ "shim", HAS_VALUE, NULL },
	{ "singlestep", HAS_NONE, NULL },
	{ "smbios", HAS_VALUE, NULL },
	{ "smp", HAS_VALUE | IS_TELLING, NULL },
	{ "snapshot", HAS_NONE, NULL },
	{ "soundhw", HAS_VALUE, NULL },
	{ "spice", HAS_VALUE, NULL },
	{ "tb-size", HAS_VALUE, NULL },
	{ "tpmdev", HAS_VALUE, NULL },
	{ "trace", HAS_VALUE, NULL },
	{ "usb", HAS_NONE, NULL },
	{ "usbdevice", HAS_VALUE, NULL },
	{ "uuid", HAS_VALUE, NULL },
	{ "version", HAS_NONE, NULL },
	{ "vga", HAS_VALUE, NULL },
	{ "virtfs", HAS_VALUE, NULL },
	{ "virtfs_synth", HAS_NONE, NULL },
	{ "vnc", HAS_VALUE, take_server },
	{ "watchdog", HAS_VALUE, NULL },
	{ "watchdog-action", HAS_VALUE, NULL },
	{ "win2k-hack", HAS_NONE, NULL },
	{ "writeconfig", HAS_VALUE, NULL },
	{ "xen-attach", HAS_NONE, NULL },
	{ "xen-domid", HAS_VALUE, NULL },
	{ "xen-domid-restrict", HAS_NONE, NULL },
};

static int by_name(const void *name, const void *option)
{
	return strcmp(name, ((const struct option *)option)->name);
}

static const struct option *find_option(const char *word)
{
	const char *name = option_name(word);

	return name ? bsearch(name, options_known, ARRAY_SIZE(options_known),
			      sizeof(options_known[0]), by_name)
		    : NULL;
}

/* The character devices, which may be named before they come. */
static void take_chardev(struct parse *p, const char *options)
{
	_cleanup_free_ char *backend = value_of(options, "backend", true);
	char *id = value_of(options, "id", false);

	if (id && backend && !strcmp(backend, "socket") && p->chardevs_count < CHARDEVS_MAX)
		p->chardevs[p->chardevs_count++] = (struct chardev){ id, options };
	else
		free(id);
}

/* What a pass over the line has seen of other words than options. */
struct seen {
	unsigned unknown, images, telling;
};

/* Step over all options: the character devices, or (@seen) all others. */
static void walk(struct parse *p, const char *word, struct seen *seen)
{
	for (; word; word = next_word(p, word)) {
		const struct option *option = find_option(word);
		const char *value = next_word(p, word);
		bool has_value = option && option->flags & HAS_VALUE;

		if (seen && !option)
			*(word[0] == '-' ? &seen->unknown : &seen->images) += 1;
		if (seen && option)
			seen->telling += option->flags & IS_TELLING ? 1 : 0;
		if (!has_value || !value)
			continue;
		if (strlen(value) <= OPTION_MAX) {
			if (!seen && !strcmp(option->name, "chardev"))
				take_chardev(p, value);
			else if (seen && option->take && !is_full(p))
				option->take(p, value);
		}
		word = value;
	}
}

/* What other character devices listen for is not known, but that these are no monitors is. */
static void take_chardevs(struct parse *p)
{
	unsigned i;

	for (i = 0; i < p->chardevs_count; i++) {
		char *address = socket_address(p, p->chardevs[i].options);

		if (address && cmdline_explains(p->line, address)) {
			free(address);
			address = NULL;
		}
		add_address(p, CMDLINE_OTHER, address);
		free(p->chardevs[i].id);
	}
}

void cmdline_index(struct cmdline *line)
{
	unsigned i;

	line->monitors_count = 0;
	for (i = 0; i < line->addresses_count; i++)
		if (line->addresses[i].purpose == CMDLINE_QMP &&
		    line->monitors_count < CMDLINE_MONITORS_MAX)
			line->monitors[line->monitors_count++] = line->addresses[i].text;
	line->console = cmdline_find(line, CMDLINE_CONSOLE);
}

const char *cmdline_find(const struct cmdline *line, enum cmdline_purpose purpose)
{
	unsigned i;

	for (i = 0; i < line->addresses_count; i++)
		if (line->addresses[i].purpose == purpose)
			return line->addresses[i].text;
	return NULL;
}

bool cmdline_explains(const struct cmdline *line, const char *address)
{
	unsigned i;

	for (i = 0; i < line->addresses_count; i++)
		if (!strcmp(line->addresses[i].text, address))
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
