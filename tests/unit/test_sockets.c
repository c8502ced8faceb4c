/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where this process listens. */
#include "unit.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "vm/sockets.h"

/* Listen at @name with @len bytes; returns the descriptor. */
static int listen_unix(const char *name, size_t len)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	memcpy(address.sun_path, name, len);
	assert_int_equal(bind(fd, (struct sockaddr *)&address,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
			 0);
	assert_int_equal(listen(fd, 1), 0);
	return fd;
}

/* Listen on a free port on all of this machine's addresses; returns the descriptor. */
static int listen_tcp(unsigned *port)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	*port = ntohs(address.sin_port);
	return fd;
}

static void settled(const struct sockets *s, const struct proc *p, bool is_own, const char *text,
		    const char *expected)
{
	struct cmdline line = { .addresses_count = 1 };

	assert_true(address_of_listener(&line.addresses[0].address, xstrdup(text)));
	sockets_resolve(s, p, is_own, &line);
	check(line.addresses_count == (expected ? 1 : 0), "%s", text);
	if (expected)
		check(!strcmp(line.monitors[0].text, expected), "%s: %s", text,
		      line.monitors[0].text);
	cmdline_free(&line);
}

static bool is_at(const struct sockets *s, const char *text)
{
	struct address address;
	bool is_found;

	assert_true(address_of_listener(&address, xstrdup(text)));
	is_found = sockets_at(s, &address);
	address_free(&address);
	return is_found;
}

static void what_listens_is_found_and_named(void **state)
{
	char directory[] = "/tmp/memhp-unit-XXXXXX", padded[108] = "";
	_cleanup_free_ char *path = NULL;
	_cleanup_free_ char *abstract = NULL;
	_cleanup_free_ char *port_text = NULL;
	_cleanup_free_ char *there = NULL;
	_cleanup_free_ char *fd_text = NULL;
	struct sockets s = { 0 };
	struct proc p;
	int fds[5], pair[2];
	unsigned port, i;

	(void)state;
	assert_non_null(mkdtemp(directory));
	assert_int_equal(chdir(directory), 0);
	path = xasprintf("%s/a b@c", directory);
	abstract = xasprintf("unix:@memhp-unit-%d", (int)getpid());
	fds[0] = listen_unix(path, strlen(path) + 1);
	fds[1] = listen_unix("relative", strlen("relative") + 1);
	*strchr(abstract, '@') = '\0';
	fds[2] = listen_unix(abstract + 5, strlen(abstract + 5 + 1) + 1);
	snprintf(padded + 1, sizeof(padded) - 1, "memhp-padded-%d", (int)getpid());
	fds[3] = listen_unix(padded, sizeof(padded));
	fds[4] = listen_tcp(&port);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	abstract[5] = padded[0] = '@';

	assert_true(proc_open(&p, getpid()));
	sockets_read(&s, &p);
	assert_true(s.is_known);
	assert_int_equal(s.count, 4);
	sockets_read_ports(&s, &p);
	sockets_read_ports(&s, &p);
	assert_int_equal(s.count, 5);
	there = xasprintf("tcp:127.0.0.1:%u", port);
	assert_true(is_at(&s, path) && is_at(&s, abstract) && is_at(&s, there));
	assert_true(is_at(&s, "/any/relative") && !is_at(&s, "/any/other-relative"));

	fd_text = xasprintf("fd:%d", fds[0]);
	settled(&s, &p, true, fd_text, path);
	util_cleanup_free(&fd_text);
	fd_text = xasprintf("fd:%d", pair[0]);
	settled(&s, &p, true, fd_text, NULL);
	settled(&s, &p, true, "fd:999999999", NULL);
	port_text = xasprintf("tcp:localhost:%u", port);
	settled(&s, &p, false, port_text, there);
	util_cleanup_free(&port_text);
	port_text = xasprintf("tcp::%u-%u", port, port);
	settled(&s, &p, true, port_text, there);
	settled(&s, &p, true, "tcp:[::]:1", "tcp:[::1]:1");
	settled(&s, &p, true, "tcp:0.0.0.0:1", "tcp:127.0.0.1:1");
	settled(&s, &p, true, "tcp::1", "tcp:127.0.0.1:1");
	settled(&s, &p, true, "tcp:host:1", "tcp:host:1");
	settled(&s, &p, false, "tcp:host:1", NULL);
	settled(&s, &p, false, "tcp:10.0.0.1:1", "tcp:10.0.0.1:1");
	settled(&s, &p, true, "tcp::1-2", NULL);
	settled(&s, &p, true, "/x", "/x");

	sockets_free(&s);
	proc_close(&p);
	for (i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
	close(pair[0]);
	close(pair[1]);
	unlink(path);
	unlink("relative");
	rmdir(directory);
}

/* Any user's socket name may contain a line end, and a line after it like the kernel's. */
static void a_line_that_another_has_written_gives_no_address(void **state)
{
	char directory[] = "/tmp/memhp-unit-XXXXXX", name[108] = "";
	_cleanup_free_ char *path = NULL;
	struct sockets s = { 0 };
	struct stat st;
	struct proc p;
	int honest, liar;

	(void)state;
	assert_non_null(mkdtemp(directory));
	path = xasprintf("%s/m", directory);
	honest = listen_unix(path, strlen(path) + 1);
	assert_int_equal(fstat(honest, &st), 0);
	assert_true(proc_open(&p, getpid()));
	sockets_read(&s, &p);
	assert_true(s.count == 1 && is_at(&s, path));
	sockets_free(&s);

	snprintf(name + 1, sizeof(name) - 1, "x\n0: 2 0 00010000 0001 01 %llu /tmp/elsewhere",
		 (unsigned long long)st.st_ino);
	liar = listen_unix(name, strlen(name + 1) + 1);
	sockets_read(&s, &p);
	assert_false(is_at(&s, "/tmp/elsewhere"));
	assert_false(is_at(&s, path));
	sockets_free(&s);
	proc_close(&p);
	close(liar);
	close(honest);
	unlink(path);
	rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_listens_is_found_and_named),
		cmocka_unit_test(a_line_that_another_has_written_gives_no_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
