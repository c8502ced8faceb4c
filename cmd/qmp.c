/* SPDX-License-Identifier: GPL-3.0-or-later */
/* memhp qmp */
#include <string.h>

#include "cmd/report.h"

/* A value is JSON if it parses as JSON (12, true, {"a": 1}), else a string. */
static struct json_object *value_of(const char *text)
{
	struct json_tokener *tokener = json_tokener_new_ex(64);
	struct json_object *value;

	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	/* with the final NUL: without it a number may be incomplete */
	value = json_tokener_parse_ex(tokener, text, (int)strlen(text) + 1);
	if (json_tokener_get_error(tokener) != json_tokener_success)
		value = json_object_new_string(text);
	json_tokener_free(tokener);
	return value;
}

static int arguments_of(int argc, char **argv, struct json_object **arguments, struct err *err)
{
	int i;

	*arguments = argc ? json_object_new_object() : NULL;
	for (i = 0; i < argc; i++) {
		const char *equals = strchr(argv[i], '=');
		_cleanup_free_ char *key =
			equals ? xstrndup(argv[i], (size_t)(equals - argv[i])) : NULL;

		if (!equals || equals == argv[i]) {
			json_object_put(*arguments);
			err_set(err, ERR_USAGE, "bad argument '%s': not KEY=VALUE", argv[i]);
			return err_hint(
				err, "a value that parses as JSON is JSON, any other is a string");
		}
		json_object_object_add(*arguments, key, value_of(equals + 1));
	}
	return 0;
}

static int run(struct ctx *ctx, void *options, int argc, char **argv, struct err *err)
{
	_cleanup_json_ struct json_object *reply = NULL;
	struct json_object *arguments;

	(void)options;
	if (arguments_of(argc - 1, argv + 1, &arguments, err))
		return -1;
	if (ctx->globals->is_dry_run) {
		reply = qmp_request(argv[0], arguments);
	} else if (vm_open_qmp(&ctx->vm, err)) {
		json_object_put(arguments);
		return -1;
	} else if (qmp_execute(ctx->vm.qmp, argv[0], arguments, &reply, err)) {
		return err_wrap(err, "'%s'", argv[0]);
	}
	if (ctx->globals->is_json && ctx->globals->is_dry_run) {
		struct json_object *plan = json_object_new_array(),
				   *line = json_object_new_object();

		json_object_object_add(line, "qmp", json_object_get(reply));
		json_object_array_add(plan, line);
		json_object_object_add(ctx->result, "plan", plan);
		out_json(ctx->result);
	} else if (ctx->globals->is_json) {
		json_object_object_add(ctx->result, "return", json_object_get(reply));
		out_json(ctx->result);
	} else {
		out_json(reply);
	}
	return out_flush(err);
}

const struct cmd cmd_qmp = {
	.name = "qmp",
	.args = "COMMAND [KEY=VALUE]...",
	.summary = "send one raw QMP command, print the reply as JSON",
	.details = "  memhp qmp query-memory-devices\n"
		   "  memhp qmp qom-get path=/machine property=memory\n",
	.args_min = 1,
	.args_max = -1,
	.run = run,
};
