/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The command line of a QEMU process, which may be any user's. */
#include "unit.h"

#include <stdlib.h>

#include "vm/cmdline.h"

/* @text: words separated by '|', which become NUL bytes; the last has none */
static struct cmdline parse(const char *text, const char *cwd)
{
	_cleanup_free_ char *bytes = xstrdup(text);
	struct cmdline line;
	size_t i, len = strlen(text);

	for (i = 0; i < len; i++)
		if (bytes[i] == '|')
			bytes[i] = '\0';
	cmdline_parse(&line, bytes, len, cwd);
	return line;
}

/* The monitors, separated by blanks. */
static char *monitors_of(const char *text, const char *cwd)
{
	struct cmdline line = parse(text, cwd);
	struct buf all = { 0 };
	unsigned i;

	buf_addf(&all, "%s", "");
	for (i = 0; i < line.monitors_count; i++)
		buf_addf(&all, "%s%s", i ? " " : "", line.monitors[i].text);
	cmdline_free(&line);
	return all.data;
}

static void monitors_are_found_however_they_are_written(void **state)
{
	static const struct {
		const char *words, *monitors;
	} rows[] = {
		{ "q|-qmp|unix:/run/vm.qmp,server=on,wait=off", "/run/vm.qmp" },
		{ "q|-qmp|unix:/run/vm.qmp,server,nowait", "/run/vm.qmp" },
		{ "q|--qmp|unix:/run/vm.qmp,server=yes", "/run/vm.qmp" },
		{ "q|-qmp-pretty|unix:/run/vm.qmp,server=y", "/run/vm.qmp" },
		{ "q|-qmp|unix:vm.qmp,server=true", "/home/me/vm.qmp" },
		{ "q|-qmp|unix:./a/../vm.qmp,server", "/home/me/./a/../vm.qmp" },
		{ "q|-qmp|unix:/run/a,,b.qmp,server", "/run/a,b.qmp" },
		{ "q|-qmp|unix:/a b/c;d.qmp,server", "/a b/c;d.qmp" },
		{ "q|-qmp|tcp:localhost:4444,server=on,wait=off", "tcp:localhost:4444" },
		{ "q|-qmp|tcp:127.0.0.1:4444,server", "tcp:127.0.0.1:4444" },
		{ "q|-qmp|tcp::4444,server", "tcp::4444" },
		{ "q|-qmp|tcp:0.0.0.0:4444,server", "tcp:0.0.0.0:4444" },
		{ "q|-qmp|tcp:h:4444,to=4454,server", "tcp:h:4444-4454" },
		{ "q|-mon|c,mode=control|-chardev|socket,id=c,host=::,port=4444,server",
		  "tcp:[::]:4444" },
		{ "q|-qmp|unix:name,abstract=on,server=on", "unix:@name" },
		{ "q|-qmp|unix:@name,abstract=on,tight=off,server=on", "unix:@@name" },
		{ "q|-qmp|unix:/m,abstract=off,server=on", "/m" },
		{ "q|-mon|c,mode=control|-chardev|socket,id=c,fd=3,server=on", "fd:3" },
		{ "q|-append|-qmp|-qmp|unix:/m,server", "/m" },
		{ "q|-mon|chardev=c,mode=control|-chardev|socket,id=c,path=/m,server=on", "/m" },
		{ "q|-chardev|socket,path=/m,server=on,id=c|-mon|c,mode=control", "/m" },
		{ "q|-chardev|backend=socket,path=/m,server=on,id=c|-mon|mode=control,chardev=c",
		  "/m" },
		{ "q|-chardev|socket,id=c,host=::1,port=99,server=on|-mon|c,mode=control",
		  "tcp:[::1]:99" },
		{ "q|-chardev|socket,id=c,path=/m,server=on|-qmp|chardev:c", "/m" },
		{ "q|-chardev|socket,id=c,path=/m,server=on|-mon|c,mode=control,pretty=on", "/m" },
		{ "q|-qmp|unix:/1,server|-qmp|unix:/2,server|-qmp|tcp::3,server", "/1 /2 tcp::3" },
		{ "q|-chardev|socket,id=a,path=/a,server=on|-chardev|socket,id=b,path=/b,server=on"
		  "|-mon|b,mode=control|-mon|a,mode=control",
		  "/b /a" },
		{ "q|disk.img|-S|-qmp|unix:/m,server|-nographic", "/m" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *found = monitors_of(rows[i].words, "/home/me");

		check(!strcmp(found, rows[i].monitors), "%s: '%s'", rows[i].words, found);
	}
}

static void what_cannot_be_reached_is_no_monitor(void **state)
{
	static const char *const lines[] = {
		"",
		"q",
		"q|",
		"q|-qmp",
		"q|-qmp|",
		"q|-mon",
		"q|-qmp|stdio",
		"q|-qmp|none",
		"q|-qmp|pty",
		"q|-qmp|unix:,server",
		"q|-qmp|unix:/client", /* QEMU is the client */
		"q|-qmp|unix:/client,server=off",
		"q|-qmp|unix:/m,server=on,server=off", /* the last counts */
		"q|-qmp|unix:,abstract=on,server=on",
		"q|-qmp|unix:/m,server=on,tn3270=on",
		"q|-qmp|unix:/m,server=on,telnet=on",
		"q|-qmp|unix:/m,server=on,websocket=on",
		"q|-qmp|tcp:h:1,server=on,tls-creds=tls0",
		"q|-qmp|telnet:localhost:4444,server",
		"q|-qmp|udp:localhost:4444",
		"q|-qmp|tcp:localhost:0,server", /* QEMU chooses */
		"q|-qmp|tcp:localhost:65536,server",
		"q|-qmp|tcp:localhost:-1,server",
		"q|-qmp|tcp:localhost:4444x,server",
		"q|-qmp|tcp:localhost,server",
		"q|-qmp|tcp:localhost,server=on:4444",
		"q|-qmp|tcp:[::1,server",
		"q|-qmp|tcp:",
		"q|-qmp|chardev:none",
		"q|-monitor|unix:/hmp,server", /* a human's */
		"q|-mon|c|-chardev|socket,id=c,path=/m,server=on",
		"q|-mon|c,mode=readline|-chardev|socket,id=c,path=/m,server=on",
		"q|-mon|c,mode=control",
		"q|-mon|mode=control|-chardev|socket,id=c,path=/m,server=on",
		"q|-mon|c,mode=control|-chardev|socket,id=cc,path=/m,server=on",
		"q|-mon|c,mode=control|-chardev|pty,id=c",
		"q|-mon|c,mode=control|-chardev|file,id=c,path=/m,server=on",
		"q|-mon|c,mode=control|-chardev|socket,id=c,fd=3",
		"q|-mon|c,mode=control|-chardev|socket,id=c,fd=x,server=on",
		"q|-mon|c,mode=control|-chardev|socket,id=c,fd=/3,server=on",
		"q|-qmp|tcp:h:4444,to=x,server",
		"q|-append|-qmp|unix:/m,server", /* the word is the guest kernel's */
		"q|-mon|c,mode=control|-chardev|socket,id=c,path=/m",
		"q|-mon|c,mode=control|-chardev",
		"-qmp|unix:/m,server", /* the name of the program */
		"q|qmp|unix:/m,server",
		"q|-Qmp|unix:/m,server",
		"q|-qmp=unix:/m,server",
		"q|-name|-qmp|unix:/m,server", /* a value, not an option */
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(lines); i++) {
		_cleanup_free_ char *found = monitors_of(lines[i], "/home/me");

		check(!*found, "%s: '%s'", lines[i], found);
	}
}

static void a_relative_path_needs_a_directory(void **state)
{
	_cleanup_free_ char *found = monitors_of("q|-qmp|unix:m,server|-qmp|unix:/n,server", NULL);

	(void)state;
	assert_string_equal(found, "/n");
}

static void no_more_monitors_are_taken_than_there_is_room(void **state)
{
	_cleanup_buf_ struct buf text = { 0 };
	struct cmdline line;
	unsigned i;

	(void)state;
	buf_addf(&text, "q");
	for (i = 0; i < 100; i++)
		buf_addf(&text, "|-qmp|unix:/%u,server", i);
	line = parse(buf_text(&text), NULL);
	assert_int_equal(line.monitors_count, CMDLINE_MONITORS_MAX);
	assert_string_equal(line.monitors[CMDLINE_MONITORS_MAX - 1].text, "/7");
	cmdline_free(&line);
	assert_int_equal(line.monitors_count, 0);
}

static void name_memory_and_channels(void **state)
{
	static const struct {
		const char *words, *name, *memory, *console, *ssh;
	} rows[] = {
		{ "q|-name|web", "web", NULL, NULL, NULL },
		{ "q|-name|guest=web,debug-threads=on", "web", NULL, NULL, NULL },
		{ "q|-name|web,process=qemu-web", "web", NULL, NULL, NULL },
		{ "q|-name|debug-threads=on", NULL, NULL, NULL, NULL },
		{ "q|-name|a,,b", "a,b", NULL, NULL, NULL },
		{ "q|-name|a|-name|b", "b", NULL, NULL, NULL },
		{ "q|-name|", NULL, NULL, NULL, NULL },
		{ "q|-name", NULL, NULL, NULL, NULL },
		{ "q|-name|a\033[31m\nb\xff", "a?[31m?b?", NULL, NULL, NULL },
		{ "q|-m|512M,slots=32,maxmem=8G", NULL, "512M,slots=32,maxmem=8G", NULL, NULL },
		{ "q|-serial|unix:/s,server=on", NULL, NULL, "/s", NULL },
		{ "q|-serial|mon:stdio|-serial|unix:s,server", NULL, NULL, "/home/me/s", NULL },
		{ "q|-serial|chardev:x|-chardev|socket,id=x,path=/s,server=on", NULL, NULL, "/s",
		  NULL },
		{ "q|-serial|unix:/1,server|-serial|unix:/2,server", NULL, NULL, "/1", NULL },
		{ "q|-serial|tcp::4,server", NULL, NULL, "tcp::4", NULL },
		{ "q|-serial|unix:s,abstract=on,server", NULL, NULL, "unix:@s", NULL },
		{ "q|-netdev|user,id=n,hostfwd=tcp:127.0.0.1:2222-:22", NULL, NULL, NULL,
		  "ssh:root@127.0.0.1:2222" },
		{ "q|-nic|user,hostfwd=tcp::2222-:22", NULL, NULL, NULL,
		  "ssh:root@127.0.0.1:2222" },
		{ "q|-net|user,hostfwd=::2222-10.0.2.15:22", NULL, NULL, NULL,
		  "ssh:root@127.0.0.1:2222" },
		{ "q|-nic|user,hostfwd=tcp::80-:80,hostfwd=tcp::2222-:22", NULL, NULL, NULL,
		  "ssh:root@127.0.0.1:2222" },
		{ "q|-nic|user,hostfwd=tcp::1-:22|-nic|user,hostfwd=tcp::2-:22", NULL, NULL, NULL,
		  "ssh:root@127.0.0.1:1" },
		{ "q|-nic|user,hostfwd=udp::2222-:22", NULL, NULL, NULL, NULL },
		{ "q|-nic|user,hostfwd=tcp::2222-:2222", NULL, NULL, NULL, NULL },
		{ "q|-nic|user,hostfwd=tcp::0-:22", NULL, NULL, NULL, NULL },
		{ "q|-nic|user,hostfwd=tcp:-oProxyCommand=x:22-:22", NULL, NULL, NULL, NULL },
		{ "q|-nic|user,hostfwd=tcp:$(x):22-:22", NULL, NULL, NULL, NULL },
		{ "q|-nic|user,hostfwd=tcp:localhost:22-:22", NULL, NULL, NULL, NULL },
		{ "q|-nic|user,hostfwd=tcp:0.0.0.0:22-:22", NULL, NULL, NULL,
		  "ssh:root@127.0.0.1:22" },
		{ "q|-nic|user,hostfwd=", NULL, NULL, NULL, NULL },
		{ "q|-nic|user,hostfwd=tcp", NULL, NULL, NULL, NULL },
		{ "q|-nic|user,hostfwd=tcp:", NULL, NULL, NULL, NULL },
		{ "q|-nic|user,hostfwd=tcp::22", NULL, NULL, NULL, NULL },
		{ "q|-nic|user,hostfwd=tcp::22-", NULL, NULL, NULL, NULL },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct cmdline line = parse(rows[i].words, "/home/me");
		const char *found[] = { line.name, line.memory, line.console.text, line.ssh.text };
		const char *expected[] = { rows[i].name, rows[i].memory, rows[i].console,
					   rows[i].ssh };
		size_t f;

		for (f = 0; f < ARRAY_SIZE(found); f++)
			check(found[f] && expected[f] ? !strcmp(found[f], expected[f])
						      : found[f] == expected[f],
			      "%s: '%s'", rows[i].words, found[f] ? found[f] : "none");
		cmdline_free(&line);
	}
}

static bool explains(const struct cmdline *line, const char *text)
{
	struct address address;
	bool is_explained;

	assert_true(address_of_listener(&address, xstrdup(text)));
	is_explained = cmdline_explains(line, &address);
	address_free(&address);
	return is_explained;
}

static void what_is_listened_on_for_something_else_is_known(void **state)
{
	struct cmdline line = parse("q|-monitor|unix:/hmp,server|-serial|unix:/s,server"
				    "|-chardev|socket,id=a,path=/agent,server=on"
				    "|-chardev|socket,id=m,path=/m,server=on|-mon|m,mode=control"
				    "|-gdb|unix:/gdb|-incoming|unix:/in|-vnc|unix:/vnc|-s"
				    "|-vnc|127.0.0.1:1,websocket=on|-spice|port=5930"
				    "|-nic|user,hostfwd=tcp::80-:80,hostfwd=udp::81-:81",
				    NULL);
	static const char *const known[] = { "/hmp",	  "/s",	       "/agent",
					     "/m",	  "/gdb",      "/in",
					     "/vnc",	  "tcp::1234", "tcp:127.0.0.1:5901",
					     "tcp::5930", "tcp::80" };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(known); i++)
		check(explains(&line, known[i]), "%s", known[i]);
	assert_int_equal(line.addresses_count, ARRAY_SIZE(known));
	assert_string_equal(cmdline_find(&line, CMDLINE_HMP)->text, "/hmp");
	assert_false(explains(&line, "/other"));
	cmdline_free(&line);
}

