/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Names of monitors, listening sockets and guest channels. */
#include "unit.h"

#include <stdlib.h>

#include "lib/address.h"

static char *shown(struct slice slice)
{
	return xstrndup(slice.at ? slice.at : "", (size_t)slice.len);
}

/* "PATH USER HOST PORT" */
static void shows(const struct address *a, const char *text, const char *expected)
{
	_cleanup_free_ char *user = shown(a->user);
	_cleanup_free_ char *host = shown(a->host);
	_cleanup_free_ char *port = shown(a->port);
	_cleanup_free_ char *all =
		xasprintf("%s|%s|%s|%s", a->path ? a->path : "", user, host, port);

	check(!strcmp(all, expected), "%s: %s", text, all);
}

static void monitors_are_read_in_all_their_forms(void **state)
{
	static const struct {
		const char *text;
		enum address_kind kind;
		const char *expected;
		bool is_abstract;
	} rows[] = {
		{ "/run/vm.qmp", ADDRESS_UNIX, "/run/vm.qmp|||", false },
		{ "vm.qmp", ADDRESS_UNIX, "vm.qmp|||", false },
		{ "unix:/run/vm.qmp", ADDRESS_UNIX, "/run/vm.qmp|||", false },
		{ "unix:tcp:1", ADDRESS_UNIX, "tcp:1|||", false },
		{ "@vm", ADDRESS_UNIX, "@vm|||", true },
		{ "unix:@vm", ADDRESS_UNIX, "@vm|||", true },
		{ "unixes", ADDRESS_UNIX, "unixes|||", false },
		{ "serial:/x", ADDRESS_UNIX, "serial:/x|||", false },
		{ "fd:3", ADDRESS_UNIX, "fd:3|||", false },
		{ "tcp:localhost:4444", ADDRESS_TCP, "||localhost|4444", false },
		{ "tcp:[::1]:4444", ADDRESS_TCP, "||::1|4444", false },
		{ "tcp:h:qmp", ADDRESS_TCP, "||h|qmp", false },
		{ "ssh://web/run/vm.qmp", ADDRESS_REMOTE, "/run/vm.qmp||web|", false },
		{ "ssh://me@web:22/m", ADDRESS_REMOTE, "/m|me|web|22", false },
		{ "ssh://[::1]:22/m", ADDRESS_REMOTE, "/m||::1|22", false },
		{ "ssh:web", ADDRESS_UNIX, "ssh:web|||", false },
	};
	struct address a;
	struct err err;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		check(!address_parse_monitor(&a, rows[i].text, &err), "%s", rows[i].text);
		check(a.kind == rows[i].kind && a.is_abstract == rows[i].is_abstract, "%s",
		      rows[i].text);
		shows(&a, rows[i].text, rows[i].expected);
	}
}

static void channels_are_read_in_all_their_forms(void **state)
{
	static const struct {
		const char *text;
		enum address_kind kind;
		const char *expected;
	} rows[] = {
		{ "none", ADDRESS_NONE, "|||" },
		{ "serial:/dev/pts/3", ADDRESS_SERIAL, "/dev/pts/3|||" },
		{ "serial:@console", ADDRESS_SERIAL, "@console|||" },
		{ "qga:/run/agent", ADDRESS_AGENT, "/run/agent|||" },
		{ "exec:ssh -p 22 web 'sh'", ADDRESS_EXEC, "ssh -p 22 web 'sh'|||" },
		{ "local", ADDRESS_LOCAL, "|||" },
		{ "local:", ADDRESS_LOCAL, "|||" },
		{ "local:/srv/guest", ADDRESS_LOCAL, "/srv/guest|||" },
		{ "ssh:web", ADDRESS_SSH, "||web|" },
		{ "ssh:root@127.0.0.1:2222", ADDRESS_SSH, "|root|127.0.0.1|2222" },
		{ "ssh:a@b@[::1]", ADDRESS_SSH, "|a@b|::1|" },
	};
	struct address a;
	struct err err;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		check(!address_parse_channel(&a, rows[i].text, &err), "%s", rows[i].text);
		check(a.kind == rows[i].kind, "%s", rows[i].text);
		shows(&a, rows[i].text, rows[i].expected);
	}
}

