/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Monitors queried by child processes, all at the same time. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/aside.h"
#include "lib/json.h"
#include "vm/channel.h"
#include "vm/dial.h"
#include "vm/inquiry.h"
#include "vm/monitor.h"

#define GREETING_MS 500	 /* is a monitor free? */
#define ANSWER_MS   2000 /* for all queries */
#define CHILD_MS    1000 /* beyond that, for the child itself */
#define REPORT_MAX  (16 << 10)

/* Four texts, each with a NUL: "" or the problem with the monitor, then the plugged bytes, the
 * channel, and the problem with the channel. */
static void write_report(int fd, const struct err *err, uint64_t plugged_bytes,
			 const struct channel *channel, const struct err *channel_err)
{
	_cleanup_buf_ struct buf report = { 0 };
	size_t sent = 0;
	ssize_t n = 0;

	buf_addf(&report, "%s%c%llu%c%s%c%s%c", err->message, 0, (unsigned long long)plugged_bytes,
		 0, channel->address.kind ? channel->address.text : "", 0, channel_err->message, 0);
	while (sent < report.len && n >= 0) {
		n = write(fd, report.data + sent, report.len - sent);
		sent += n > 0 ? (size_t)n : 0;
	}
}

/* @channel_err: filled in if the channel may not be that VM's */
static int ask(const struct qemu *qemu, const struct address *address, struct deadline *d,
	       uint64_t *bytes, struct channel *channel, struct err *channel_err, struct err *err)
{
	_cleanup_json_ struct json_object *sizes = NULL;
	struct qmp *qmp;

	if (qemu ? monitor_connect(&qmp, qemu, address, NULL, d, err)
		 : qmp_connect(&qmp, address, NULL, d, err))
		return -1;
	if (qmp_start(qmp, deadline_within(d, GREETING_MS), DEADLINE_NEVER, err) ||
	    qmp_execute(qmp, "query-memory-size-summary", NULL, &sizes, err) ||
	    channel_find(channel, qmp, err))
		return -1;
	if (!json_get_u64(sizes, "plugged-memory", bytes))
		return err_set(err, ERR_FAILED, "it does not say how much memory it has");
	if (!channel->address.kind ||
	    !dial_check(qmp, qemu ? qemu->pid : dial_find_qemu(qmp, address, d), channel, d,
			channel_err))
		channel_err->message[0] = '\0'; /* left by an earlier attempt */
	return 0;
}

/* The child: it ends after its report, or when the report is no longer wanted. */
static void report(int fd, const struct qemu *qemu, const struct address *address)
{
	struct deadline moment = deadline_moment(ANSWER_MS);
	struct err err = { 0 }, channel_err = { 0 };
	struct channel channel = { 0 };
	uint64_t bytes = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	aside_limit(&moment);
	if (!ask(qemu, address, &moment, &bytes, &channel, &channel_err, &err))
		err.message[0] = '\0'; /* likewise */
	else if (err.code == ERR_TIMEOUT)
		err_set(&err, ERR_TIMEOUT, "the monitor '%s' gives no answer within %d s",
			address->text, ANSWER_MS / 1000);
	write_report(fd, &err, bytes, &channel, &channel_err);
	channel_free(&channel);
}

void inquiry_start(struct inquiries *all, unsigned about, const struct qemu *qemu,
		   const struct address *address)
{
	struct inquiry *inquiry;
	int fds[2] = { -1, -1 };

	all->list = xgrow(all->list, all->count, sizeof(*all->list));
	inquiry = &all->list[all->count++];
	*inquiry = (struct inquiry){ .about = about, .address = address, .fd = -1 };
	if (pipe2(fds, O_CLOEXEC) || (inquiry->child = fork()) < 0) {
		inquiry->problem = xasprintf("cannot ask: %s", strerror(errno));
		inquiry->child = 0;
	} else if (!inquiry->child) {
		report(fds[1], qemu, address);
		_exit(0);
	}
	if (fds[1] >= 0)
		close(fds[1]);
	inquiry->fd = fds[0];
	if (inquiry->fd >= 0)
		fcntl(inquiry->fd, F_SETFL, O_NONBLOCK);
}

/* Read the report to its end; -1 when interrupted. */
static int receive(const struct inquiry *inquiry, struct buf *text, int64_t until_ms,
		   struct deadline *d, struct err *err)
{
	struct pollfd fd = { .fd = inquiry->fd, .events = POLLIN };
	char chunk[4096];

	while (text->len < REPORT_MAX) {
		ssize_t n = read(inquiry->fd, chunk, sizeof(chunk));
		int ready;

		if (n > 0)
			buf_add(text, chunk, (size_t)n);
		if (!n || (n < 0 && errno != EAGAIN))
			return 0;
		ready = n > 0 ? 1 : deadline_poll(d, &fd, 1, until_ms, err);
		if (ready <= 0)
			return ready < 0 && err->code == ERR_INTERRUPTED ? -1 : 0;
	}
	return 0;
}

static void take_report(struct inquiry *inquiry, const struct buf *text)
{
	const char *problem = buf_text(text), *bytes, *channel, *channel_problem;
	const char *end = problem + text->len;

	bytes = text->len ? problem + strlen(problem) + 1 : end;
	channel = bytes < end ? bytes + strlen(bytes) + 1 : end;
	channel_problem = channel < end ? channel + strlen(channel) + 1 : end;
	if (channel_problem >= end || end[-1])
		inquiry->problem =
			xasprintf("the monitor '%s' gives no answer", inquiry->address->text);
	else if (*problem)
		inquiry->problem = xstrdup(problem);
	else
		inquiry->is_known = parse_u64(bytes, 10, &inquiry->plugged_bytes);
	if (inquiry->is_known && *channel)
		inquiry->channel = xstrdup(channel);
	if (inquiry->is_known && *channel_problem)
		inquiry->channel_problem = xstrdup(channel_problem);
}

int inquiries_finish(struct inquiries *all, struct deadline *deadline, struct err *err)
{
	int64_t until_ms = deadline_within(deadline, ANSWER_MS + CHILD_MS);
	unsigned i;

	for (i = 0; i < all->count; i++) {
		_cleanup_buf_ struct buf text = { 0 };

		if (!all->list[i].child)
			continue;
		if (receive(&all->list[i], &text, until_ms, deadline, err))
			return -1;
		take_report(&all->list[i], &text);
	}
	return 0;
}

void inquiries_free(struct inquiries *all)
{
	unsigned i;

	for (i = 0; i < all->count; i++) {
		struct inquiry *inquiry = &all->list[i];

		if (inquiry->child) {
			kill(inquiry->child, SIGKILL);
			waitpid(inquiry->child, NULL, 0);
		}
		if (inquiry->fd >= 0)
			close(inquiry->fd);
		free(inquiry->channel);
		free(inquiry->channel_problem);
		free(inquiry->problem);
	}
	free(all->list);
	*all = (struct inquiries){ 0 };
}
