/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * sink: stdout and stderr as streams that wait no longer than the deadline, as a full pipe without
 * a reader or a stopped terminal accepts nothing more.
 */
#ifndef CLI_SINK_H
#define CLI_SINK_H

#include <stdio.h>

#include "lib/deadline.h"

/* sink_stdout(), sink_stderr() - replace those of the C library */
FILE *sink_stdout(void);
FILE *sink_stderr(void);

/* sink_limit() - wait no longer than @d, and end at its signals; borrowed until sink_finish() */
void sink_limit(struct deadline *d);

/*
 * sink_flush() - write out stdout's buffer
 * @err:	ERR_TIMEOUT or ERR_INTERRUPTED if the reader takes too long, else ERR_FAILED
 * Return: 0 or -1; after a failure always -1
 */
int sink_flush(struct err *err) __attribute__((warn_unused_result));

/* sink_finish() - write out as much as possible; nothing is written after that */
void sink_finish(void);

#endif