static void what_is_no_address_is_refused_with_the_form_to_write(void **state)
{
	static const struct {
		const char *text, *message, *hint;
	} monitors[] = {
		{ "tcp:4444", "bad address '4444': not HOST:PORT", "" },
		{ "tcp::4444", "bad address ':4444': not HOST:PORT", "" },
		{ "tcp:h:", "bad address 'h:': not HOST:PORT", "" },
		{ "ssh://web", "bad address 'ssh://web'", "ssh://[USER@]HOST[:PORT]/PATH" },
		{ "ssh:///m", "bad address 'ssh:///m'", "ssh://[USER@]" },
		{ "ssh://web/", "bad address 'ssh://web/'", "ssh://[USER@]" },
		{ "ssh://-o/m", "bad address 'ssh://-o/m'", "ssh://[USER@]" },
		{ "ssh://web/a:b", "bad address 'ssh://web/a:b'", "without blanks" },
		{ "ssh://web:0/m", "bad address 'ssh://web:0/m'", "ssh://[USER@]" },
	}, channels[] = {
		{ "", "bad guest channel ''", "serial:PATH, ssh:" },
		{ "serial:", "bad guest channel 'serial:'", "serial:PATH, ssh:" },
		{ "qga", "bad guest channel 'qga'", "qga:PATH" },
		{ "exec:", "bad guest channel 'exec:'", "exec:COMMAND" },
		{ "ssh:", "bad guest channel 'ssh:'", "serial:PATH, ssh:" },
		{ "localhost", "bad guest channel 'localhost'", "local[:SYSROOT] or none" },
		{ "none:", "bad guest channel 'none:'", "or none" },
		{ "ssh:web:65536", "bad guest channel 'ssh:web:65536'", "write ssh:[USER@]" },
		{ "ssh:[::1", "bad guest channel 'ssh:[::1'", "write ssh:[USER@]" },
		{ "ssh:[]", "bad guest channel 'ssh:[]'", "write ssh:[USER@]" },
		{ "ssh:[::1]22", "bad guest channel 'ssh:[::1]22'", "write ssh:[USER@]" },
		{ "ssh:-oProxyCommand=x", "bad guest channel 'ssh:-oProxyCommand=x'", "write ssh:" },
		{ "ssh:a@-b", "bad guest channel 'ssh:a@-b'", "write ssh:" },
		{ "ssh:a@", "bad guest channel 'ssh:a@'", "write ssh:" },
		{ "ssh:`id`", "bad guest channel 'ssh:`id`'", "write ssh:" },
		{ "ssh://web/m", "bad guest channel 'ssh://web/m'", "write ssh:" },
	};
	struct address a;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(monitors); i++) {
		struct err err = { 0 };

		check(address_parse_monitor(&a, monitors[i].text, &err) == -1 &&
			      err.code == ERR_USAGE,
		      "%s", monitors[i].text);
		check(!strcmp(err.message, monitors[i].message), "%s", err.message);
		check(strstr(err.hint, monitors[i].hint) != NULL, "%s", err.hint);
	}
	for (i = 0; i < ARRAY_SIZE(channels); i++) {
		struct err err = { 0 };

		check(address_parse_channel(&a, channels[i].text, &err) == -1 &&
			      err.code == ERR_USAGE,
		      "%s", channels[i].text);
		check(!strcmp(err.message, channels[i].message), "%s", err.message);
		check(strstr(err.hint, channels[i].hint) != NULL, "%s", err.hint);
	}
}

/* QEMU's command line may name a range, a descriptor, or a port of any host. */
static void a_socket_is_the_same_however_it_is_written(void **state)
{
	static const struct {
		const char *one, *other;
		bool is_same;
	} rows[] = {
		{ "/m", "unix:/m", true },
		{ "@m", "unix:@m", true },
		{ "@m", "/m", false },
		{ "tcp:[::1]:4", "tcp:::1:4", true },
		{ "tcp:h:4", "tcp:h:5", false },
		{ "tcp:h:4-5", "tcp:h:4-6", false },
		{ "tcp:h:4-5", "tcp:h:4-5", true },
		{ "tcp::4", "tcp::04", true },
		{ "tcp:h:a", "tcp:h:b", false },
		{ "fd:3", "fd:03", true },
		{ "fd:3", "/m", false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct address one, other, copy;

		assert_true(address_of_listener(&one, xstrdup(rows[i].one)));
		assert_true(address_of_listener(&other, xstrdup(rows[i].other)));
		check(address_is_same(&one, &other) == rows[i].is_same, "%s", rows[i].one);
		copy = address_copy(&one);
		address_free(&one);
		check(address_is_same(&copy, &other) == rows[i].is_same, "%s", rows[i].one);
		address_free(&copy);
		address_free(&other);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(monitors_are_read_in_all_their_forms),
		cmocka_unit_test(channels_are_read_in_all_their_forms),
		cmocka_unit_test(what_is_no_address_is_refused_with_the_form_to_write),
		cmocka_unit_test(a_socket_is_the_same_however_it_is_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
