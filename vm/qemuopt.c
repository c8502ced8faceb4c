/* SPDX-License-Identifier: GPL-3.0-or-later */
/* QEMU's options. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vm/qemuopt.h"

/* In a file for -readconfig. */
#define LINE_BYTES 1024
#define NAME_BYTES 64

/* All options without a value (QEMU's qemu-options.hx, old ones too), in strcmp(3) order. */
static const char *const bare[] = { "S",
				    "alt-grab",
				    "async-teardown",
				    "audio-help",
				    "ctrl-grab",
				    "curses",
				    "daemonize",
				    "enable-fips",
				    "enable-hax",
				    "enable-kvm",
				    "enable-sync-profile",
				    "full-screen",
				    "h",
				    "help",
				    "mem-prealloc",
				    "no-acpi",
				    "no-fd-bootchk",
				    "no-frame",
				    "no-hpet",
				    "no-kvm",
				    "no-kvm-irqchip",
				    "no-kvm-pit",
				    "no-kvm-pit-reinjection",
				    "no-quit",
				    "no-reboot",
				    "no-shutdown",
				    "no-user-config",
				    "nodefaults",
				    "nodefconfig",
				    "nographic",
				    "old-param",
				    "only-migratable",
				    "portrait",
				    "preconfig",
				    "s",
				    "sdl",
				    "semihosting",
				    "singlestep",
				    "snapshot",
				    "usb",
				    "version",
				    "virtfs_synth",
				    "win2k-hack",
				    "xen-attach",
				    "xen-domid-restrict" };

static const char *const valued[] = { "D",
				      "L",
				      "M",
				      "accel",
				      "acpitable",
				      "action",
				      "add-fd",
				      "append",
				      "audio",
				      "audiodev",
				      "balloon",
				      "bios",
				      "blockdev",
				      "boot",
				      "cdrom",
				      "chardev",
				      "chroot",
				      "compat",
				      "cpu",
				      "d",
				      "debugcon",
				      "device",
				      "dfilter",
				      "display",
				      "drive",
				      "dtb",
				      "dump-vmstate",
				      "echr",
				      "fda",
				      "fdb",
				      "fsdev",
				      "fw_cfg",
				      "g",
				      "gdb",
				      "global",
				      "hda",
				      "hdb",
				      "hdc",
				      "hdd",
				      "icount",
				      "igd-passthru",
				      "incoming",
				      "initrd",
				      "iscsi",
				      "k",
				      "kernel",
				      "loadvm",
				      "m",
				      "machine",
				      "mem-path",
				      "mon",
				      "monitor",
				      "msg",
				      "mtdblock",
				      "name",
				      "net",
				      "netdev",
				      "nic",
				      "numa",
				      "object",
				      "option-rom",
				      "overcommit",
				      "parallel",
				      "pflash",
				      "pidfile",
				      "plugin",
				      "prom-env",
				      "qmp",
				      "qmp-pretty",
				      "qtest",
				      "qtest-log",
				      "readconfig",
				      "realtime",
				      "rotate",
				      "rtc",
				      "run-with",
				      "runas",
				      "sandbox",
				      "sd",
				      "seed",
				      "semihosting-config",
				      "serial",
				      "set",
				      "shim",
				      "smbios",
				      "smp",
				      "soundhw",
				      "spice",
				      "tb-size",
				      "tpmdev",
				      "trace",
				      "usbdevice",
				      "uuid",
				      "vga",
				      "virtfs",
				      "vnc",
				      "watchdog",
				      "watchdog-action",
				      "writeconfig",
				      "xen-domid" };

/* Neither qemu-storage-daemon nor other programs have these. */
static const char *const telling[] = { "M",	     "accel",	   "device", "drive",
				       "enable-kvm", "machine",	   "netdev", "nic",
				       "nodefaults", "readconfig", "smp" };

static int by_name(const void *name, const void *entry)
{
	return strcmp(name, *(const char *const *)entry);
}

static bool is_among(const char *name, const char *const *names, size_t count)
{
	return bsearch(name, names, count, sizeof(*names), by_name);
}

const char *qemuopt_name(const char *word)
{
	const char *name = word + (word[0] == '-' && word[1] == '-' ? 2 : 1);

	return word[0] == '-' && word[1] &&
			       (is_among(name, bare, ARRAY_SIZE(bare)) || qemuopt_has_value(name))
		       ? name
		       : NULL;
}

bool qemuopt_has_value(const char *name)
{
	return is_among(name, valued, ARRAY_SIZE(valued));
}

bool qemuopt_is_telling(const char *name)
{
	return is_among(name, telling, ARRAY_SIZE(telling));
}

/* Copy one piece of "a,b=c,,d" into @piece, "b=c,d"; returns the rest, NULL at the end. */
const char *qemuopt_piece(const char *options, struct buf *piece)
{
	buf_free(piece);
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

/* A piece's value for @key: "key=value", a bare "key" for on, or a bare value of an implied key. */
const char *qemuopt_in_piece(const char *piece, const char *key, bool is_implied)
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
char *qemuopt_value(const char *options, const char *key, bool is_first_implied)
{
	_cleanup_buf_ struct buf piece = { 0 };
	bool is_implied = is_first_implied;
	char *found = NULL;

	while (options) {
		const char *value;

		options = qemuopt_piece(options, &piece);
		value = qemuopt_in_piece(buf_text(&piece), key, is_implied);
		if (value) {
			free(found);
			found = xstrdup(value);
		}
		is_implied = false;
	}
	return found;
}

bool qemuopt_is_on(const char *options, const char *key)
{
	static const char *const words[] = { "on", "yes", "true", "y" };
	_cleanup_free_ char *value = qemuopt_value(options, key, false);
	size_t i;

	for (i = 0; value && i < ARRAY_SIZE(words); i++)
		if (!strcmp(value, words[i]))
			return true;
	return false;
}

/* Append "key=value" to the section's settings, with commas doubled. */
static void add_setting(struct buf *options, const char *key, const char *value)
{
	buf_addf(options, "%s%s=", options->len ? "," : "", key);
	for (; *value; value++)
		buf_addf(options, *value == ',' ? ",%c" : "%c", *value);
}

static void end_section(struct buf *words, const char *group, struct buf *options)
{
	if (*group) {
		buf_addf(words, "-%s", strcmp(group, "memory") ? group : "m");
		buf_add(words, "", 1);
		buf_add(words, buf_text(options), options->len + 1);
	}
	buf_free(options);
}

/* Take one line, without its line end; @group becomes the section that it begins. */
static void take_line(struct buf *words, const char *line, char group[static NAME_BYTES],
		      struct buf *options)
{
	char key[NAME_BYTES], value[LINE_BYTES] = "";

	if (line[0] == '[') {
		end_section(words, group, options);
		group[0] = '\0';
		if (sscanf(line, "[%63s \"%63[^\"]\"]", group, key) == 2)
			add_setting(options, "id", key);
		else if (sscanf(line, "[%63[^]]]", group) != 1)
			group[0] = '\0';
	} else if (line[0] != '#' && sscanf(line, " %63s = \"%1023[^\"]\"", key, value) == 2) {
		add_setting(options, key, value);
	}
}

void qemuopt_file_words(struct buf *words, const char *text)
{
	_cleanup_buf_ struct buf options = { 0 };
	char group[NAME_BYTES] = "";

	while (*text) {
		char line[LINE_BYTES];
		size_t len = strcspn(text, "\n");

		snprintf(line, sizeof(line), "%.*s", (int)len, text);
		take_line(words, line, group, &options);
		text += len + (text[len] == '\n');
	}
	end_section(words, group, &options);
}
