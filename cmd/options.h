/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * options: which VM --vm means, and its profile's settings as defaults of options. Must never:
 * connect.
 */
#ifndef CMD_OPTIONS_H
#define CMD_OPTIONS_H

#include "cmd/report.h"

/*
 * options_resolve() - decide which VM a command line means: typed options take precedence over the
 * environment, and a profile supplies what was not given
 * @targets:	the global options, and those of @cmd
 * Return: 0 with the options and ctx->vm filled in; -1 with ERR_USAGE
 */
int options_resolve(struct ctx *ctx, struct opt_target targets[static 2], const struct cmd *cmd,
		    struct err *err) __attribute__((warn_unused_result));

#endif
