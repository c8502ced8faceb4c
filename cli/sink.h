/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * sink: stdout and stderr as streams that wait no longer than the deadline: a full pipe without a
 * reader, or a stopped terminal, takes nothing more.
 */
#ifndef CLI_SINK_H
#define CLI_SINK_H

#include <stdio.h>

#include "lib/deadline.h"

/* sink_stdout(), sink_stderr() - in the place of those of the C library */
FILE *sink_stdout(void);
FILE *sink_stderr(void);

/* sink_limit() - wait no longer than @d says, and end at its signals; borrowed until sink_finish()
 */
void sink_limit(struct deadline *d);

/*
 * sink_flush() - write out what stdout holds
 * @err:	ERR_TIMEOUT or ERR_INTERRUPTED when the reader takes too long, else ERR_FAILED
 * Return: 0, -1; after a failure always -1
 */
int sink_flush(struct err *err) __attribute__((warn_unused_result));

/* sink_finish() - write out what can be written; then nothing more is */
void sink_finish(void);

#endif
