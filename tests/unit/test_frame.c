/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The lines that guest.sh answers with, intact and damaged. */
#include "unit.h"

#include "guest/frame.h"

#define ID "0123abcd"

/* Parse a copy of @line on the heap, so that a sanitizer detects an overrun. */
static bool parses(const char *line, struct frame *frame, char **copy)
{
	*copy = xstrdup(line);
	return frame_parse(*copy, ID, frame);
}

static void a_whole_frame_is_read(void **state)
{
	static const struct {
		const char *line;
		unsigned exchange, sequence;
		const char *payload;
	} rows[] = {
		{ "@" ID ".0 1 2 go 1 2 " ID "@", 0, 1, "go" },
		{ "@" ID ".12 34 3 end 34 3 " ID "@", 12, 34, "end" },
		{ "@" ID ".1 1 0  1 0 " ID "@", 1, 1, "" },
		{ "@" ID ".1 2 27 blocks 0 31 online 0 1 none 2 27 " ID "@", 1, 2,
		  "blocks 0 31 online 0 1 none" },
		{ "# @" ID ".1 1 3 end 1 3 " ID "@", 1, 1, "end" },
		{ "\033[1;32mroot\033[0m:~# @" ID ".1 1 3 end 1 3 " ID "@\r", 1, 1, "end" },
		{ "@" ID ".1 1 3 end 1 3 " ID "@[   12.5] usb 1-1: new device", 1, 1, "end" },
		{ "@" ID ".1 1 4 @ @  1 4 " ID "@", 1, 1, "@ @ " },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct frame frame = { 0 };
		_cleanup_free_ char *copy = NULL;

		check(parses(rows[i].line, &frame, &copy), "%s", rows[i].line);
		check(frame.exchange == rows[i].exchange && frame.sequence == rows[i].sequence,
		      "%s", rows[i].line);
		check(!strcmp(frame.payload, rows[i].payload), "%s: '%s'", rows[i].line,
		      frame.payload);
	}
}

static void the_last_frame_is_known(void **state)
{
	static const char *const is_last[] = { "@" ID "@", "# @" ID "@\r",
					       "@" ID "@[   12.5] usb 1-1: new device" };
	static const char *const is_not[] = { "",
					      "@" ID,
					      "@" ID ".0 1 2 go 1 2 " ID "@",
					      "echo @" ID "${MEMHP-}@",
					      "@0123abce@",
					      "@0123[   12.5] usb 1-1: new device",
					      "@" ID ID "@" };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(is_last); i++)
		check(frame_is_last(is_last[i], ID), "%s", is_last[i]);
	for (i = 0; i < ARRAY_SIZE(is_not); i++)
		check(!frame_is_last(is_not[i], ID), "%s", is_not[i]);
}

static void what_is_no_frame_is_refused(void **state)
{
	static const char *const lines[] = {
		"",
		"@",
		"@" ID,
		"@" ID ".",
		"@" ID ".1",
		"@" ID ".1 1 3 end",
		"@" ID ".1 1 3 end 1",
		"@" ID ".1 1 3 end 1 3",
		"@" ID ".1 1 3 end 1 3 " ID,
		"@" ID ".1 1 3 end " ID "@",
		"@" ID ".1 1 3 end  1 3 " ID "@", /* one byte more than the length says */
		"@" ID ".1 1 3 en 1 3 " ID "@",	  /* and one less */
		"@" ID ".1 1 4 end 1 4 " ID "@",
		"@" ID ".1 1 2 end 1 2 " ID "@",
		"@" ID ".1 1 3 end 2 3 " ID "@", /* the ends do not agree */
		"@" ID ".1 1 3 end 1 4 " ID "@",
		"@" ID ".1 1 3 end 11 3 " ID "@",
		"@" ID ".1 1 3 end 1 3 0123abce@",   /* ends as another session's */
		"@0123abce.1 1 3 end 1 3 0123abce@", /* another session's */
		"@0123abc.1 1 3 end 1 3 0123abc@",
		"@" ID ".1 1 end 1 " ID "@",
		"@" ID ".1  3 end  3 " ID "@",
		"@" ID ". 1 3 end 1 3 " ID "@",
		"@" ID ".-1 1 3 end 1 3 " ID "@",
		"@" ID ".1 +1 3 end +1 3 " ID "@",
		"@" ID ".1 1 0x3 end 1 0x3 " ID "@",
		"@" ID ".1 1 3e0 end 1 3e0 " ID "@",
		"@" ID ".1 1 -3 end 1 -3 " ID "@",
		"@" ID ".1\t1\t3\tend 1 3 " ID "@",
		"echo \"@$MEMHP.0 1 2 go 1 2 $MEMHP@\"", /* the echo of the line that starts a
							    session */
		/* numbers that are absurd, or overflow 32 or 64 bits to a valid one */
		"@" ID ".1 1 1000001 end 1 1000001 " ID "@",
		"@" ID ".1 1 4294967299 end 1 3 " ID "@",
		"@" ID ".1 1 18446744073709551619 end 1 3 " ID "@",
		"@" ID ".1 4294967297 3 end 1 3 " ID "@",
		"@" ID ".4294967297 1 3 end 1 3 " ID "@",
		"@" ID ".99999999999999999999999999 1 3 end 1 3 " ID "@",
		"@" ID ".1 1 18446744073709551615 end 1 18446744073709551615 " ID "@",
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(lines); i++) {
		struct frame frame;
		_cleanup_free_ char *copy = NULL;

		check(!parses(lines[i], &frame, &copy), "%s", lines[i]);
	}
}

