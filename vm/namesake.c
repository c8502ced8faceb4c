/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Names shared by two VMs. */
#include <string.h>
#include <unistd.h>

#include "vm/discover.h"
#include "vm/namesake.h"

/* The pid of this user's VM with that name; 0 for none. */
static pid_t find(const char *name, struct deadline *d)
{
	struct qemu_list found = { 0 };
	struct err ignored;
	pid_t pid = 0;
	unsigned i;

	if (!discover(&found, false, d, &ignored))
		for (i = 0; i < found.count && !pid; i++)
			if (found.list[i].line.name && !strcmp(found.list[i].line.name, name))
				pid = found.list[i].pid;
	qemu_list_free(&found);
	return pid;
}

int namesake_check(const char *profile, pid_t pid, struct deadline *d, struct err *err)
{
	struct qemu qemu;
	pid_t namesake = 0;
	int status = 0;

	if (!pid || !discover_process(pid, &qemu))
		return 0;
	if (!qemu.is_silent && (!qemu.line.name || strcmp(qemu.line.name, profile) != 0))
		namesake = find(profile, d);
	if (namesake && namesake != pid) {
		err_set(err, ERR_USAGE,
			"profile '%s' has the monitor of another VM (%s%s%spid %d) than the one "
			"that "
			"runs under that name (pid %d)",
			profile, qemu.line.name ? "'" : "", qemu.line.name ? qemu.line.name : "",
			qemu.line.name ? "', " : "", (int)pid, (int)namesake);
		status =
			err_hint(err, "choose one with --vm %d or --vm %d, and correct the profile",
				 (int)pid, (int)namesake);
	}
	emulator_free(&qemu);
	return status;
}

int namesake_check_again(const char *address, pid_t before, const char *name, pid_t pid,
			 struct err *err)
{
	struct qemu qemu;
	const char *now;
	bool is_same;

	if (pid == before || !pid || !discover_process(pid, &qemu))
		return 0;
	now = qemu.line.name;
	is_same = now && name ? !strcmp(now, name) : now == name;
	if (!is_same) {
		err_set(err, ERR_QEMU_UNREACHABLE,
			"another VM is at '%s' now: %s%s%spid %d, not %s%s%spid %d", address,
			now ? "'" : "", now ? now : "", now ? "', " : "", (int)pid, name ? "'" : "",
			name ? name : "", name ? "', " : "", (int)before);
		err_hint(err, "this shell stays with it; start another one for another VM");
	}
	emulator_free(&qemu);
	return is_same ? 0 : -1;
}
