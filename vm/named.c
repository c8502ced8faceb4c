/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A socket that the user named. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/peer.h"
#include "lib/util.h"
#include "lib/text.h"
#include "vm/channel.h"
#include "vm/discover.h"
#include "vm/named.h"

/* Is it the socket that QEMU has at @path? */
static bool is_named(const void *context, const char *path)
{
	const struct named *named = context;
	struct stat ours, theirs;
	bool is_same;
	int fd;

	if (path[0] == '@' || named->path_fd < 0)
		return !strcmp(path, named->path);
	fd = peer_open_path(named->pid, path, O_PATH);
	is_same = fd >= 0 && peer_stat(fd, &theirs) && peer_stat(named->path_fd, &ours) &&
		  ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino;
	if (fd >= 0)
		close(fd);
	return is_same;
}

static bool is_at(const struct named *named, const struct cmdline_address *a)
{
	return a->address.kind == ADDRESS_UNIX && is_named(named, a->address.path);
}

/* What QEMU's command line has there if it is not a channel to the guest; NULL for none. */
static const char *other_purpose(const struct cmdline *line, const struct named *named,
				 bool is_agent)
{
	unsigned i;

	for (i = 0; i < line->addresses_count; i++) {
		const struct cmdline_address *a = &line->addresses[i];

		if (!is_at(named, a))
			continue;
		if (a->purpose == CMDLINE_QMP || a->purpose == CMDLINE_HMP)
			return "a monitor";
		if (a->purpose == CMDLINE_CONSOLE && is_agent)
			return "a console";
	}
	return NULL;
}

int named_check_purpose(const struct named *named, bool is_agent, struct err *err)
{
	const char *purpose;
	struct qemu qemu;

	if (!named->pid || !discover_process(named->pid, &qemu))
		return 0;
	purpose = other_purpose(&qemu.line, named, is_agent);
	emulator_free(&qemu);
	if (!purpose)
		return 0;
	err_set(err, ERR_GUEST_UNREACHABLE, "'%s' is %s of the VM with pid %d, not %s", named->path,
		purpose, (int)named->pid, is_agent ? "its guest's agent" : "a console");
	return err_hint(err, "name a channel to its guest with --guest, or leave it out: then QEMU "
			     "is asked for one");
}

/* What QEMU's command line has there if it is not QMP; NULL for QMP, and if unknown. */
static const char *not_qmp(const struct cmdline *line, const struct named *named)
{
	const char *what = NULL;
	unsigned i;

	for (i = 0; i < line->addresses_count; i++) {
		const struct cmdline_address *a = &line->addresses[i];

		if (!is_at(named, a))
			continue;
		if (a->purpose == CMDLINE_QMP)
			return NULL;
		what = a->purpose == CMDLINE_HMP       ? "a monitor for people (HMP)"
		       : a->purpose == CMDLINE_CONSOLE ? "a console"
						       : "a socket for something else";
	}
	return what;
}

static int hint_monitor(const struct cmdline *line, struct err *err)
{
	_cleanup_free_ char *monitor =
		line->monitors_count ? text_quoted(line->monitors[0].text) : NULL;

	return monitor ? err_hint(err, "its monitor: --qmp %s", monitor)
		       : err_hint(err, "see memhp vms");
}

int named_check_monitor(const struct named *named, struct err *err)
{
	const char *what;
	struct qemu qemu;

	if (!named->pid || !discover_process(named->pid, &qemu))
		return 0;
	what = not_qmp(&qemu.line, named);
	if (what) {
		err_set(err, ERR_QEMU_UNREACHABLE,
			"'%s' is %s of the VM with pid %d, not a QMP monitor", named->path, what,
			(int)named->pid);
		hint_monitor(&qemu.line, err);
	}
	emulator_free(&qemu);
	return what ? -1 : 0;
}

bool named_is_claimed(const struct named *named, struct qmp *qmp)
{
	return channel_listens(qmp, is_named, named);
}

void named_hint(const char *path, struct err *err)
{
	const char *port = strncmp(path, "tcp:", 4) ? path : path + 4;
	const char *colon = strrchr(port, ':');
	_cleanup_free_ char *quoted = text_quoted(port);
	uint64_t number;

	if (quoted && colon && colon != port && !strchr(port, '/') &&
	    parse_u64(colon + 1, 10, &number) && number <= 65535)
		err_hint(err,
			 "a console is a path; that of a port can be had at one with: "
			 "socat UNIX-LISTEN:console,fork TCP:%s (--guest "
			 "serial:console)",
			 quoted);
}