/* Options that identify QEMU under any program name, and options that other programs have too. */
static void words_that_only_qemu_has(void **state)
{
	static const struct {
		const char *words;
		bool is_qemus;
	} rows[] = {
		{ "q|-machine|q35|-m|1G", true },
		{ "q|-M|q35", true },
		{ "q|disk.img|-smp|2", true },
		{ "q|-nodefaults|-xen-attach|-watchdog|x|-D|x|-win2k-hack", true },
		{ "q|--accel|tcg|-daemonize", true },
		{ "q|-readconfig|f|-S", true },
		{ "q", false },
		{ "q|disk.img", false },
		{ "q|-m|64", false }, /* memcached */
		{ "sh|-c|qemu-system-x86_64 -machine q35", false },
		{ "sudo|-u|x|qemu-system-x86_64|-machine|q35", false },
		{ "timeout|10|qemu-system-x86_64|-machine|q35", false },
		{ "q|--chardev|socket,id=c,path=/x,server=on|--monitor|c", false },
		{ "memhp|--qmp|/x|list", false },
		{ "q|-machine|q35|-bogus", false },
		{ "q|-machine|q35|a|b", false },
		{ "q|-machine|q35|-", false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct cmdline line = parse(rows[i].words, NULL);

		check(line.is_qemus == rows[i].is_qemus, "%s", rows[i].words);
		cmdline_free(&line);
	}
}

static void a_monitor_behind_very_many_forwards_is_found(void **state)
{
	_cleanup_buf_ struct buf text = { 0 };
	struct cmdline line;
	unsigned i;

	(void)state;
	buf_addf(&text, "q");
	for (i = 1; i <= 200; i++)
		buf_addf(&text, "|-nic|user,hostfwd=tcp::%u-:80", i);
	buf_addf(&text, "|-nic|user,hostfwd=tcp::22-:22|-qmp|unix:/m,server|-name|web");
	line = parse(buf_text(&text), NULL);
	assert_string_equal(line.monitors[0].text, "/m");
	assert_string_equal(line.ssh.text, "ssh:root@127.0.0.1:22");
	assert_string_equal(line.name, "web");
	cmdline_free(&line);
}

static void names_are_bounded(void **state)
{
	unsigned len;

	(void)state;
	for (len = CMDLINE_NAME_MAX; len <= CMDLINE_NAME_MAX + 1; len++) {
		_cleanup_free_ char *name = xcalloc(len + 1, 1);
		_cleanup_free_ char *text = NULL;
		struct cmdline line;

		memset(name, 'x', len);
		text = xasprintf("q|-name|%s|-m|%s", name, name);
		line = parse(text, NULL);
		assert_true(len > CMDLINE_NAME_MAX ? !line.name && !line.memory
						   : !strcmp(line.name, name));
		cmdline_free(&line);
	}
}

/* Every prefix of a line, at the end of its memory: nothing after it is read (SAN=1). */
static void a_line_that_ends_early_is_read_to_its_end(void **state)
{
	static const char text[] = "q\0-name\0web\0-mon\0c,mode=control\0-chardev\0"
				   "socket,id=c,path=/m,,n,server=on\0-qmp\0tcp:h:1,server\0"
				   "-nic\0user,hostfwd=tcp::2222-:22\0-serial\0chardev:c\0";
	size_t len;

	(void)state;
	for (len = 0; len < sizeof(text); len++) {
		_cleanup_free_ char *bytes = xcalloc(len, 1);
		struct cmdline line;

		memcpy(bytes, text, len);
		cmdline_parse(&line, bytes, len, "/home/me");
		cmdline_free(&line);
	}
}

static void hostile_lines_are_read_in_bounded_time(void **state)
{
	static const char *const units[] = { "-mon|c,mode=control|",
					     "-qmp|chardev:c|",
					     "-name|,,,,,,|",
					     "-nic|hostfwd=,hostfwd=::::,hostfwd|",
					     "-|--|",
					     "||||",
					     "-chardev|socket,id=c|",
					     "-serial|chardev:c|" };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(units); i++) {
		_cleanup_buf_ struct buf text = { 0 };
		struct cmdline line;

		while (text.len < 1 << 20)
			buf_add(&text, units[i], strlen(units[i]));
		line = parse(buf_text(&text), "/");
		check(!line.monitors_count, "%s", units[i]);
		cmdline_free(&line);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(monitors_are_found_however_they_are_written),
		cmocka_unit_test(what_cannot_be_reached_is_no_monitor),
		cmocka_unit_test(a_relative_path_needs_a_directory),
		cmocka_unit_test(no_more_monitors_are_taken_than_there_is_room),
		cmocka_unit_test(name_memory_and_channels),
		cmocka_unit_test(what_is_listened_on_for_something_else_is_known),
		cmocka_unit_test(words_that_only_qemu_has),
		cmocka_unit_test(a_monitor_behind_very_many_forwards_is_found),
		cmocka_unit_test(names_are_bounded),
		cmocka_unit_test(a_line_that_ends_early_is_read_to_its_end),
		cmocka_unit_test(hostile_lines_are_read_in_bounded_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
