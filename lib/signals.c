/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What memhp was started with of signals, and which of them end a wait. */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/signalfd.h>

#include "lib/signals.h"
#include "lib/util.h"

void signals_reset(void)
{
	signal(SIGCHLD, SIG_DFL);
}

static bool is_ignored(int number)
{
	struct sigaction action;

	return !sigaction(number, NULL, &action) && action.sa_handler == SIG_IGN;
}

int signals_open(struct err *err)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
	sigset_t set;
	size_t i;
	int fd;

	sigemptyset(&set);
	for (i = 0; i < ARRAY_SIZE(numbers); i++)
		if (!is_ignored(numbers[i]))
			sigaddset(&set, numbers[i]);
	/* the whole mask: what a parent has blocked is not blocked here */
	sigprocmask(SIG_SETMASK, &set, NULL);
	/* a write that fails says so, and what cannot be reported is undone */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return err_set(err, ERR_FAILED, "cannot watch for signals: %s", strerror(errno));
	return fd;
}
