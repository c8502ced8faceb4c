/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * signals: the signal state that memhp inherits, and the signals that end a wait. Must never: wait.
 */
#ifndef LIB_SIGNALS_H
#define LIB_SIGNALS_H

#include "lib/err.h"

/*
 * signals_reset() - call before starting anything: makes sure that children can be waited for. If
 * SIGCHLD is ignored, which a process can inherit, their pids are free at once (waitpid(2)), and a
 * kill meant for a child would hit the next process with that pid.
 */
void signals_reset(void);

/*
 * signals_open() - SIGINT, SIGTERM and SIGHUP end waits, not the process: there may be work to
 * undo. Signals that were ignored at the start, as by nohup(1), stay ignored. Return: a
 * signalfd(2), which the caller closes; -1 with @err
 */
int signals_open(struct err *err) __attribute__((warn_unused_result));

#endif
