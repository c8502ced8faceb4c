/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Profiles, from files with any content. */
#include "unit.h"

#include <stdlib.h>

#include "vm/config.h"

/* One file with the @len bytes of @text. */
static int parse_bytes(struct config *config, const char *text, size_t len, struct err *err)
{
	char *bytes = xcalloc(len + 1, 1);

	memcpy(bytes, text, len);
	*err = (struct err){ 0 };
	return config_parse(config, "/etc/c", bytes, len, err);
}

static int parse(struct config *config, const char *text, struct err *err)
{
	return parse_bytes(config, text, strlen(text), err);
}

static void profiles_are_read(void **state)
{
	static const char text[] = "# VMs of mine\n"
				   "\n"
				   "[vm web]\n"
				   "qmp = /run/web.qmp\n"
				   "\tguest=ssh:root@web   # over the network\n"
				   "timeout = 0.5\n"
				   "zone = movable\n"
				   "dimm = 1G\n"
				   "  # indented\n"
				   "  [vm  web server 2 ]  # blanks\n"
				   "guest = exec:ssh -p 22 web 'sh -c \"a=b\"'\n"
				   "qmp = /run/a#b=c.qmp\n"
				   "[vm empty]";
	struct config config = { 0 };
	const struct profile *p;
	struct err err;

	(void)state;
	assert_int_equal(parse(&config, text, &err), 0);
	assert_int_equal(config.count, 3);
	p = config_profile(&config, "web");
	assert_string_equal(profile_get(p, "qmp"), "/run/web.qmp");
	assert_string_equal(profile_get(p, "guest"), "ssh:root@web");
	assert_string_equal(profile_get(p, "timeout"), "0.5");
	assert_string_equal(profile_get(p, "zone"), "movable");
	assert_string_equal(profile_get(p, "dimm"), "1G");
	assert_string_equal(p->path, "/etc/c");
	p = config_profile(&config, "web server 2");
	assert_string_equal(profile_get(p, "guest"), "exec:ssh -p 22 web 'sh -c \"a=b\"'");
	assert_string_equal(profile_get(p, "qmp"), "/run/a#b=c.qmp");
	assert_null(profile_get(p, "zone"));
	assert_int_equal(config_profile(&config, "empty")->settings_count, 0);
	assert_null(config_profile(&config, "we"));
	assert_null(config_profile(&config, ""));
	config_free(&config);
	assert_int_equal(config.count, 0);
}

static void nothing_is_a_file_too(void **state)
{
	static const char *const texts[] = { "", "\n", "\n\n\n", "# x", "#\n \t\n#" };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(texts); i++) {
		struct config config = { 0 };
		struct err err;

		check(!parse(&config, texts[i], &err) && !config.count, "'%s'", texts[i]);
		config_free(&config);
	}
}

