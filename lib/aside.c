/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Questions whose answer other processes can delay, asked by a child process. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/aside.h"
#include "lib/pass.h"

/* How long an answer may take. Each missing answer halves it: even a user with many such processes
 * cannot delay memhp for long. */
#define PATIENCE_MS	2000
#define PATIENCE_MIN_MS 50

#define QUESTION_MAX (64 << 10)

/* The header of a question and of an answer. */
struct head {
	aside_fn *ask;
	size_t len;
	int error; /* of an answer */
};

static struct {
	struct deadline *clock;
	int64_t patience_ms;
	pid_t of;    /* the child's parent: not a process forked from it since */
	pid_t child; /* 0: none */
	pid_t stuck; /* a killed child that may not have ended yet */
	int fd;	     /* to the child; valid with child */
	bool is_child;
} aside = { .patience_ms = PATIENCE_MS };

struct deadline *aside_limit(struct deadline *d)
{
	struct deadline *before = aside.clock;

	aside.clock = d;
	aside.patience_ms = PATIENCE_MS;
	return before;
}

static bool read_whole(int from, int *fd, void *bytes, size_t len)
{
	ssize_t n = pass_receive(from, fd, bytes, len);
	size_t have = n > 0 ? (size_t)n : 0;

	while (n > 0 && have < len) {
		n = recv(from, (char *)bytes + have, len - have, 0);
		have += n > 0 ? (size_t)n : 0;
	}
	return have == len;
}

/* Close all other descriptors: a child that cannot end must not hold them open. */
static void keep_only(int fd)
{
	int i, most = (int)sysconf(_SC_OPEN_MAX);

	dup2(fd, STDIN_FILENO);
	if (!syscall(SYS_close_range, STDERR_FILENO, ~0U, 0)) {
		close(STDOUT_FILENO);
		return;
	}
	for (i = STDOUT_FILENO; i < most; i++)
		close(i);
}

static void answer_all(void)
{
	struct head head = { 0 };
	int fd;

	while (read_whole(STDIN_FILENO, &fd, &head, sizeof(head)) && head.len <= QUESTION_MAX) {
		_cleanup_buf_ struct buf answer = { 0 };
		char *question = xcalloc(head.len + 1, 1);
		int none, result;

		if (head.len && !read_whole(STDIN_FILENO, &none, question, head.len))
			break;
		errno = 0;
		result = head.ask(fd, question, &answer);
		head.error = result < 0 ? errno : 0;
		head.len = answer.len;
		if (pass_send(STDIN_FILENO, result, &head, sizeof(head)) ||
		    pass_send(STDIN_FILENO, -1, answer.data, answer.len))
			break;
		free(question);
		if (fd >= 0)
			close(fd);
		if (result >= 0)
			close(result);
	}
	_exit(0);
}

static bool start(void)
{
	int pair[2];

	if (aside.stuck > 0 && waitpid(aside.stuck, NULL, WNOHANG))
		aside.stuck = 0;
	if (aside.child && aside.of == getpid())
		return true;
	if (aside.child)
		close(aside.fd);
	aside.child = 0;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return false;
	aside.of = getpid();
	aside.child = fork();
	if (!aside.child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		aside.is_child = true;
		keep_only(pair[1]);
		answer_all();
	}
	close(pair[1]);
	aside.fd = pair[0];
	if (aside.child > 0)
		return true;
	close(pair[0]);
	aside.child = 0;
	return false;
}

/* Kill the child without waiting for it: it may block for ever. */
static int give_up(void)
{
	kill(aside.child, SIGKILL);
	close(aside.fd);
	aside.stuck = aside.child;
	aside.child = 0;
	if (aside.patience_ms > PATIENCE_MIN_MS)
		aside.patience_ms /= 2;
	errno = ETIMEDOUT;
	return -1;
}

/* Wait until there is something to read; false if it takes too long. */
static bool wait_for_answer(void)
{
	struct pollfd pollfd = { .fd = aside.fd, .events = POLLIN };
	struct deadline own = { 0 }, outer, *d = aside.clock ? aside.clock : &own;
	int64_t left_ms, patience_ms = aside.patience_ms;
	struct err ignored;
	int ready;

	deadline_init(&own, 0, -1);
	left_ms = deadline_left_ms(d);
	if (left_ms / 2 < patience_ms)
		patience_ms = left_ms / 2;
	outer = deadline_push(d, 0); /* without the other watches of a wait */
	ready = deadline_poll(d, &pollfd, 1, monotonic_ms() + patience_ms, &ignored);
	deadline_pop(d, outer);
	return ready > 0;
}

/* An answer comes more or less in one piece: the child writes it when it is complete. */
static int take_answer(struct buf *answer)
{
	struct head head = { 0 };
	int fd = -1, none;
	char *bytes;

	if (!wait_for_answer() || !read_whole(aside.fd, &fd, &head, sizeof(head)))
		return give_up();
	bytes = xcalloc(head.len + 1, 1);
	if (head.len && read_whole(aside.fd, &none, bytes, head.len) && answer)
		buf_add(answer, bytes, head.len);
	free(bytes);
	errno = head.error;
	return fd;
}

int aside_ask(aside_fn *ask, int fd, const void *question, size_t len, struct buf *answer)
{
	const struct head head = { .ask = ask, .len = len };

	/* without a child, ask at the risk of blocking */
	if (aside.is_child || !start())
		return ask(fd, question, answer);
	if (len > QUESTION_MAX) {
		errno = E2BIG;
		return -1;
	}
	if (pass_send(aside.fd, fd, &head, sizeof(head)) ||
	    (len && pass_send(aside.fd, -1, question, len)))
		return give_up();
	return take_answer(answer);
}
