/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Ports that lead to a guest's ssh. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/peer.h"
#include "vm/discover.h"
#include "vm/forward.h"

/* "tcp:127.0.0.1:PORT" for a port of this machine; the caller frees it; NULL for others. */
static char *local_port(const char *address)
{
	const char *at = strrchr(address, '@');
	const char *host = at ? at + 1 : address + strlen("ssh:");
	const char *colon = strrchr(host, ':');
	_cleanup_free_ char *name = colon ? xstrndup(host, (size_t)(colon - host)) : NULL;
	uint64_t port;

	if (!name || !parse_u64(colon + 1, 10, &port) || port > 65535)
		return NULL;
	if (!strcmp(name, "localhost") || !strcmp(name, "127.0.0.1"))
		return xasprintf("tcp:127.0.0.1:%u", (unsigned)port);
	return strcmp(name, "[::1]") ? NULL : xasprintf("tcp:[::1]:%u", (unsigned)port);
}

static bool listens(struct qemu *q, const char *port)
{
	struct proc p;

	if (!peer_shares_network(q->pid) || !proc_open(&p, q->pid))
		return false;
	sockets_read_ports(&q->sockets, &p);
	proc_close(&p);
	return sockets_at(&q->sockets, port);
}

/* Does the QEMU that is meant listen there, or is its process none that memhp knows? */
static bool is_its(pid_t pid, const char *port)
{
	struct qemu qemu;
	bool is_one;

	if (!pid || !discover_process(pid, &qemu))
		return true;
	is_one = listens(&qemu, port);
	emulator_release(&qemu);
	return is_one;
}

static int belongs_to(const struct qemu *q, const char *port, struct err *err)
{
	err_set(err, ERR_GUEST_UNREACHABLE,
		"the port '%s' leads to another VM (%s%s%spid %d), not to this one", port + 4,
		q->line.name ? "'" : "", q->line.name ? q->line.name : "",
		q->line.name ? "', " : "", (int)q->pid);
	return err_hint(err, "see which ports lead to which VM: memhp vms --json");
}

int forward_check(const char *address, pid_t pid, struct deadline *d, struct err *err)
{
	_cleanup_free_ char *port = local_port(address);
	struct qemu_list found = { 0 };
	struct err ignored;
	int status = 0;
	unsigned i;

	if (!port || is_its(pid, port))
		return 0;
	if (!discover(&found, !geteuid(), d, &ignored))
		for (i = 0; i < found.count && !status; i++)
			if (listens(&found.list[i], port))
				status = belongs_to(&found.list[i], port, err);
	qemu_list_release(&found);
	return status;
}
