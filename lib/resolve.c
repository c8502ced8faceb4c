/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The addresses of a host. getaddrinfo(3) has no deadline and ignores Ctrl-C, so a child calls it
 * if it may have to ask a name server. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/resolve.h"

/* The child's report: a pipe passes it in one piece. */
struct report {
	int status; /* of getaddrinfo(3) */
	struct addresses addresses;
};

static void look_up(const char *host, const char *port, int flags, struct report *report)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = flags }, *list, *ai;

	report->status = getaddrinfo(host, port, &hints, &list);
	if (report->status)
		return;
	for (ai = list; ai && report->addresses.count < RESOLVE_MAX; ai = ai->ai_next) {
		unsigned i = report->addresses.count++;

		memcpy(&report->addresses.list[i].name, ai->ai_addr, ai->ai_addrlen);
		report->addresses.list[i].len = ai->ai_addrlen;
	}
	freeaddrinfo(list);
}

/* Start the child; returns the descriptor to read its report from, or -1. */
static int start(const char *host, const char *port, pid_t *child, struct err *err)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC))
		return err_set(err, ERR_FAILED, "cannot make a pipe: %s", strerror(errno));
	*child = fork();
	if (!*child) {
		struct report report = { 0 };

		prctl(PR_SET_PDEATHSIG, SIGKILL); /* useless once memhp is killed */
		look_up(host, port, 0, &report);
		_exit(write(fds[1], &report, sizeof(report)) != (ssize_t)sizeof(report));
	}
	close(fds[1]);
	if (*child > 0)
		return fds[0];
	close(fds[0]);
	return err_set(err, ERR_FAILED, "cannot look up '%s': %s", host, strerror(errno));
}

/* Let a child look up the name, within the deadline. */
static int ask_child(const char *host, const char *port, struct report *report, enum err_code code,
		     struct deadline *d, struct err *err)
{
	struct pollfd fd = { .events = POLLIN };
	pid_t child = 0;
	int status;

	fd.fd = start(host, port, &child, err);
	if (fd.fd < 0)
		return -1;
	status = deadline_poll(d, &fd, 1, DEADLINE_NEVER, err);
	if (status < 0 && err->code == ERR_TIMEOUT)
		err_set(err, code, "no name server answers for '%s'", host);
	if (status > 0 && read(fd.fd, report, sizeof(*report)) != (ssize_t)sizeof(*report))
		report->status = EAI_FAIL;
	close(fd.fd);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	return status < 0 ? -1 : 0;
}

int resolve(const char *host, const char *port, struct addresses *out, enum err_code code,
	    struct deadline *d, struct err *err)
{
	struct report report = { 0 };

	look_up(host, port, AI_NUMERICHOST, &report);
	if (report.status == EAI_NONAME && ask_child(host, port, &report, code, d, err))
		return -1;
	if (report.status)
		return err_set(err, code, "cannot look up '%s': %s", host,
			       gai_strerror(report.status));
	*out = report.addresses;
	return 0;
}
