// SPDX-License-Identifier: GPL-2.0
/* Sockets in the file system: who may connect, what is replaced, what is left alone. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "../../cache/unix_socket.h"

static char dir[32], path[64], why[300];
static struct listener l, other;

static int set_up(void **state)
{
	strcpy(dir, "/tmp/socket-test.XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/socket", dir);
	return 0;
}

static int tear_down(void **state)
{
	/* Nothing is left. */
	return rmdir(dir);
}

static int open_it(struct listener *to)
{
	return listener__open(to, path, why, sizeof(why));
}

static bool is_there(void)
{
	struct stat s;

	return !lstat(path, &s);
}

static void for_its_owner(void **state)
{
	mode_t masks[] = {0, 022, 077}, before = umask(0);
	struct stat s;

	for (size_t i = 0; i < sizeof(masks) / sizeof(masks[0]); i++) {
		umask(masks[i]);
		assert_int_equal(open_it(&l), 0);
		assert_int_equal(stat(path, &s), 0);
		assert_int_equal(s.st_mode & 07777, 0600);
		assert_int_equal(umask(before), masks[i]);
		listener__close(&l);
		assert_false(is_there());
	}
}

static void connecting(void **state)
{
	char byte = 'x';
	int here, there;

	assert_int_equal(unix_socket__connect(path, INFINITY), -ENOENT);
	assert_int_equal(open_it(&l), 0);
	/* Nobody waits: there is one at a time. */
	assert_int_equal(accept(l.fd, NULL, NULL), -1);
	assert_int_equal(errno, EAGAIN);
	there = unix_socket__connect(path, INFINITY);
	assert_true(there >= 0);
	here = accept(l.fd, NULL, NULL);
	assert_int_equal(write(there, &byte, 1), 1);
	assert_int_equal(read(here, &byte, 1), 1);
	close(here);
	close(there);
	listener__close(&l);
	assert_int_equal(l.fd, -1);
	listener__close(&l);
}

static void in_use(void **state)
{
	assert_int_equal(open_it(&l), 0);
	assert_int_equal(open_it(&other), -EADDRINUSE);
	assert_non_null(strstr(why, path));
	assert_non_null(strstr(why, "in use"));
	listener__close(&other);
	assert_true(is_there());
	listener__close(&l);
}

static void left_behind(void **state)
{
	assert_int_equal(open_it(&l), 0);
	close(l.fd);
	assert_int_equal(unix_socket__connect(path, INFINITY), -ECONNREFUSED);
	assert_int_equal(open_it(&other), 0);
	/* What is another's by now stays. */
	l.fd = dup(other.fd);
	l.ino++;
	listener__close(&l);
	assert_true(is_there());
	listener__close(&other);
	assert_false(is_there());
}

/* A queue of clients that nobody accepts is no reason to wait, nor a sign of death. */
static void full(void **state)
{
	int fds[64], n = 0;

	assert_int_equal(open_it(&l), 0);
	while (n < 64) {
		struct sockaddr_un a = {.sun_family = AF_UNIX};
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

		strcpy(a.sun_path, path);
		fds[n++] = fd;
		if (connect(fd, (struct sockaddr *)&a, sizeof(a)))
			break;
	}
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(open_it(&other), -EADDRINUSE);
	while (n)
		close(fds[--n]);
	listener__close(&l);
}

/* A client that waits, but not for ever: nobody accepts. */
static void within(void **state)
{
	int fds[99], n = 0, fd;

	assert_int_equal(unix_socket__connect(path, 0.1), -ENOENT);
	assert_int_equal(open_it(&l), 0);
	while ((fd = unix_socket__connect(path, 0.1)) >= 0) {
		assert_in_range(n, 0, 98);
		fds[n++] = fd;
	}
	assert_int_equal(fd, -ETIMEDOUT);
	assert_true(n > 0);
	while (n--)
		close(fds[n]);
	listener__close(&l);
	assert_int_equal(unix_socket__connect("", 1), -EINVAL);
}

static void no_socket(void **state)
{
	close(creat(path, 0600));
	assert_int_equal(open_it(&l), -EEXIST);
	assert_non_null(strstr(why, "no socket"));
	assert_true(is_there());
	unlink(path);
	/* Not even if it leads to nowhere. */
	assert_int_equal(symlink("nowhere", path), 0);
	assert_int_equal(open_it(&l), -EEXIST);
	unlink(path);
}

static void paths_that_cannot_be(void **state)
{
	char line[200];

	snprintf(line, sizeof(line), "%s/none/socket", dir);
	assert_int_equal(listener__open(&l, line, why, sizeof(why)), -ENOENT);
	assert_non_null(strstr(why, "cannot listen at '"));
	assert_non_null(strstr(why, "make its folder first"));
	assert_int_equal(listener__open(&l, "/proc/version/s", why, sizeof(why)), -ENOTDIR);
	assert_non_null(strstr(why, "give a path in a folder"));
	if (!geteuid()) {
		assert_int_equal(seteuid(65534), 0);
		assert_int_equal(open_it(&l), -EACCES);
		assert_int_equal(seteuid(0), 0);
		assert_non_null(strstr(why, "a folder that this user may write to"));
	}
	assert_int_equal(listener__open(&l, "", why, sizeof(why)), -EINVAL);
	assert_int_equal(unix_socket__connect("", INFINITY), -EINVAL);
	memset(line, 'a', sizeof(line));
	line[sizeof(line) - 1] = '\0';
	assert_int_equal(listener__open(&l, line, why, sizeof(why)), -ENAMETOOLONG);
	assert_non_null(strstr(why, "at most 107 bytes, not 199"));
	assert_int_equal(unix_socket__connect(line, INFINITY), -ENAMETOOLONG);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(for_its_owner), CASE(connecting), CASE(in_use),	CASE(left_behind),
		CASE(full),	     CASE(within),     CASE(no_socket), CASE(paths_that_cannot_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
