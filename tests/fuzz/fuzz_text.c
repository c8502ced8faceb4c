/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any text printed to a terminal: as text, in a table, in JSON. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/out.h"
#include "fuzz.h"
#include "lib/text.h"

/* Check that nothing in @text controls a terminal, except line ends. */
static void check_harmless(const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		seam_check((c >= 0x20 && c != 0x7f) || c == '\n');
		seam_check(c != 0xc2 || (unsigned char)text[1] >= 0xa0);
	}
}

static void check_json(const char *output, const char *text)
{
	struct json_tokener *tokener = json_tokener_new();
	struct json_object *object;
	_cleanup_free_ char *plain = xstrdup(text);
	const char *value = "";

	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	object = json_tokener_parse_ex(tokener, output, (int)strlen(output));
	seam_check(json_tokener_get_error(tokener) == json_tokener_success);
	seam_check(json_get_string(object, "text", &value));
	printable(plain);
	if (!strcmp(plain, text))
		seam_check(!strcmp(value, text));
	json_object_put(object);
	json_tokener_free(tokener);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = xstrndup((const char *)data, size);
	_cleanup_json_ struct json_object *object = json_object_new_object();
	struct out_table table = { .columns = 2 };
	FILE *terminal = stdout;
	char *output;
	size_t len;

	stdout = open_memstream(&output, &len);
	json_add_string(object, "text", text);
	out_json(object);
	fflush(stdout);
	check_harmless(output);
	check_json(output, text);
	out_printf("%s\n", text);
	out_table_cell(&table, text);
	out_table_cell(&table, "x");
	out_table_finish(&table, true);
	fclose(stdout);
	stdout = terminal;
	check_harmless(output);
	free(output);
	return 0;
}
