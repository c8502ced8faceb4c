/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Names of monitors, listening sockets and guest channels. */
#include <stdlib.h>
#include <string.h>

#include "lib/address.h"
#include "lib/util.h"

/* The text after "SCHEME:"; NULL if it does not begin with that. */
static const char *behind(const char *text, const char *scheme)
{
	size_t len = strlen(scheme);

	return !strncmp(text, scheme, len) && text[len] == ':' ? text + len + 1 : NULL;
}

static struct slice slice(const char *at, const char *end)
{
	return (struct slice){ (int)(end - at), at };
}

static void set_path(struct address *a, enum address_kind kind, const char *path)
{
	a->kind = kind;
	a->path = path;
	a->is_abstract = path[0] == '@';
}

static bool read_port(const char *at, const char *end, uint64_t *port)
{
	_cleanup_free_ char *digits = xstrndup(at, (size_t)(end - at));

	return parse_u64(digits, 10, port);
}

/* Set the port: a number, or FIRST-LAST from QEMU's "to"; a service name has no number. */
static void set_port(struct address *a, const char *port)
{
	const char *end = port + strlen(port), *dash = strchr(port, '-');

	a->port = slice(port, end);
	if (!read_port(port, dash ? dash : end, &a->first) ||
	    !read_port(dash ? dash + 1 : port, end, &a->last))
		a->first = a->last = 0;
}

/* "HOST:PORT", "[::1]:PORT"; false without a colon. */
static bool set_tcp(struct address *a, const char *host)
{
	const char *colon = strrchr(host, ':');
	bool is_bracketed = colon && host[0] == '[' && colon - host > 2 && colon[-1] == ']';

	if (!colon)
		return false;
	a->kind = ADDRESS_TCP;
	a->host = is_bracketed ? slice(host + 1, colon - 1) : slice(host, colon);
	set_port(a, colon + 1);
	return true;
}

/*
 * "[USER@]HOST[:PORT]" up to @end, IPv6 as "[::1]:22". If its configuration has a
 * ProxyCommand or a Match, ssh passes the name to a shell; older versions pass any characters.
 */
static bool set_ssh(struct address *a, enum address_kind kind, const char *target, const char *end)
{
	_cleanup_free_ char *copy = xstrndup(target, (size_t)(end - target));
	const char *at = strrchr(copy, '@'), *host = at ? target + (at + 1 - copy) : target, *stop;
	bool is_bracketed = host < end && *host == '[';
	uint64_t number = 0;

	stop = memchr(host, is_bracketed ? ']' : ':', (size_t)(end - host));
	if (!stop && is_bracketed)
		return false;
	a->kind = kind;
	a->user = at ? slice(target, host - 1) : (struct slice){ 0 };
	a->host = slice(host + is_bracketed, stop ? stop : end);
	stop = stop ? stop + is_bracketed : end;
	if (a->host.len <= 0 || *target == '-' || *host == '-' ||
	    copy[strcspn(copy, "'`\"$;&<>|(){} \t\r\n/")] || (stop < end && *stop != ':') ||
	    (stop < end && (!read_port(stop + 1, end, &number) || number - 1 > 65534)))
		return false;
	a->port = stop < end ? slice(stop + 1, end) : (struct slice){ 0 };
	a->first = a->last = number;
	return true;
}

bool address_can_forward(const char *path)
{
	return path[0] == '/' && !path[strcspn(path, ":\\%${}\"' \t\r\n")];
}

static int parse_remote(struct address *a, const char *target, struct err *err)
{
	const char *slash = strchr(target, '/');

	if (slash && slash[1] && address_can_forward(slash) &&
	    set_ssh(a, ADDRESS_REMOTE, target, slash)) {
		a->path = slash;
		return 0;
	}
	err_set(err, ERR_USAGE, "bad address '%s'", a->text);
	return err_hint(err, "write ssh://[USER@]HOST[:PORT]/PATH, the path without blanks, "
			     "quotes and any of : %% $ \\");
}

int address_parse_monitor(struct address *address, const char *text, struct err *err)
{
	const char *host = behind(text, "tcp"), *path = behind(text, "unix");
	const char *target = behind(text, "ssh");

	*address = (struct address){ .text = text };
	if (target && !strncmp(target, "//", 2))
		return parse_remote(address, target + 2, err);
	if (host && (!set_tcp(address, host) || address->port.at - 1 == host || !address->port.len))
		return err_set(err, ERR_USAGE, "bad address '%s': not HOST:PORT", host);
	if (!host)
		set_path(address, ADDRESS_UNIX, path ? path : text);
	return 0;
}

