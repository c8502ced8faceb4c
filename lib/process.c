/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A POSIX sh on the stdin and stdout of a child process. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/process.h"

#define PARTING_MS 500

/* In the child, between fork and exec: only async-signal-safe calls. */
static void become(char *const argv[], const int in[2], const int out[2], const int errors[2])
{
	sigset_t none;

	setsid();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGXFSZ, SIG_DFL);
	if (dup2(in[0], STDIN_FILENO) >= 0 && dup2(out[1], STDOUT_FILENO) >= 0 &&
	    dup2(errors[1], STDERR_FILENO) >= 0)
		execvp(argv[0], argv);
	dprintf(STDERR_FILENO, "%s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

static void close_pair(const int pair[2])
{
	close(pair[0]);
	close(pair[1]);
}

static int spawn(struct stream *w, struct process *p, char *const argv[], char *peer,
		 struct err *err)
{
	_cleanup_free_ char *name = peer;
	int in[2], out[2], errors[2];

	if (pipe2(in, O_CLOEXEC))
		return err_set(err, ERR_FAILED, "cannot make a pipe: %s", strerror(errno));
	if (pipe2(out, O_CLOEXEC)) {
		close_pair(in);
		return err_set(err, ERR_FAILED, "cannot make a pipe: %s", strerror(errno));
	}
	if (pipe2(errors, O_CLOEXEC | O_NONBLOCK)) {
		close_pair(in);
		close_pair(out);
		return err_set(err, ERR_FAILED, "cannot make a pipe: %s", strerror(errno));
	}
	p->pid = fork();
	if (!p->pid)
		become(argv, in, out, errors);
	close(in[0]);
	close(out[1]);
	close(errors[1]);
	if (p->pid < 0) {
		close(in[1]);
		close(out[0]);
		close(errors[0]);
		p->pid = 0;
		return err_set(err, ERR_FAILED, "cannot start '%s': %s", argv[0], strerror(errno));
	}
	p->stderr_fd = errors[0];
	stream_init(w, out[0], in[1], xstrdup(name), ERR_GUEST_UNREACHABLE);
	return 0;
}

int process_open_ssh(struct stream *w, struct process *p, const struct address *to,
		     char *const options[], const char *command, struct deadline *d,
		     struct err *err)
{
	_cleanup_free_ char *host =
		xasprintf("%.*s%s%.*s", to->user.len, to->user.at ? to->user.at : "",
			  to->user.at ? "@" : "", to->host.len, to->host.at);
	_cleanup_free_ char *port =
		to->port.at ? xstrndup(to->port.at, (size_t)to->port.len) : NULL;
	_cleanup_free_ char *timeout = NULL;
	int64_t left_ms = deadline_left_ms(d);
	char *argv[24];
	int argc = 0;

	timeout =
		xasprintf("-oConnectTimeout=%d", left_ms < 20000 ? (int)(left_ms / 1000) + 1 : 20);
	argv[argc++] = (char *)"ssh";
	argv[argc++] = (char *)"-T";
	argv[argc++] = (char *)"-oBatchMode=yes";
	argv[argc++] = timeout;
	for (; options && *options && argc < 16; options++)
		argv[argc++] = *options;
	if (port) {
		argv[argc++] = (char *)"-p";
		argv[argc++] = port;
	}
	argv[argc++] = (char *)"--";
	argv[argc++] = host;
	if (command)
		argv[argc++] = (char *)command;
	argv[argc] = NULL;
	if (spawn(w, p, argv, xasprintf("ssh connection to '%s'", host), err))
		return -1;
	p->by_hand = port ? xasprintf("ssh -p %s %s", port, host) : xasprintf("ssh %s", host);
	return 0;
}

int process_open_command(struct stream *w, struct process *p, const char *target, struct err *err)
{
	char *argv[] = { (char *)"/bin/sh", (char *)"-c", (char *)target, NULL };

	return spawn(w, p, argv, xasprintf("guest command '%s'", target), err);
}

int process_open_local(struct stream *w, struct process *p, const char *target, struct err *err)
{
	char *argv[] = { (char *)"sh", (char *)"-s", (char *)"--", (char *)target, NULL };

	return spawn(w, p, argv, xstrdup("local shell"), err);
}

int process_explain(const struct process *p, const struct stream *w, struct err *err)
{
	static const char key[] = "Host key verification failed";
	char text[4096];
	ssize_t n = p->pid ? read(p->stderr_fd, text, sizeof(text) - 1) : 0;
	char *line;

	if (n <= 0 || err->code == ERR_INTERRUPTED)
		return -1;
	text[n] = '\0';
	/* ssh prints that last, below a large warning if the key has changed */
	line = strstr(text, key);
	if (line && p->by_hand) {
		err_set(err, err->code, "the %s says: %s", w->peer, key);
		return err_hint(err, "check the host's key, and accept it once by hand: %s",
				p->by_hand);
	}
	line = strtok(text, "\r\n");
	return line ? err_set(err, err->code, "the %s says: %s", w->peer, line) : -1;
}

/* Wait for the child's end until @until_ms at most; false if it still runs. No such child counts as
 * ended: the pid belongs to another process then. */
static bool reaped(pid_t pid, int64_t until_ms)
{
	struct pollfd fd = { .fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN };
	int64_t left_ms = until_ms - monotonic_ms();

	if (fd.fd >= 0 && left_ms > 0)
		poll(&fd, 1, (int)left_ms);
	if (fd.fd >= 0)
		close(fd.fd);
	return waitpid(pid, NULL, WNOHANG) != 0;
}

/* Wait for the child's end, and read the rest of its output; true if it has ended. */
static bool parted(struct process *p, const struct stream *w)
{
	int64_t until_ms = monotonic_ms() + PARTING_MS;
	struct pollfd fd = { .fd = w->in_fd, .events = POLLIN };
	char bytes[4096];

	while (monotonic_ms() < until_ms) {
		if (poll(&fd, 1, PARTING_MS) > 0 && read(w->in_fd, bytes, sizeof(bytes)) <= 0)
			break;
	}
	return reaped(p->pid, until_ms);
}

void process_close(struct process *p, struct stream *w)
{
	if (!p->pid)
		return;
	if (w->out_fd >= 0) {
		close(w->out_fd);
		w->out_fd = -1;
	}
	/* a child of another user (sudo) cannot be killed: init inherits it */
	if (!parted(p, w) && !kill(-p->pid, SIGKILL))
		(void)reaped(p->pid, monotonic_ms() + PARTING_MS);
	close(p->stderr_fd);
	free(p->by_hand);
	*p = (struct process){ 0 };
}
