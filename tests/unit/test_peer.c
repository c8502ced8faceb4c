// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

#include "lib/peer.h"
#include "lib/util.h"

/*
 * Another process runs in DIRECTORY/there, which has "file"; "down/back", a link to "../file";
 * "out", a link to "../beside"; "whole", a link to DIRECTORY/beside.
 */
static char directory[] = "/tmp/memhp-peer-XXXXXX";
static pid_t other;

static void touch(const char *name)
{
	int fd = open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	close(fd);
}

static int set_up(void **state)
{
	_cleanup_free_ char *beside = NULL;
	int ready[2];
	char byte;

	(void)state;
	assert_non_null(mkdtemp(directory));
	beside = xasprintf("%s/beside", directory);
	assert_int_equal(pipe(ready), 0);
	other = fork();
	if (!other) {
		if (chdir(directory) || mkdir("there", 0700) || chdir("there") ||
		    mkdir("down", 0700))
			_exit(1);
		touch("file");
		touch(beside);
		if (symlink("../file", "down/back") || symlink("../beside", "out") ||
		    symlink(beside, "whole") || write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return 0;
}

static int tear_down(void **state)
{
	_cleanup_free_ char *command = xasprintf("rm -r %s", directory);

	(void)state;
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
	return system(command);
}

static void a_path_begins_where_the_process_is(void **state)
{
	static const struct {
		const char *path, *is;
	} cases[] = {
		{ "file", "there/file" },
		{ "./down/../file", "there/file" },
		{ "down/back", "there/file" },
		{ "../beside", "beside" },
		{ "out", "beside" },
		{ "whole", "beside" },
		{ ".", "there" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *whole = xasprintf("%s/%s", directory, cases[i].is);
		int fd = peer_open_path(other, cases[i].path, O_PATH);
		struct stat a, b;

		assert_true(fd >= 0);
		assert_int_equal(fstat(fd, &a) || stat(whole, &b), 0);
		assert_int_equal(a.st_ino, b.st_ino);
		close(fd);
		fd = peer_open_path(other, whole, O_PATH);
		assert_true(fd >= 0);
		close(fd);
	}
}

static void what_is_not_there_is_not_opened(void **state)
{
	_cleanup_free_ char *gone = xasprintf("%s/gone", directory);

	(void)state;
	assert_int_equal(peer_open_path(other, "beside", O_PATH), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(peer_open_path(other, gone, O_PATH), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(peer_open_path(0, gone, O_PATH), -1);
	assert_int_equal(peer_open_path(INT32_MAX, "/", O_PATH), -1);
}

static void the_working_directory_is_told(void **state)
{
	_cleanup_free_ char *there = xasprintf("%s/there", directory);
	_cleanup_free_ char *cwd = peer_cwd(other);

	(void)state;
	assert_string_equal(cwd, there);
	assert_null(peer_cwd(INT32_MAX));
	assert_true(peer_shares_network(other));
	assert_true(peer_shares_network(0));
	assert_false(peer_shares_network(INT32_MAX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_path_begins_where_the_process_is),
		cmocka_unit_test(what_is_not_there_is_not_opened),
		cmocka_unit_test(the_working_directory_is_told),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