int address_parse_channel(struct address *address, const char *text, struct err *err)
{
	const char *rest;

	*address = (struct address){ .text = text };
	if (!strcmp(text, "none"))
		address->kind = ADDRESS_NONE;
	else if ((rest = behind(text, "serial")) && *rest)
		set_path(address, ADDRESS_SERIAL, rest);
	else if ((rest = behind(text, "qga")) && *rest)
		set_path(address, ADDRESS_AGENT, rest);
	else if ((rest = behind(text, "exec")) && *rest)
		*address = (struct address){ ADDRESS_EXEC, .text = text, .path = rest };
	else if (!strcmp(text, "local") || behind(text, "local"))
		*address = (struct address){ ADDRESS_LOCAL, .text = text,
					     .path = text + strcspn(text, ":") };
	if (address->kind == ADDRESS_LOCAL && *address->path)
		address->path++;
	if (address->kind)
		return 0;
	rest = behind(text, "ssh");
	if (rest && set_ssh(address, ADDRESS_SSH, rest, rest + strlen(rest)))
		return 0;
	err_set(err, ERR_USAGE, "bad guest channel '%s'", text);
	return err_hint(err, rest && *rest ? "write ssh:[USER@]HOST[:PORT]"
					   : "write serial:PATH, ssh:[USER@]HOST[:PORT], qga:PATH, "
					     "exec:COMMAND, local[:SYSROOT] or none");
}

bool address_of_listener(struct address *address, char *text)
{
	const char *host = behind(text, "tcp"), *path = behind(text, "unix");
	const char *fd = behind(text, "fd");

	*address = (struct address){ .text = text };
	if (host && set_tcp(address, host))
		return true;
	if (fd && parse_u64(fd, 10, &address->first))
		address->kind = ADDRESS_FD;
	else if (!host && !fd)
		set_path(address, ADDRESS_UNIX, path ? path : text);
	if (address->kind)
		return true;
	address_free(address);
	return false;
}

struct address address_of_path(char *path)
{
	return (struct address){ ADDRESS_UNIX, .text = path, .path = path };
}

struct address address_of_device(enum address_kind kind, const char *path)
{
	const char *scheme = kind == ADDRESS_AGENT ? "qga" : "serial";
	struct address address = { .text = xasprintf("%s:%s", scheme, path) };

	set_path(&address, kind, address.text + strlen(scheme) + 1);
	return address;
}

struct address address_copy(const struct address *address)
{
	struct address copy = *address;

	copy.text = xstrdup(address->text);
	copy.path = address->path ? copy.text + (address->path - address->text) : NULL;
	copy.user.at = address->user.at ? copy.text + (address->user.at - address->text) : NULL;
	copy.host.at = address->host.at ? copy.text + (address->host.at - address->text) : NULL;
	copy.port.at = address->port.at ? copy.text + (address->port.at - address->text) : NULL;
	return copy;
}

void address_free(struct address *address)
{
	free((char *)address->text);
	*address = (struct address){ 0 };
}

static bool slice_is_same(struct slice a, struct slice b)
{
	return a.len == b.len && !memcmp(a.at, b.at, (size_t)a.len);
}

bool address_is_same_port(const struct address *a, const struct address *b)
{
	return a->host.at && b->host.at && slice_is_same(a->host, b->host) &&
	       (a->first ? a->first == b->first && a->last == b->last
			 : slice_is_same(a->port, b->port));
}

bool address_is_same(const struct address *a, const struct address *b)
{
	if (a->kind != b->kind)
		return false;
	if (a->kind == ADDRESS_TCP)
		return address_is_same_port(a, b);
	if (a->kind == ADDRESS_FD)
		return a->first == b->first;
	return a->kind == ADDRESS_UNIX
		       ? a->is_abstract == b->is_abstract && !strcmp(a->path, b->path)
		       : !strcmp(a->text, b->text);
}

bool address_has_host(const struct address *address, const char *host)
{
	return slice_is_same(address->host, (struct slice){ (int)strlen(host), host });
}
