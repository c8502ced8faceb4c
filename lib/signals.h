/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * signals: what memhp was started with of signals, and which of them end a wait. Must never: wait.
 */
#ifndef LIB_SIGNALS_H
#define LIB_SIGNALS_H

#include "lib/err.h"

/*
 * signals_reset() - before anything is started: children that end are to be waited for. Where
 * SIGCHLD is ignored, which a parent can leave behind, their pids are free at once (waitpid(2)),
 * and a kill that was meant for one would hit the process that has the number by then.
 */
void signals_reset(void);

/*
 * signals_open() - SIGINT, SIGTERM and SIGHUP end waits, not the process: there may be something to
 * undo. Those that were ignored from the start, as nohup(1) has it, are left so.
 * Return: a signalfd(2), which the caller closes; -1 with @err
 */
int signals_open(struct err *err) __attribute__((warn_unused_result));

#endif
