/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where a process listens. */
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vm/sockets.h"

#define DESCRIPTORS_MAX 16384	  /* QEMU opens its monitors first */
#define TABLE_MAX	(8 << 20) /* bytes of a kernel table */
#define LISTENING_MAX	256
#define FIELDS_MAX	10

/* Values in the kernel's tables (include/net/tcp_states.h, include/uapi/linux/net.h). */
#define ACCEPTS_CONNECTIONS 0x10000
#define TCP_LISTENS	    0x0A
#define TYPE_STREAM	    1

/* A socket among the descriptors. Socket names in the kernel's tables may contain line ends, so
 * another user can forge lines: a socket with two different lines has no address. */
struct inode {
	uint64_t number;
	bool is_seen;
};

struct inodes {
	struct inode *list;
	unsigned count;
};

static int by_number(const void *a, const void *b)
{
	const struct inode *x = a, *y = b;

	return (x->number > y->number) - (x->number < y->number);
}

/* The inode of "socket:[4711]". */
static bool socket_inode(const char *target, uint64_t *inode)
{
	_cleanup_free_ char *digits = NULL;

	if (!target || strncmp(target, "socket:[", 8) != 0)
		return false;
	digits = xstrndup(target + 8, strcspn(target + 8, "]"));
	return parse_u64(digits, 10, inode);
}

