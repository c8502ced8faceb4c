/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the last line on a console waits for. */
#include "unit.h"

#include "guest/screen.h"

#define KERNEL "[   12.345678] usb 1-1: new high-speed USB device number 2 using xhci_hcd\r\n"

static const struct row {
	const char *text;
	enum console_wait wait;
} rows[] = {
	{ "", CONSOLE_NOTHING },
	{ "\r\n\r\n", CONSOLE_NOTHING },
	{ "root\r\n", CONSOLE_NOTHING },
	{ "\r\nDebian GNU/Linux 12 guest ttyS0\r\n\r\nguest login: ", CONSOLE_NAME },
	{ "guest login:", CONSOLE_NAME },
	{ "login: ", CONSOLE_NAME },
	{ "LOGIN: ", CONSOLE_NAME },
	{ "\033[1mguest login:\033[0m ", CONSOLE_NAME },
	{ "guest login: root\b \b\b \b\b \b\b \b", CONSOLE_TEXT },
	{ "guest login: root", CONSOLE_TEXT },
	{ "guest login: root\r\n", CONSOLE_NOTHING },
	{ "Last login: ", CONSOLE_TEXT },
	{ "Last failed login: ", CONSOLE_TEXT },
	{ "Last login: Wed Nov 25 11:00:00 UTC 2026 on ttyS0\r\n", CONSOLE_NOTHING },
	{ "Password: ", CONSOLE_PASSWORD },
	{ "Password:", CONSOLE_PASSWORD },
	{ "password: ", CONSOLE_PASSWORD },
	{ "root's Password: ", CONSOLE_PASSWORD },
	{ "Password for root: ", CONSOLE_PASSWORD },
	{ "Password: \r\n", CONSOLE_NOTHING },
	{ "Password: none is asked for here", CONSOLE_TEXT },
	{ "Pass", CONSOLE_TEXT },
	{ "New password: ", CONSOLE_CHANGE },
	{ "Current password: ", CONSOLE_CHANGE },
	{ "(current) UNIX password: ", CONSOLE_CHANGE },
	{ "Retype new password: ", CONSOLE_CHANGE },
	{ "~ # ", CONSOLE_SHELL },
	{ "~ # \033[6n", CONSOLE_SHELL },
	{ "\033[?2004h\033]0;root@guest\a\033[1;32mroot@guest\033[0m:\033[34m~\033[0m# ", CONSOLE_SHELL },
	{ "[root@host ~]# ", CONSOLE_SHELL },
	{ "admin@guest:~$ ", CONSOLE_SHELL },
	{ "guest% ", CONSOLE_SHELL },
	{ "~> ", CONSOLE_SHELL },
	{ "one\r\ntwo # ", CONSOLE_SHELL },
	{ "\xe2\x9d\xaf ", CONSOLE_TEXT },
	{ "Verification code: ", CONSOLE_TEXT },
	/* kernel messages */
	{ KERNEL, CONSOLE_NOTHING },
	{ "guest login: " KERNEL, CONSOLE_NAME },
	{ "guest login: \r\n" KERNEL, CONSOLE_NAME },
	{ "guest lo" KERNEL "gin: ", CONSOLE_NAME },
	{ "Pass" KERNEL KERNEL "word: ", CONSOLE_PASSWORD },
	{ "Password: " KERNEL, CONSOLE_PASSWORD },
	{ "Password: [   12.345678] usb 1-1: new", CONSOLE_NOTHING },
	{ "Password: [   12.3", CONSOLE_NOTHING },
	{ "~ # " KERNEL, CONSOLE_SHELL },
	{ "root\r\n" KERNEL, CONSOLE_NOTHING },
	{ "[   12.345678] Password: ", CONSOLE_NOTHING },
};

static void the_last_line_is_known(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t len = strlen(rows[i].text);
		/* a copy without a NUL, so that a sanitizer detects an overrun */
		_cleanup_free_ char *copy = xcalloc(1, len + !len);

		memcpy(copy, rows[i].text, len);
		check(console_wait(copy, len) == rows[i].wait, "%s: %d", rows[i].text,
		      (int)console_wait(copy, len));
	}
}

static void a_long_text_is_looked_at_from_its_end(void **state)
{
	static const char prompt[] = "\r\nguest login: ";
	_cleanup_buf_ struct buf text = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < 100000; i++)
		buf_addf(&text, "%s", i % 80 ? "x" : "\n");
	assert_int_equal(console_wait(text.data, text.len), CONSOLE_TEXT);
	buf_add(&text, prompt, sizeof(prompt) - 1);
	assert_int_equal(console_wait(text.data, text.len), CONSOLE_NAME);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_line_is_known),
		cmocka_unit_test(a_long_text_is_looked_at_from_its_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
