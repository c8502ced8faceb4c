// SPDX-License-Identifier: GPL-3.0-or-later
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pty.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

#include "lib/err.h"
#include "lib/owner.h"
#include "lib/peer.h"
#include "lib/tcp.h"
#include "lib/util.h"

/* Start a process that holds none of the descriptors: it has closed them when this returns. */
static pid_t start_other(void)
{
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (!pid) {
		dup2(ready[1], 0);
		closefrom(1);
		if (write(0, "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static void end_other(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static int listen_at(const struct sockaddr_un *address, socklen_t len)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (const struct sockaddr *)address, len), 0);
	assert_int_equal(listen(fd, 1), 0);
	return fd;
}

/* If two sockets were bound to one path, the file belongs to the last one. */
static void the_holder_of_the_file_listens(void **state)
{
	char directory[] = "/tmp/memhp-owner-XXXXXX";
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int first, second, path_fd;
	uid_t uid = 1;
	pid_t other;
	int client = -1;
	struct err err;

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/s", directory);
	first = listen_at(&address, sizeof(address));
	other = start_other();
	path_fd = open(address.sun_path, O_PATH);
	assert_int_equal(owner_listens(getpid(), path_fd), OWNER_YES);
	assert_int_equal(owner_listens(other, path_fd), OWNER_NO);
	assert_int_equal(peer_connect_at(getpid(), path_fd, "s", &client, ERR_FAILED, &err), 0);
	assert_int_equal(owner_of(client, &uid), getpid());
	assert_int_equal(uid, getuid());
	close(client);
	unlink(address.sun_path);
	second = listen_at(&address, sizeof(address));
	close(path_fd);
	path_fd = open(address.sun_path, O_PATH);
	close(second);
	assert_int_equal(owner_listens(getpid(), path_fd),
			 OWNER_UNKNOWN); /* the first has no path now */
	close(path_fd);
	close(first);
	unlink(address.sun_path);
	rmdir(directory);
	end_other(other);
}

static void an_abstract_name_is_whole(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	_cleanup_free_ char *name = xasprintf("memhp-owner-%d", (int)getpid());
	_cleanup_free_ char *longer = xasprintf("%s-", name);
	size_t len = strlen(name);
	pid_t other;
	int fd;

	(void)state;
	memcpy(address.sun_path + 1, name, len);
	fd = listen_at(&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + len));
	other = start_other();
	assert_int_equal(owner_listens_abstract(getpid(), name), OWNER_YES);
	assert_int_equal(owner_listens_abstract(other, name), OWNER_NO);
	assert_int_equal(owner_listens_abstract(getpid(), longer), OWNER_UNKNOWN);
	close(fd);
	fd = listen_at(&address, sizeof(address)); /* padded with zeros */
	assert_int_equal(owner_listens_abstract(getpid(), name), OWNER_YES);
	close(fd);
	end_other(other);
}

/* Any user's socket name may contain a line end, and a line after it like the kernel's in /proc. */
static void a_line_that_another_has_written_makes_no_owner(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char *name = address.sun_path + 1;
	struct stat st;
	int honest, liar;

	(void)state;
	honest =
		listen_at(&address, sizeof(address.sun_family)); /* a name of the kernel's choice */
	assert_int_equal(fstat(honest, &st), 0);
	snprintf(name, sizeof(address.sun_path) - 1, "x\n0: 2 0 00010000 0001 01 %llu @wanted-%d",
		 (unsigned long long)st.st_ino, (int)getpid());
	liar = listen_at(&address,
			 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name)));
	assert_int_equal(owner_listens_abstract(getpid(), strchr(name, '@') + 1), OWNER_UNKNOWN);
	close(honest);
	close(liar);
}

/* A server of that family at that address, and a client that has reached it at 127.0.0.1. */
static void serve_tcp(const char *text, int family, int *server, int *client, int *accepted)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in in = { .sin_family = AF_INET }, to = { .sin_family = AF_INET };
	bool is_6 = family == AF_INET6;
	struct sockaddr *address = is_6 ? (struct sockaddr *)&in6 : (struct sockaddr *)&in;
	socklen_t len = is_6 ? sizeof(in6) : sizeof(in);

	*server = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	inet_pton(family, text, is_6 ? (void *)&in6.sin6_addr : (void *)&in.sin_addr);
	assert_int_equal(bind(*server, address, len), 0);
	assert_int_equal(listen(*server, 1), 0);
	assert_int_equal(getsockname(*server, address, &len), 0);
	to.sin_port = is_6 ? in6.sin6_port : in.sin_port;
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	*client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(*client, (struct sockaddr *)&to, sizeof(to)), 0);
	*accepted = accept(*server, NULL, NULL);
	assert_true(*accepted >= 0);
}

static void a_port_is_that_of_who_listens_there(void **state)
{
	static const struct {
		const char *address;
		int family;
	} cases[] = { { "127.0.0.1", AF_INET },
		      { "0.0.0.0", AF_INET },
		      { "::", AF_INET6 },
		      { "::ffff:127.0.0.1", AF_INET6 } };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		int server, client, accepted;
		pid_t other;

		if (cases[i].family == AF_INET6 && access("/proc/net/tcp6", F_OK))
			continue;
		serve_tcp(cases[i].address, cases[i].family, &server, &client, &accepted);
		other = start_other();
		assert_int_equal(tcp_listens(getpid(), client), OWNER_YES);
		assert_int_not_equal(tcp_listens(other, client), OWNER_YES);
		assert_true(tcp_has_accepted(getpid(), client));
		assert_false(tcp_has_accepted(other, client));
		close(accepted);
		assert_false(tcp_has_accepted(getpid(), client));
		close(server);
		close(client);
		end_other(other);
	}
}

static void a_pty_is_that_of_its_other_end(void **state)
{
	int ours, theirs, opened;
	unsigned number;
	struct stat a, b;
	pid_t other;
	char name[64];

	(void)state;
	assert_int_equal(openpty(&ours, &theirs, name, NULL, NULL), 0);
	assert_int_equal(sscanf(name, "/dev/pts/%u", &number), 1);
	fcntl(ours, F_SETFD, FD_CLOEXEC);
	other = start_other();
	assert_true(owner_holds_pty(getpid(), number));
	assert_false(owner_holds_pty(other, number));
	assert_int_equal(owner_open_pty(other, number), -1);
	assert_int_equal(errno, ENOENT);
	opened = owner_open_pty(getpid(), number);
	if (opened < 0 && errno != ENOENT)
		print_message("not tried: pidfd_getfd(2): %s\n", strerror(errno));
	if (opened >= 0) {
		assert_int_equal(fstat(opened, &a) || fstat(theirs, &b), 0);
		assert_int_equal(a.st_ino, b.st_ino);
		assert_int_equal(a.st_dev, b.st_dev);
		close(opened);
	}
	close(ours);
	close(theirs);
	end_other(other);
}

static void a_process_is_described(void **state)
{
	_cleanup_free_ char *self = owner_describe(getpid());
	_cleanup_free_ char *unknown = owner_describe(0);
	_cleanup_free_ char *expected = xasprintf("pid %d, 'test_owner'", (int)getpid());

	(void)state;
	assert_string_equal(self, expected);
	assert_string_equal(unknown, "of another pid namespace");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_holder_of_the_file_listens),
		cmocka_unit_test(an_abstract_name_is_whole),
		cmocka_unit_test(a_line_that_another_has_written_makes_no_owner),
		cmocka_unit_test(a_port_is_that_of_who_listens_there),
		cmocka_unit_test(a_pty_is_that_of_its_other_end),
		cmocka_unit_test(a_process_is_described),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