/* Read the sockets among its descriptors; false if these cannot be read. */
static bool read_inodes(const struct proc *p, struct inodes *inodes)
{
	int fd = openat(p->directory, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;
	unsigned left = DESCRIPTORS_MAX;

	if (!directory) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	while ((entry = readdir(directory)) && left--) {
		_cleanup_free_ char *name = xasprintf("fd/%s", entry->d_name);
		_cleanup_free_ char *target = proc_link(p, name);
		uint64_t inode;

		if (!socket_inode(target, &inode))
			continue;
		inodes->list = xgrow(inodes->list, inodes->count, sizeof(*inodes->list));
		inodes->list[inodes->count++] = (struct inode){ .number = inode };
	}
	closedir(directory);
	if (inodes->count)
		qsort(inodes->list, inodes->count, sizeof(*inodes->list), by_number);
	return true;
}

/* @address is taken over. */
static void add(struct sockets *s, uint64_t inode, struct address *address)
{
	if (s->count == LISTENING_MAX) {
		address_free(address);
		return;
	}
	s->list = xgrow(s->list, s->count, sizeof(*s->list));
	s->list[s->count++] = (struct listening){ inode, *address };
}

static void forget(struct sockets *s, uint64_t inode)
{
	unsigned i, kept = 0;

	for (i = 0; i < s->count; i++) {
		if (s->list[i].inode == inode)
			address_free(&s->list[i].address);
		else
			s->list[kept++] = s->list[i];
	}
	s->count = kept;
}

static struct inode *find_inode(const struct inodes *inodes, const char *digits)
{
	struct inode key = { 0 };

	return parse_u64(digits, 10, &key.number) && inodes->count
		       ? bsearch(&key, inodes->list, inodes->count, sizeof(key), by_number)
		       : NULL;
}

/* Record a table line of a socket that listens at @address, or does not (absent); taken over. */
static void note(struct sockets *s, struct inode *inode, struct address address)
{
	struct address before = { 0 };
	unsigned i;

	for (i = 0; i < s->count; i++)
		if (s->list[i].inode == inode->number)
			before = s->list[i].address;
	if (!inode->is_seen && address.kind) {
		add(s, inode->number, &address);
	} else {
		/* a table that changes during the read may have a line twice */
		if (inode->is_seen && !(before.kind && address_is_same(&before, &address)))
			forget(s, inode->number);
		address_free(&address);
	}
	inode->is_seen = true;
}

/* Split a line at its blanks into @count fields at most; returns their number, and the rest of the
 * line. */
static unsigned split(char *line, char **fields, unsigned count, char **rest)
{
	unsigned i;

	for (i = 0; i < count; i++) {
		line += strspn(line, " ");
		if (!*line)
			break;
		fields[i] = line;
		line += strcspn(line, " ");
		if (*line)
			*line++ = '\0';
	}
	*rest = line;
	return i;
}

/* The address of a UNIX socket with that path in the kernel's table. */
static struct address unix_address(const char *path)
{
	struct address address = { 0 };
	size_t len = strlen(path);

	if (!*path)
		return address;
	if (*path != '@')
		return address_of_path(xstrdup(path));
	/* zeros that pad an abstract name are shown as '@' too (tight=off) */
	while (len > 2 && path[len - 1] == '@')
		len--;
	(void)!address_of_listener(&address, xasprintf("unix:%.*s", (int)len, path));
	return address;
}

/* "Num: RefCount Protocol Flags Type St Inode Path", where the path may contain any bytes. */
static void take_unix(struct sockets *s, struct inodes *inodes, char *line)
{
	char *fields[FIELDS_MAX], *path;
	struct inode *inode;
	uint64_t flags, type;

	if (split(line, fields, 7, &path) != 7 || !(inode = find_inode(inodes, fields[6])) ||
	    !parse_u64(fields[3], 16, &flags) || !parse_u64(fields[4], 16, &type))
		return;
	note(s, inode,
	     flags & ACCEPTS_CONNECTIONS && type == TYPE_STREAM ? unix_address(path)
								: (struct address){ 0 });
}

/* Read an address: 32-bit words, each printed in this machine's byte order; false on an error. */
static bool read_words(const char *text, uint32_t *words, unsigned count)
{
	unsigned i;

	if (strlen(text) != 8 * (size_t)count)
		return false;
	for (i = 0; i < count; i++) {
		_cleanup_free_ char *digits = xstrndup(text + 8 * (size_t)i, 8);
		uint64_t word;

		if (!parse_u64(digits, 16, &word))
			return false;
		words[i] = (uint32_t)word;
	}
	return true;
}

/* Turn "0100007F:115C" into the address to connect to from this machine; the caller frees it. */
static char *tcp_text(const char *text)
{
	const char *colon = strchr(text, ':');
	_cleanup_free_ char *host = colon ? xstrndup(text, (size_t)(colon - text)) : NULL;
	char name[INET6_ADDRSTRLEN];
	struct in_addr ip4;
	struct in6_addr ip6;
	uint64_t port;

	if (!host || !parse_u64(colon + 1, 16, &port) || !port || port > 65535)
		return NULL;
	if (read_words(host, &ip4.s_addr, 1)) {
		if (ip4.s_addr == htonl(INADDR_ANY))
			ip4.s_addr = htonl(INADDR_LOOPBACK);
		return xasprintf("tcp:%s:%u", inet_ntop(AF_INET, &ip4, name, sizeof(name)),
				 (unsigned)port);
	}
	if (!read_words(host, ip6.s6_addr32, 4))
		return NULL;
	if (IN6_IS_ADDR_UNSPECIFIED(&ip6))
		ip6 = in6addr_loopback;
	return xasprintf("tcp:[%s]:%u", inet_ntop(AF_INET6, &ip6, name, sizeof(name)),
			 (unsigned)port);
}

/* "sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode ..." */
static void take_tcp(struct sockets *s, struct inodes *inodes, char *line)
{
	char *fields[FIELDS_MAX], *rest, *text;
	struct address address = { 0 };
	struct inode *inode;
	uint64_t state;

	if (split(line, fields, FIELDS_MAX, &rest) != FIELDS_MAX ||
	    !(inode = find_inode(inodes, fields[9])) || !parse_u64(fields[3], 16, &state))
		return;
	text = state == TCP_LISTENS ? tcp_text(fields[1]) : NULL;
	if (text)
		(void)!address_of_listener(&address, text);
	note(s, inode, address);
}

static void read_table(struct sockets *s, const struct proc *p, struct inodes *inodes,
		       const char *name,
		       void (*take)(struct sockets *s, struct inodes *inodes, char *line))
{
	_cleanup_buf_ struct buf text = { 0 };
	char *line, *rest;

	proc_read(p, name, TABLE_MAX, &text);
	rest = text.data;
	while ((line = strsep(&rest, "\n")))
		take(s, inodes, line);
}

void sockets_read(struct sockets *s, const struct proc *p)
{
	struct inodes inodes = { 0 };

	s->is_known = read_inodes(p, &inodes);
	if (inodes.count)
		read_table(s, p, &inodes, "net/unix", take_unix);
	free(inodes.list);
}

void sockets_read_ports(struct sockets *s, const struct proc *p)
{
	struct inodes inodes = { 0 };

	if (!s->has_ports && read_inodes(p, &inodes) && inodes.count) {
		read_table(s, p, &inodes, "net/tcp", take_tcp);
		read_table(s, p, &inodes, "net/tcp6", take_tcp);
	}
	s->has_ports = true;
	free(inodes.list);
}

void sockets_free(struct sockets *s)
{
	unsigned i;

	for (i = 0; i < s->count; i++)
		address_free(&s->list[i].address);
	free(s->list);
	*s = (struct sockets){ 0 };
}

static bool is_at(const struct listening *l, const struct address *address)
{
	const char *path = l->address.path, *whole = address->path;
	size_t len, whole_len;

	if (address_is_same(&l->address, address))
		return true;
	if (l->address.kind != ADDRESS_UNIX || address->kind != ADDRESS_UNIX ||
	    l->address.is_abstract || path[0] == '/' || whole[0] != '/')
		return false;
	/* relative: an absolute path may end with it */
	len = strlen(path);
	whole_len = strlen(whole);
	return whole_len > len && whole[whole_len - len - 1] == '/' &&
	       !strcmp(whole + whole_len - len, path);
}

static const struct address *find(const struct sockets *s, const struct address *address)
{
	unsigned i;

	for (i = 0; i < s->count; i++)
		if (is_at(&s->list[i], address))
			return &s->list[i].address;
	return NULL;
}

bool sockets_at(const struct sockets *s, const struct address *address)
{
	return find(s, address);
}

bool sockets_is_explained(const struct listening *l, const struct cmdline *line)
{
	unsigned i;

	for (i = 0; i < line->addresses_count; i++)
		if (is_at(l, &line->addresses[i].address))
			return true;
	return false;
}

const struct address *sockets_of_descriptor(const struct sockets *s, const struct proc *p,
					    unsigned fd)
{
	_cleanup_free_ char *name = xasprintf("fd/%u", fd);
	_cleanup_free_ char *target = proc_link(p, name);
	uint64_t inode;
	unsigned i;

	for (i = 0; socket_inode(target, &inode) && i < s->count; i++)
		if (s->list[i].inode == inode)
			return &s->list[i].address;
	return NULL;
}

/* The address it listens on with one of these ports: as on the command line, else the first. */
static const struct address *find_port(const struct sockets *s, const struct address *address)
{
	const struct address *exact = find(s, address);
	unsigned i;

	if (exact)
		return exact;
	for (i = 0; address->first && i < s->count; i++) {
		const struct address *other = &s->list[i].address;

		if (other->kind == ADDRESS_TCP && other->first >= address->first &&
		    other->first <= address->last)
			return other;
	}
	return NULL;
}

/* Without the kernel's tables: "tcp:127.0.0.1:4444" for all addresses, or "tcp:localhost:4444"
 * unchanged; absent for several ports. */
static struct address guess(const struct address *written, bool is_own)
{
	_cleanup_free_ char *host = xstrndup(written->host.at, (size_t)written->host.len);
	struct address address = { 0 };
	struct in_addr numeric;
	char *text = NULL;

	if (memchr(written->port.at, '-', (size_t)written->port.len))
		return address;
	if (!*host || !strcmp(host, "*") || !strcmp(host, "0.0.0.0"))
		text = xasprintf("tcp:127.0.0.1:%s", written->port.at);
	else if (!strcmp(host, "::"))
		text = xasprintf("tcp:[::1]:%s", written->port.at);
	else if (is_own || strchr(host, ':') || inet_pton(AF_INET, host, &numeric) == 1)
		text = xstrdup(written->text);
	if (text)
		(void)!address_of_listener(&address, text);
	return address;
}

/* The real address, owned; absent if there is none. */
static struct address resolve(const struct sockets *s, const struct proc *p, bool is_own,
			      const struct address *written)
{
	const struct address *found = written;

	if (written->kind == ADDRESS_FD)
		found = written->first <= DESCRIPTORS_MAX
				? sockets_of_descriptor(s, p, (unsigned)written->first)
				: NULL;
	else if (written->kind == ADDRESS_TCP && !(found = find_port(s, written)))
		return guess(written, is_own);
	return found ? address_copy(found) : (struct address){ 0 };
}

/* Does it listen on the channel's port? */
static bool forwards(const struct sockets *s, const struct address *ssh)
{
	unsigned i;

	for (i = 0; i < s->count; i++)
		if (address_is_same_port(&s->list[i].address, ssh))
			return true;
	return false;
}

void sockets_resolve_ssh(const struct sockets *s, struct cmdline *line)
{
	if (line->ssh.kind && s->is_known && s->has_ports && !forwards(s, &line->ssh))
		address_free(&line->ssh);
}

void sockets_resolve(const struct sockets *s, const struct proc *p, bool is_own,
		     struct cmdline *line)
{
	unsigned i, kept = 0;

	for (i = 0; i < line->addresses_count; i++) {
		struct cmdline_address *a = &line->addresses[i];
		struct address address = resolve(s, p, is_own, &a->address);

		address_free(&a->address);
		a->address = address;
		if (address.kind)
			line->addresses[kept++] = *a;
	}
	line->addresses_count = kept;
	cmdline_index(line);
	sockets_resolve_ssh(s, line);
}