static void an_id_of_the_wrong_length_matches_nothing(void **state)
{
	static const char *const ids[] = { "", "0123abc", "0123abcd0" };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(ids); i++) {
		_cleanup_free_ char *line = xasprintf("@%s.1 1 3 end 1 3 %s@", ids[i], ids[i]);
		struct frame frame;

		check(!frame_parse(line, ids[i], &frame), "'%s'", ids[i]);
	}
}

/* As guest.sh prints it. */
static char *frame_of(unsigned exchange, unsigned sequence, const char *payload)
{
	return xasprintf("@" ID ".%u %u %zu %s %u %zu " ID "@", exchange, sequence, strlen(payload),
			 payload, sequence, strlen(payload));
}

static void a_frame_cut_anywhere_is_refused(void **state)
{
	_cleanup_free_ char *line = frame_of(12, 34, "blocks 1 3 online - 1 none");
	size_t len;

	(void)state;
	for (len = 0; len < strlen(line); len++) {
		_cleanup_free_ char *cut = xstrndup(line, len);
		_cleanup_free_ char *rest = xstrdup(line + strlen(line) - len);
		struct frame frame;

		check(!frame_parse(cut, ID, &frame), "the first %zu bytes", len);
		check(!frame_parse(rest, ID, &frame), "the last %zu bytes", len);
	}
}

/*
 * With @text inserted at any place the frame is refused or unchanged. Only the exchange may differ:
 * no wait is for that exchange.
 */
static void survives(const char *text, unsigned exchange, unsigned sequence, const char *payload)
{
	_cleanup_free_ char *line = frame_of(exchange, sequence, payload);
	size_t at;

	for (at = 0; at <= strlen(line); at++) {
		_cleanup_free_ char *damaged =
			xasprintf("%.*s%s%s", (int)at, line, text, line + at);
		_cleanup_free_ char *shown = xstrdup(damaged);
		struct frame frame;
		bool is_whole = frame_parse(damaged, ID, &frame);

		/* before and after it, text without our id does no harm */
		check(is_whole || (at && at < strlen(line)) || strchr(text, '@'), "%s", shown);
		check(!is_whole || (frame.sequence == sequence && !strcmp(frame.payload, payload)),
		      "%s, which reads %u %u '%s'", shown, frame.exchange, frame.sequence,
		      frame.payload);
	}
}

static void a_kernel_message_in_a_frame_never_changes_it(void **state)
{
	static const char *const texts[] = {
		"[   12.345678] usb 1-1: new high-speed USB device number 2 using xhci_hcd",
		"[    0.1] ",
		"random: crng init done",
		"Offlined Pages 32768",
		"\r",
		"\t",
		" ",
		"  ",
		"@",
		".",
		"x",
		"-",
		"\033[0m",
		"\007",
		"\xc3\xa9",
		ID,
		"@" ID,
		ID "@",
		"@" ID ".",
		" " ID "@",
		"@" ID ".1 1 3 ",
		"root@guest:~# ",
		"^C",
		"> ",
		"0 KiB",
		"-1 ",
		"+",
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(texts); i++) {
		survives(texts[i], 12, 34, "blocks 1 3 online - 1 none");
		survives(texts[i], 3, 1, "end");
	}
}

static void digits_in_a_frame_never_change_it(void **state)
{
	static const char *const texts[] = { "0",  "1",	  "9",	 "12",	"1 ",
					     " 1", "1 1", " 1 ", "3 3", "20 " };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(texts); i++) {
		survives(texts[i], 12, 34, "blocks 1 3 online - 1 none");
		survives(texts[i], 3, 1, "end");
	}
}

/* A number and as many bytes of text, before the length and between its digits. */
static void text_that_counts_itself_never_changes_a_frame(void **state)
{
	unsigned length;

	(void)state;
	for (length = 0; length < 60; length++) {
		_cleanup_free_ char *in_front = xasprintf("%u abc ", length);
		_cleanup_free_ char *across = xasprintf("%u ab", length % 10);

		survives(in_front, 3, 1, "blocks 1 3 online -");
		survives(across, 3, 1, "blocks 1 3 online -");
		survives(across, 3, 1, "blocks 1 3 o");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_frame_is_read),
		cmocka_unit_test(the_last_frame_is_known),
		cmocka_unit_test(what_is_no_frame_is_refused),
		cmocka_unit_test(an_id_of_the_wrong_length_matches_nothing),
		cmocka_unit_test(a_frame_cut_anywhere_is_refused),
		cmocka_unit_test(a_kernel_message_in_a_frame_never_changes_it),
		cmocka_unit_test(digits_in_a_frame_never_change_it),
		cmocka_unit_test(text_that_counts_itself_never_changes_a_frame),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
