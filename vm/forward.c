/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Ports forwarded to a guest's ssh. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/peer.h"
#include "vm/discover.h"
#include "vm/forward.h"

/* The port of this machine that the channel uses, owned; absent for another host's. */
static struct address local_port(const struct address *ssh)
{
	struct address port = { 0 };
	char *text = NULL;

	if (!ssh->first)
		return port;
	if (address_has_host(ssh, "localhost") || address_has_host(ssh, "127.0.0.1"))
		text = xasprintf("tcp:127.0.0.1:%u", (unsigned)ssh->first);
	else if (address_has_host(ssh, "::1"))
		text = xasprintf("tcp:[::1]:%u", (unsigned)ssh->first);
	if (text)
		(void)!address_of_listener(&port, text);
	return port;
}

static bool listens(struct qemu *q, const struct address *port)
{
	struct proc p;

	if (!peer_shares_network(q->pid) || !proc_open(&p, q->pid))
		return false;
	sockets_read_ports(&q->sockets, &p);
	proc_close(&p);
	return sockets_at(&q->sockets, port);
}

/* Does the VM's QEMU listen there, or is its process unknown to memhp? */
static bool is_its(pid_t pid, const struct address *port)
{
	struct qemu qemu;
	bool is_one;

	if (!pid || !discover_process(pid, &qemu))
		return true;
	is_one = listens(&qemu, port);
	emulator_free(&qemu);
	return is_one;
}

static int belongs_to(const struct qemu *q, const struct address *port, struct err *err)
{
	err_set(err, ERR_GUEST_UNREACHABLE,
		"the port '%s' leads to another VM (%s%s%spid %d), not to this one",
		port->text + strlen("tcp:"), q->line.name ? "'" : "",
		q->line.name ? q->line.name : "", q->line.name ? "', " : "", (int)q->pid);
	return err_hint(err, "see which ports lead to which VM: memhp vms --json");
}

int forward_check(const struct address *ssh, pid_t pid, struct deadline *d, struct err *err)
{
	struct address port = local_port(ssh);
	struct qemu_list found = { 0 };
	struct err ignored;
	int status = 0;
	unsigned i;

	if (port.kind && !is_its(pid, &port) && !discover(&found, !geteuid(), d, &ignored))
		for (i = 0; i < found.count && !status; i++)
			if (listens(&found.list[i], &port))
				status = belongs_to(&found.list[i], &port, err);
	address_free(&port);
	qemu_list_free(&found);
	return status;
}
