/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The signal state that memhp inherits, and the signals that end a wait. */
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
	/* the whole mask: signals that the parent blocked are unblocked */
	sigprocmask(SIG_SETMASK, &set, NULL);
	/* a failed write returns an error, and unreported work is undone */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return err_set(err, ERR_FAILED, "cannot watch for signals: %s", strerror(errno));
	return fd;
}
