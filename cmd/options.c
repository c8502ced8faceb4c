/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which VM is meant, and what its profile says. */
#include <string.h>

#include "cmd/options.h"
#include "lib/text.h"

/* Is this setting of a profile for an option of this command? */
static bool takes_setting(const struct cmd *cmd, const char *key)
{
	const char *const *taken;

	for (taken = cmd->settings; taken && *taken; taken++)
		if (!strcmp(*taken, key))
			return true;
	return false;
}

/* Apply a profile's settings to options not given. In the shell the global ones are fixed. */
static int apply_profile(const struct ctx *ctx, struct opt_target *targets, const struct cmd *cmd,
			 const struct profile *profile, struct err *err)
{
	unsigned i;

	for (i = 0; i < profile->settings_count; i++) {
		const struct setting *s = &profile->settings[i];

		if ((!ctx->is_nested && opt_default(&targets[0], s->key, s->text, err)) ||
		    (takes_setting(cmd, s->key) && opt_default(&targets[1], s->key, s->text, err)))
			return err_wrap(err, "profile '%s'", profile->name);
	}
	return 0;
}

/* The name of a profile that @name may be a typo of. */
static const char *like_profile(const struct config *config, const char *name)
{
	struct nearest nearest = { .word = name };
	unsigned i;

	for (i = 0; i < config->count; i++)
		nearest_offer(&nearest, config->profiles[i].name);
	return nearest.best;
}

int options_resolve(struct ctx *ctx, struct opt_target targets[static 2], const struct cmd *cmd,
		    struct err *err)
{
	const struct globals *g = ctx->globals;
	const struct profile *profile;

	if (opt_is_typed(&targets[0], "vm")) {
		opt_forget(&targets[0], "qmp");
		opt_forget(&targets[0], "guest");
		opt_forget(&targets[0], "login");
	} else if (opt_is_typed(&targets[0], "qmp")) {
		opt_forget(&targets[0], "vm");
	}
	if (!g->vm)
		return 0;
	if (config_load(&ctx->config, err))
		return -1;
	profile = config_profile(&ctx->config, g->vm);
	if (profile)
		return apply_profile(ctx, targets, cmd, profile, err);
	if (g->qmp.kind)
		return err_set(err, ERR_USAGE,
			       "both a monitor and a running VM are named: '%s' and '%s'",
			       g->qmp.text, g->vm);
	ctx->vm.is_running_named = true;
	ctx->vm.like = like_profile(&ctx->config, g->vm);
	return 0;
}
