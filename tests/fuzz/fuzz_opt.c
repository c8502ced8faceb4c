/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The command line, one word per line, up to the point where a command would run. */
#include <string.h>

#include "fuzz.h"

/* The tables are memhp.c's own. */
int memhp_main(int argc, char **argv);
#define main memhp_main
#include "memhp.c"

#define WORDS_MAX 64

static void parse(int argc, char **argv)
{
	struct globals globals = { 0 };
	struct opt_target targets[] = { { .table = global_opts, .options = &globals }, { 0 } };
	_cleanup_free_ void *options = NULL;
	const struct cmd *cmd;
	struct err err = { 0 };
	int first = 0;

	if (opt_parse(targets, 1, argc, argv, true, &first, &err)) {
		seam_check(err.code == ERR_USAGE && err.message[0]);
		return;
	}
	seam_check(first >= 1 && first <= argc);
	cmd = first < argc ? cmd_find(cmds, argv[first]) : NULL;
	if (!cmd)
		return;
	argc -= first;
	argv += first;
	options = xcalloc(1, cmd->options_size + 1);
	targets[1] = (struct opt_target){ .table = cmd->opts, .options = options };
	if (!opt_parse(targets, 2, argc, argv, false, &first, &err))
		(void)!check_words(cmd, argc - first, argv + first, &err);
	wants_json(argc, argv);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = xstrndup((const char *)data, size);
	char *argv[WORDS_MAX + 1] = { (char *)"memhp" }, *rest = text;
	int argc = 1;

	while (argc < WORDS_MAX && (argv[argc] = strsep(&rest, "\n")))
		argc++;
	argv[argc] = NULL;
	parse(argc, argv);
	return 0;
}
