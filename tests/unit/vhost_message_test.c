// SPDX-License-Identifier: GPL-2.0
/* vhost-user messages on a socket, and the socket that front ends come to. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "../../cache/vhost/message.h"
#include "random.h"

struct pair {
	int here, there;
	int fds; /* open at first */
	struct vhost_msg msg;
	const char *reason;
};

static int open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static int set_up(void **state)
{
	struct pair *p = calloc(1, sizeof(*p));
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
	p->here = fd[0];
	p->there = fd[1];
	p->fds = open_fds();
	*state = p;
	return 0;
}

/* Whatever happened, no fd is left over. */
static int tear_down(void **state)
{
	struct pair *p = *state;

	vhost_msg__clear(&p->msg, NULL);
	assert_int_equal(open_fds(), p->fds);
	close(p->here);
	if (p->there >= 0)
		close(p->there);
	free(p);
	return 0;
}

/* With so many fds beside. */
static void send_bytes(struct pair *p, const void *bytes, size_t n, unsigned fds)
{
	char control[CMSG_SPACE(64 * sizeof(int))] = {0};
	struct iovec v = {(void *)bytes, n};
	struct msghdr h = {.msg_iov = &v, .msg_iovlen = 1};

	if (fds) {
		struct cmsghdr *c;

		h.msg_control = control;
		h.msg_controllen = CMSG_SPACE(fds * sizeof(int));
		c = CMSG_FIRSTHDR(&h);
		*c = (struct cmsghdr){CMSG_LEN(fds * sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
		for (unsigned i = 0; i < fds; i++)
			memcpy(CMSG_DATA(c) + i * sizeof(int), &p->here, sizeof(int));
	}
	assert_int_equal(sendmsg(p->there, &h, 0), n);
}

static size_t build(void *out, __u32 request, __u32 flags, const void *payload, __u32 size)
{
	struct vhost_header h = {request, flags, size};

	memcpy(out, &h, sizeof(h));
	if (size)
		memcpy((char *)out + sizeof(h), payload, size);
	return sizeof(h) + size;
}

static int receive(struct pair *p)
{
	return vhost_msg__read(&p->msg, p->here, &p->reason);
}

static void test_whole(void **state)
{
	struct pair *p = *state;
	char bytes[100];
	__u64 value = 0x1234567890;
	int fd;

	assert_int_equal(receive(p), 0);
	send_bytes(p, bytes, build(bytes, 2, 1, &value, 8), 1);
	send_bytes(p, bytes, build(bytes, 3, 1, NULL, 0), 2);
	assert_int_equal(receive(p), 1);
	assert_int_equal(p->msg.header.request, 2);
	assert_int_equal(p->msg.u64, value);
	assert_int_equal(p->msg.nr_fds, 1);
	fd = vhost_msg__take_fd(&p->msg, 0);
	assert_true(fd >= 0);
	assert_int_equal(vhost_msg__take_fd(&p->msg, 0), -1);
	assert_int_equal(vhost_msg__take_fd(&p->msg, 1), -1);
	close(fd);
	vhost_msg__clear(&p->msg, NULL);
	assert_int_equal(receive(p), 1);
	assert_int_equal(p->msg.header.request, 3);
	assert_int_equal(p->msg.nr_fds, 2);
}

/* In pieces of any size; what comes next stays on the socket. */
static void test_in_pieces(void **state)
{
	struct pair *p = *state;
	struct random r = {random__seed()};
	struct vhost_table table = {.nr = 3};
	char bytes[600];

	for (int i = 0; i < 500; i++) {
		size_t all, at = 0, n;

		table.region[7].offset = i;
		all = build(bytes, 5, 9, &table, sizeof(table));
		while (at < all) {
			assert_int_equal(receive(p), 0);
			n = 1 + random__below(&r, all - at);
			send_bytes(p, bytes + at, n, at ? 0 : random__below(&r, 9));
			at += n;
		}
		send_bytes(p, bytes, build(bytes, 1, 1, NULL, 0), 0);
		assert_int_equal(receive(p), 1);
		assert_memory_equal(&p->msg.table, &table, sizeof(table));
		vhost_msg__clear(&p->msg, NULL);
		assert_int_equal(receive(p), 1);
		assert_int_equal(p->msg.header.request, 1);
		vhost_msg__clear(&p->msg, NULL);
	}
}

static void test_bad_headers(void **state)
{
	static const struct vhost_header bad[] = {
		{1, 0, 0},	 {1, 2, 0},  {1, 3, 0}, {1, 1 | VHOST_REPLY, 0},
		{1, 1, 1 << 20}, {1, 1, -1},
	};
	struct pair *p = *state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		send_bytes(p, &bad[i], sizeof(bad[i]), 1);
		assert_int_equal(receive(p), -EPROTO);
		assert_non_null(p->reason);
		vhost_msg__clear(&p->msg, NULL);
	}
}

static void test_too_many_fds(void **state)
{
	struct pair *p = *state;
	__u64 value = 0;
	char bytes[100];
	size_t n = build(bytes, 2, 1, &value, 8);

	send_bytes(p, bytes, n, VHOST_FDS + 1);
	assert_int_equal(receive(p), -EPROTO);
	vhost_msg__clear(&p->msg, NULL);
	while (recv(p->here, bytes, 1, MSG_DONTWAIT) > 0)
		;
	send_bytes(p, bytes, n, 60);
	assert_int_equal(receive(p), -EPROTO);
	vhost_msg__clear(&p->msg, NULL);
	while (recv(p->here, bytes, 1, MSG_DONTWAIT) > 0)
		;
	/* Some with each piece. */
	n = build(bytes, 2, 1, &value, 8);
	send_bytes(p, bytes, 1, 5);
	assert_int_equal(receive(p), 0);
	send_bytes(p, bytes + 1, n - 1, 4);
	assert_int_equal(receive(p), -EPROTO);
}

static void test_end(void **state)
{
	struct pair *p = *state;

	send_bytes(p, "123", 3, 1);
	close(p->there);
	p->there = -1;
	p->fds--;
	assert_int_equal(receive(p), -EPIPE);
	assert_true(p->msg.got);
}

static void test_reply(void **state)
{
	struct pair *p = *state;
	struct vhost_msg back = {0};
	__u64 value = 99;

	p->msg.header.request = 17;
	assert_int_equal(vhost_msg__reply(&p->msg, &value, 8, p->here, p->here), 0);
	/* A reply is nothing that a front end may send, so reading it goes no further. */
	assert_int_equal(vhost_msg__read(&back, p->there, &p->reason), -EPROTO);
	assert_int_equal(back.header.request, 17);
	assert_int_equal(back.header.flags, VHOST_VERSION | VHOST_REPLY);
	assert_int_equal(back.header.size, 8);
	assert_int_equal(back.nr_fds, 1);
	assert_int_equal(read(p->there, &value, 8), 8);
	assert_int_equal(value, 99);
	vhost_msg__clear(&back, NULL);
}

/* Who asks and does not listen gets no answer, and nobody waits. */
static void test_deaf(void **state)
{
	struct pair *p = *state;
	char bytes[VHOST_CONFIG_BYTES] = {0};
	int err = 0;

	for (int i = 0; i < 100000 && !err; i++)
		err = vhost_msg__reply(&p->msg, bytes, sizeof(bytes), p->here, -1);
	assert_int_equal(err, -EAGAIN);
	close(p->there);
	p->there = -1;
	p->fds--;
	assert_int_equal(vhost_msg__reply(&p->msg, bytes, 8, p->here, -1), -EPIPE);
}

#define test(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(test_whole),	 test(test_in_pieces), test(test_bad_headers),
		test(test_too_many_fds), test(test_end),       test(test_reply),
		test(test_deaf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
