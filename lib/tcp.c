/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which process is behind a TCP connection. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/tcp.h"
#include "lib/util.h"

/* A table of /proc/PID/net. */
static FILE *open_table(pid_t pid, const char *name)
{
	_cleanup_free_ char *path = pid ? xasprintf("/proc/%d/net/%s", (int)pid, name)
					: xasprintf("/proc/self/net/%s", name);

	return fopen(path, "re");
}

/* One end of a connection; IPv4 addresses are mapped to IPv6 (RFC 4291, 2.5.5.2). */
struct end {
	unsigned char address[16];
	unsigned port;
};

static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

static struct end end_of(const struct sockaddr_storage *name)
{
	struct end end = { .port = 0 };

	if (name->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)name;

		memcpy(end.address, &in6->sin6_addr, 16);
		end.port = ntohs(in6->sin6_port);
	} else if (name->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)name;

		memcpy(end.address, mapped, 12);
		memcpy(end.address + 12, &in->sin_addr, 4);
		end.port = ntohs(in->sin_port);
	}
	return end;
}

/* "0100007F:1F90": each four bytes of the address are a number in this machine's byte order. */
static struct end read_end(const char *address, unsigned port)
{
	struct end end = { .port = port };
	size_t i, count = strlen(address) / 8;

	memcpy(end.address, mapped, sizeof(mapped));
	for (i = 0; i < count && i < 4; i++) {
		char word[9] = "";
		uint32_t bytes;

		memcpy(word, address + 8 * i, 8);
		bytes = (uint32_t)strtoul(word, NULL, 16);
		memcpy(end.address + (count == 1 ? 12 : 4 * i), &bytes, 4);
	}
	return end;
}

static bool is_same(const struct end *a, const struct end *b)
{
	return a->port == b->port && !memcmp(a->address, b->address, sizeof(a->address));
}

static bool is_any(const struct end *end)
{
	static const unsigned char zeros[16];

	return !memcmp(end->address, zeros, 16) ||
	       (!memcmp(end->address, mapped, 12) && !memcmp(end->address + 12, zeros, 4));
}

struct row {
	struct end local, remote;
	unsigned state;
	unsigned long long inode; /* 0 until it is accepted */
};

static bool read_row(FILE *table, struct row *row)
{
	char line[256], local[33], remote[33];
	unsigned local_port, remote_port;

	while (fgets(line, sizeof(line), table)) {
		if (sscanf(line,
			   " %*d: %32[0-9A-F]:%x %32[0-9A-F]:%x %x %*x:%*x %*x:%*x %*x %*u %*d "
			   "%llu",
			   local, &local_port, remote, &remote_port, &row->state, &row->inode) != 6)
			continue;
		row->local = read_end(local, local_port);
		row->remote = read_end(remote, remote_port);
		return true;
	}
	return false;
}

/* Call @match for the rows of both tables until it has the answer, and return that. */
typedef enum owner_answer row_match_fn(pid_t pid, const struct row *row, const struct end *ends);
static enum owner_answer find_row(pid_t table_pid, pid_t pid, row_match_fn *match,
				  const struct end *ends)
{
	static const char *const names[] = { "tcp", "tcp6" };
	enum owner_answer found = OWNER_UNKNOWN;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names) && found == OWNER_UNKNOWN; i++) {
		FILE *table = open_table(table_pid, names[i]);
		struct row row;

		while (table && found == OWNER_UNKNOWN && read_row(table, &row))
			found = match(pid, &row, ends);
		if (table)
			fclose(table);
	}
	return found;
}

static enum owner_answer listens_there(pid_t pid, const struct row *row, const struct end *ends)
{
	if (row->state != TCP_LISTEN || !is_same(&row->local, &ends[0]))
		return OWNER_UNKNOWN;
	return owner_holds_socket(pid, row->inode) ? OWNER_YES : OWNER_NO;
}

static enum owner_answer listens_anywhere(pid_t pid, const struct row *row, const struct end *ends)
{
	if (row->state != TCP_LISTEN || row->local.port != ends[0].port || !is_any(&row->local) ||
	    !owner_holds_socket(pid, row->inode))
		return OWNER_UNKNOWN;
	return OWNER_YES;
}

static enum owner_answer is_other_end(pid_t pid, const struct row *row, const struct end *ends)
{
	if (row->state != TCP_ESTABLISHED || !row->inode || !is_same(&row->local, &ends[0]) ||
	    !is_same(&row->remote, &ends[1]))
		return OWNER_UNKNOWN;
	return owner_holds_socket(pid, row->inode) ? OWNER_YES : OWNER_NO;
}

/* The far end of a connection, and the near one. */
static bool ends_of(int fd, struct end *ends)
{
	struct sockaddr_storage name = { 0 };
	socklen_t len = sizeof(name);

	if (getpeername(fd, (struct sockaddr *)&name, &len))
		return false;
	ends[0] = end_of(&name);
	len = sizeof(name);
	if (getsockname(fd, (struct sockaddr *)&name, &len))
		return false;
	ends[1] = end_of(&name);
	return ends[0].port && ends[1].port;
}

enum owner_answer tcp_listens(pid_t pid, int fd)
{
	enum owner_answer found;
	struct end ends[2];

	if (!ends_of(fd, ends))
		return OWNER_UNKNOWN;
	/* a listener on this very address comes before one on all addresses */
	found = find_row(pid, pid, listens_there, ends);
	return found == OWNER_UNKNOWN ? find_row(pid, pid, listens_anywhere, ends) : found;
}

bool tcp_has_accepted(pid_t pid, int fd)
{
	struct end ends[2];

	return ends_of(fd, ends) && find_row(0, pid, is_other_end, ends) == OWNER_YES;
}