static void mistakes_are_named_with_file_and_line(void **state)
{
	static const struct {
		const char *text;
		unsigned line;
		const char *what, *hint;
	} rows[] = {
		{ "qmp = /m", 1, "before the first", "memhp.conf(5)" },
		{ "[vm a]\nqpm = /m", 2, "unknown key 'qpm'", "did you mean 'qmp'?" },
		{ "[vm a]\ncolour = red", 2, "unknown key 'colour'",
		  "qmp, guest, login, password-file, timeout, zone, dimm" },
		{ "[vm a]\nQMP = /m", 2, "unknown key 'QMP'", "" },
		{ "[vm a]\n\nqmp /m", 3, "'qmp /m'", "memhp.conf(5)" },
		{ "[vm a]\nqmp =", 2, "no value for 'qmp'", "" },
		{ "[vm a]\nqmp = tcp:4444", 2, "bad address '4444': not HOST:PORT", "" },
		{ "[vm a]\nguest = ssh:", 2, "bad guest channel 'ssh:'", "serial:PATH" },
		{ "[vm a]\nqmp = # none", 2, "no value for 'qmp'", "" },
		{ "[vm a]\n= /m", 2, "unknown key ''", "" },
		{ "[vm a]\n=", 2, "unknown key ''", "" },
		{ "[vm a]\nqmp = /m\nqmp = /n", 3, "a second 'qmp'", "" },
		{ "[vm a]\n[vm b]\n[vm a]", 3, "a second section", "" },
		{ "[vm a]\nlogin = a b", 2, "'a b'", "" },
		{ "[vm a]\ntimeout = soon", 2, "'soon'", "" },
		{ "[vm a]\ntimeout = 10 s", 2, "'10 s'", "" },
		{ "[vm a]\nzone = dma", 2, "auto, movable or kernel", "" },
		{ "[vm a]\ndimm = 512", 2, "'512'", "" },
		{ "[vm a]\ndimm = -1G", 2, "'-1G'", "" },
		{ "[vm]", 1, "no name", "" },
		{ "[vm ]", 1, "no name", "" },
		{ "[]", 1, "unknown section '[]'", "[vm NAME]" },
		{ "[", 1, "unknown section '['", "[vm NAME]" },
		{ "[vm a", 1, "unknown section", "[vm NAME]" },
		{ "[host a]", 1, "unknown section '[host a]'", "[vm NAME]" },
		{ "[vmx a]", 1, "unknown section", "" },
		{ "[vm a] qmp = /m", 1, "unknown section", "" },
		{ "[vm a]\r\n", 1, "control character (0x0d)", "" },
		{ "[vm \033[31m]", 1, "control character (0x1b)", "" },
		{ "[vm a]\nqmp = /\x7f", 2, "control character (0x7f)", "" },
		{ "]", 1, "neither", "" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *where =
			xasprintf("bad config '/etc/c' line %u: ", rows[i].line);
		struct config config = { 0 };
		struct err err;

		check(parse(&config, rows[i].text, &err) == -1, "'%s'", rows[i].text);
		check(err.code == ERR_USAGE && !strncmp(err.message, where, strlen(where)),
		      "'%s': %s", rows[i].text, err.message);
		check(strstr(err.message, rows[i].what), "'%s': %s", rows[i].text, err.message);
		check(strstr(err.hint, rows[i].hint), "'%s': %s", rows[i].text, err.hint);
		config_free(&config);
	}
}

static void bytes_that_are_no_text_are_refused(void **state)
{
	static const char nul[] = "[vm a]\nqmp = /m\0/n\n";
	struct config config = { 0 };
	char line[1100];
	struct err err;

	(void)state;
	assert_int_equal(parse_bytes(&config, nul, sizeof(nul) - 1, &err), -1);
	assert_non_null(strstr(err.message, "line 2: a control character (0x00)"));
	config_free(&config);
	memset(line, '#', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	assert_int_equal(parse(&config, line, &err), -1);
	assert_non_null(strstr(err.message, "line 1: more than 1024 bytes"));
	config_free(&config);
	line[1024] = '\0';
	assert_int_equal(parse(&config, line, &err), 0);
	config_free(&config);
}

/* Every prefix of a file, at the end of its memory (SAN=1). */
static void a_file_that_ends_early_is_read_to_its_end(void **state)
{
	static const char text[] = "# c\n[vm a] # b\nqmp = /m # x\n[vm b]\ntimeout = 1\ndimm=2G\n";
	size_t len;

	(void)state;
	for (len = 0; len < sizeof(text); len++) {
		struct config config = { 0 };
		struct err err;

		(void)!parse_bytes(&config, text, len, &err);
		config_free(&config);
	}
}

static void the_first_file_comes_before_the_second(void **state)
{
	struct config config = { 0 };
	struct err err;

	(void)state;
	assert_int_equal(parse(&config, "[vm a]\nqmp = /1\n[vm b]", &err), 0);
	assert_int_equal(parse(&config, "[vm c]\n[vm a]\nqmp = /2\ndimm = 1G\n", &err), 0);
	assert_int_equal(config.count, 4);
	assert_string_equal(profile_get(config_profile(&config, "a"), "qmp"), "/1");
	assert_null(profile_get(config_profile(&config, "a"), "dimm"));
	config_free(&config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(profiles_are_read),
		cmocka_unit_test(nothing_is_a_file_too),
		cmocka_unit_test(mistakes_are_named_with_file_and_line),
		cmocka_unit_test(bytes_that_are_no_text_are_refused),
		cmocka_unit_test(a_file_that_ends_early_is_read_to_its_end),
		cmocka_unit_test(the_first_file_comes_before_the_second),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
