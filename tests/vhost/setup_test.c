// SPDX-License-Identifier: GPL-2.0
/* How a device is set up: messages in many orders, acknowledged or not, and messages that are
 * wrong. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>
#include <linux/virtio_config.h>
#include <cmocka.h>

#include "../unit/random.h"
#include "backend.h"

#define BIT(n) (1ULL << (n))

static struct frontend f;

static struct frontend_opts options(const struct backend *b)
{
	return (struct frontend_opts){.path = b->path, .patience = 20};
}

static void check_alive(unsigned q)
{
	__u64 frame = ram__alloc(&f.ram, RAM_PAGE, RAM_PAGE);

	assert_int_equal(frontend__rw(&f, q, VIRTIO_BLK_T_IN, 0, frame, RAM_PAGE), 0);
}

static void open_and_use(struct backend *b, const struct frontend_opts *o)
{
	backend__open(b, &f, o);
	for (unsigned q = 0; q < f.nr_queues; q++)
		check_alive(q);
	frontend__free(&f);
}

/* --- features --- */

static void test_offered(void **state)
{
	backend__open(*state, &f, NULL);
	assert_true(f.offered & BIT(VIRTIO_F_VERSION_1));
	assert_true(f.offered & BIT(VIRTIO_RING_F_INDIRECT_DESC));
	assert_true(f.offered & BIT(VIRTIO_RING_F_EVENT_IDX));
	assert_true(f.offered & VU_F_PROTOCOL_FEATURES);
	assert_true(f.protocol_offered & VU_P_MQ);
	assert_true(f.protocol_offered & VU_P_REPLY_ACK);
	assert_true(f.protocol_offered & VU_P_CONFIG);
	assert_true(f.protocol_offered & VU_P_CONFIGURE_MEM_SLOTS);
	assert_int_equal(f.queues_offered, BACKEND_QUEUES);
	frontend__free(&f);
}

static void test_offered_own(void **state)
{
	backend__open(*state, &f, NULL);
	assert_true(f.protocol_offered & VU_P_INFLIGHT_SHMFD);
	/* Not without what it takes. */
	assert_false(f.offered & VU_F_LOG_ALL);
	assert_false(f.offered & BIT(VIRTIO_BLK_F_CONFIG_WCE));
	assert_false(f.protocol_offered & VU_P_LOG_SHMFD);
	frontend__free(&f);
}

/* Every feature may be left out. */
static void test_fewer_features(void **state)
{
	const struct frontend_opts o[] = {
		{.no_protocol = VU_P_REPLY_ACK},
		{.no_protocol = VU_P_MQ},
		{.no_protocol = VU_P_INFLIGHT_SHMFD},
		{.no_protocol = VU_P_CONFIGURE_MEM_SLOTS},
		{.no_protocol = VU_P_CONFIG},
		{.no_protocol = ~0ULL},
		{.no_protocol = VU_P_REPLY_ACK, .queues = BACKEND_QUEUES},
		/* Rings are enabled without being told, then. */
		{.no_features = VU_F_PROTOCOL_FEATURES},
	};

	for (unsigned i = 0; i < sizeof(o) / sizeof(o[0]); i++)
		open_and_use(*state, &o[i]);
}

static void test_features_not_offered(void **state)
{
	struct frontend_opts o = options(*state);

	assert_int_equal(frontend__init(&f, &o), 0);
	assert_int_equal(frontend__connect(&f), 0);
	assert_int_equal(frontend__negotiate(&f), 0);
	assert_int_equal(frontend__tell_u64(&f, VU_SET_FEATURES, f.features | VU_F_LOG_ALL),
			 -EREMOTEIO);
	assert_int_equal(frontend__tell_u64(&f, VU_SET_PROTOCOL_FEATURES, f.protocol | BIT(40)),
			 -EREMOTEIO);
	/* As it was. */
	assert_int_equal(frontend__share_memory(&f), 0);
	assert_int_equal(frontend__start(&f), 0);
	check_alive(0);
	frontend__free(&f);
}

/* --- orders --- */

enum step { NUM, BASE, ADDR, ERR, CALL, KICK, ENABLE, STEPS };

static int do_step(enum step step, unsigned q)
{
	struct driver_ring *r = &f.queue[q].ring;

	switch (step) {
	case NUM:
		return frontend__tell_state(&f, VU_SET_VRING_NUM, q, r->size);
	case BASE:
		return frontend__tell_state(&f, VU_SET_VRING_BASE, q, 0);
	case ADDR:
		return frontend__set_addr(&f, q);
	case ERR:
		return frontend__tell_fd(&f, VU_SET_VRING_ERR, q, r->err);
	case CALL:
		return frontend__tell_fd(&f, VU_SET_VRING_CALL, q, r->call);
	case KICK:
		return frontend__tell_fd(&f, VU_SET_VRING_KICK, q, r->kick);
	default:
		return frontend__tell_state(&f, VU_SET_VRING_ENABLE, q, 1);
	}
}

static void shuffle(struct random *r, enum step *steps)
{
	for (unsigned i = 0; i < STEPS; i++)
		steps[i] = i;
	for (unsigned i = STEPS - 1; i; i--) {
		unsigned j = random__below(r, i + 1);
		enum step other = steps[j];

		steps[j] = steps[i];
		steps[i] = other;
	}
}

static void start_in_any_order(struct backend *b, struct random *r)
{
	bool memory_first = random__one_in(r, 2);
	struct vu_msg m = {.header = {VU_GET_FEATURES, 0, 0}};
	struct frontend_opts o = options(b);
	enum step steps[STEPS];

	o.no_protocol = random__one_in(r, 2) ? VU_P_REPLY_ACK : 0;
	assert_int_equal(frontend__init(&f, &o), 0);
	assert_int_equal(frontend__connect(&f), 0);
	assert_int_equal(frontend__negotiate(&f), 0);
	if (memory_first)
		assert_int_equal(frontend__share_memory(&f), 0);
	shuffle(r, steps);
	for (unsigned i = 0; i < STEPS; i++)
		assert_int_equal(do_step(steps[i], 0), 0);
	if (!memory_first)
		assert_int_equal(frontend__share_memory(&f), 0);
	/* Without REPLY_ACK, the last ones may not be there yet: a base set after the first request
	 * would be that request's once more. */
	assert_int_equal(link__ask(f.sock, &m), 0);
}

/* The specification names no order of messages about a ring. */
static void test_any_order(void **state)
{
	struct random r = {random__seed()};

	for (unsigned i = 0; i < 40; i++) {
		start_in_any_order(*state, &r);
		check_alive(0);
		frontend__free(&f);
	}
}

static void test_again(void **state)
{
	backend__open(*state, &f, NULL);
	for (unsigned i = 0; i < 20; i++) {
		assert_int_equal(frontend__share_memory(&f), 0);
		for (unsigned s = 0; s < STEPS; s++) {
			/* Where the used ring is, not 0. */
			if (s != BASE)
				assert_int_equal(do_step(s, 0), 0);
		}
		check_alive(0);
	}
	frontend__free(&f);
}

static void test_disabled(void **state)
{
	struct ring_seg seg;
	struct blk_io io = {.type = VIRTIO_BLK_T_IN, .seg = &seg, .nr = 1};

	backend__open(*state, &f, &(struct frontend_opts){.queues = 2});
	seg = (struct ring_seg){ram__alloc(&f.ram, RAM_PAGE, RAM_PAGE), RAM_PAGE};
	assert_int_equal(frontend__tell_state(&f, VU_SET_VRING_ENABLE, 0, 0), 0);
	assert_int_equal(frontend__queue(&f, 0, &io), 0);
	frontend__publish(&f, 0);
	driver_ring__force_kick(&f.queue[0].ring);
	check_alive(1);
	usleep(20000);
	assert_int_equal(frontend__reap(&f, 0), 0);
	assert_int_equal(frontend__tell_state(&f, VU_SET_VRING_ENABLE, 0, 1), 0);
	assert_int_equal(frontend__wait(&f, 0, &io), 0);
	assert_int_equal(io.status, 0);
	frontend__free(&f);
}

/* Some queues of those there are. */
static void test_one_of_many(void **state)
{
	struct frontend_opts o = options(*state);

	o.queues = BACKEND_QUEUES;
	assert_int_equal(frontend__init(&f, &o), 0);
	assert_int_equal(frontend__connect(&f), 0);
	assert_int_equal(frontend__negotiate(&f), 0);
	assert_int_equal(frontend__share_memory(&f), 0);
	assert_int_equal(frontend__start_queue(&f, BACKEND_QUEUES - 1), 0);
	check_alive(BACKEND_QUEUES - 1);
	frontend__free(&f);
}

/* No kicks: the ring is polled. */
static void test_no_kick_fd(void **state)
{
	backend__open(*state, &f, NULL);
	assert_true(frontend__stop_queue(&f, 0) >= 0);
	assert_int_equal(frontend__tell_fd(&f, VU_SET_VRING_KICK, 0, -1), 0);
	for (unsigned i = 0; i < 20; i++)
		check_alive(0);
	frontend__free(&f);
}

/* To write to a socket or pipe that nobody reads would end the server; what has no type need not be
 * an eventfd. */
static void test_no_eventfd(void **state)
{
	int socket[2], pipes[2], file = memfd_create("file", MFD_CLOEXEC);
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);

	backend__open(*state, &f, NULL);
	assert_int_equal(link__pair(socket), 0);
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	close(socket[1]);
	close(pipes[0]);
	for (__u32 request = VU_SET_VRING_KICK; request <= VU_SET_VRING_ERR; request++) {
		assert_int_equal(frontend__tell_fd(&f, request, 0, socket[0]), -EREMOTEIO);
		assert_int_equal(frontend__tell_fd(&f, request, 0, pipes[1]), -EREMOTEIO);
		assert_int_equal(frontend__tell_fd(&f, request, 0, file), -EREMOTEIO);
		assert_int_equal(frontend__tell_fd(&f, request, 0, timer), -EREMOTEIO);
	}
	/* The ring has what it had. */
	check_alive(0);
	close(socket[0]);
	close(pipes[1]);
	close(file);
	close(timer);
	frontend__free(&f);
}

static void test_reset(void **state)
{
	backend__open(*state, &f, NULL);
	f.protocol |= VU_P_RESET_DEVICE;
	assert_int_equal(frontend__tell_u64(&f, VU_SET_PROTOCOL_FEATURES, f.protocol), 0);
	assert_int_equal(frontend__tell(&f, &(struct vu_msg){.header.request = VU_RESET_DEVICE}),
			 0);
	assert_int_equal(frontend__tell_u64(&f, VU_SET_FEATURES, f.features), 0);
	assert_int_equal(frontend__start(&f), 0);
	check_alive(0);
	frontend__free(&f);
}

/* --- configuration space --- */

static int get_config(__u32 offset, __u32 bytes, struct vu_msg *m)
{
	*m = (struct vu_msg){.header.request = VU_GET_CONFIG};
	m->config.offset = offset;
	m->config.bytes = bytes;
	m->header.bytes = offsetof(struct vu_config, data) + bytes;
	return link__ask(f.sock, m);
}

static void test_parts_of_config(void **state)
{
	const __u8 *config = (const void *)&f.config;
	struct vu_msg m;

	backend__open(*state, &f, NULL);
	for (unsigned at = 0; at < 56; at += 4) {
		assert_int_equal(get_config(at, 4, &m), 0);
		assert_int_equal(m.header.bytes, offsetof(struct vu_config, data) + 4);
		assert_memory_equal(m.config.data, config + at, 4);
	}
	/* All that there may be. */
	assert_int_equal(get_config(0, 256, &m), 0);
	assert_int_equal(m.header.bytes, sizeof(m.config));
	assert_memory_equal(m.config.data, config, 56);
	/* An empty answer says no. */
	assert_int_equal(get_config(256, 4, &m), 0);
	assert_int_equal(m.header.bytes, 0);
	assert_int_equal(get_config(0xffffffff, 4, &m), 0);
	assert_int_equal(m.header.bytes, 0);
	check_alive(0);
	frontend__free(&f);
}

static void test_set_config(void **state)
{
	struct vu_msg m = {.header = {VU_SET_CONFIG, 0, offsetof(struct vu_config, data) + 1}};

	backend__open(*state, &f, NULL);
	m.config = (struct vu_config){.offset = 32, .bytes = 1};
	assert_int_equal(frontend__tell(&f, &m), -EREMOTEIO);
	check_alive(0);
	frontend__free(&f);
}

/* --- front ends --- */

static void test_socket_mode(void **state)
{
	struct backend *b = *state;
	struct stat s;

	open_and_use(b, NULL);
	assert_int_equal(stat(b->path, &s), 0);
	assert_int_equal(s.st_mode & 0777, 0600);
	assert_int_equal(s.st_uid, getuid());
}

/* One at a time: another waits, and is served after. */
static void test_two_front_ends(void **state)
{
	struct backend *b = *state;
	int sock;

	backend__open(b, &f, NULL);
	sock = link__connect(b->path, 20);
	assert_true(sock >= 0);
	check_alive(0);
	assert_int_equal(b->shared->connects, 1);
	frontend__free(&f);
	await(&b->shared->connects, 2);
	close(sock);
	open_and_use(b, NULL);
}

static void test_many_front_ends(void **state)
{
	for (unsigned i = 0; i < 50; i++)
		open_and_use(*state, NULL);
}

/* --- wrong messages --- */

static unsigned open_fds(const struct backend *b)
{
	char path[64];
	unsigned n = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/fd", b->pid);
	d = opendir(path);
	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* Once its front end is gone, there is nothing left of it. Fewer than before: those of the one
 * ahead of it were still being closed then. */
static void await_fds(const struct backend *b, unsigned n)
{
	for (int i = 0; i < 20000 && open_fds(b) > n; i++)
		usleep(1000);
	assert_true(open_fds(b) <= n);
}

struct wrong {
	__u32 request, bytes;
	__u64 word[6]; /* of the payload */
	unsigned nr_fds;
};

/* From a front end that has done all but to start its rings. */
static void send_wrong(struct backend *b, const struct wrong *w, bool ack)
{
	struct frontend_opts o = options(b);
	struct vu_msg m = {.header = {w->request, ack ? VU_NEED_REPLY : 0, w->bytes}};
	int fd[VU_FDS];

	assert_int_equal(frontend__init(&f, &o), 0);
	assert_int_equal(frontend__connect(&f), 0);
	assert_int_equal(frontend__negotiate(&f), 0);
	assert_int_equal(frontend__share_memory(&f), 0);
	memcpy(m.bytes, w->word, sizeof(w->word));
	for (unsigned i = 0; i < w->nr_fds; i++)
		m.fd[i] = fd[i] = open("/dev/null", O_RDWR | O_CLOEXEC);
	m.nr_fds = w->nr_fds;
	assert_int_equal(link__send(f.sock, &m), 0);
	/* Refused or left; not a word too many, nor is it waited for more. */
	if (!link__recv(f.sock, &m)) {
		assert_true(ack);
		assert_int_equal(m.header.request, w->request);
		assert_true(m.header.bytes == 0 || m.u64 != 0);
		link__close_fds(&m);
	}
	for (unsigned i = 0; i < w->nr_fds; i++)
		close(fd[i]);
	frontend__free(&f);
}

#define EVERY 0xffffffffffffffffULL

static const struct wrong wrongs[] = {
	/* No such request. */
	{0, 0, {0}, 0},
	{26, 8, {0}, 0},
	{1000, 0, {0}, 0},
	{0xffffffff, 8, {0}, 1},
	{VU_SET_LOG_BASE, 16, {4096, 0}, 1},
	{VU_IOTLB_MSG, 32, {0}, 0},
	{VU_SET_BACKEND_REQ_FD, 0, {0}, 1},
	/* Lengths. */
	{VU_SET_FEATURES, 4, {0}, 0},
	{VU_SET_FEATURES, 16, {0}, 0},
	{VU_SET_FEATURES, 0, {0}, 0},
	{VU_SET_VRING_NUM, 4, {0}, 0},
	{VU_SET_VRING_ADDR, 39, {0}, 0},
	{VU_SET_MEM_TABLE, 4, {0}, 0},
	{VU_SET_MEM_TABLE, 8, {1}, 1},
	{VU_SET_VRING_KICK, 4, {0}, 1},
	{VU_ADD_MEM_REG, 8, {0}, 1},
	{VU_SET_INFLIGHT_FD, 8, {0}, 1},
	/* More regions than can be, than there are, than fds. */
	{VU_SET_MEM_TABLE, 40, {0xffffffff, 0, 4096, 1 << 20}, 1},
	{VU_SET_MEM_TABLE, 40, {9, 0, 4096, 1 << 20}, 1},
	{VU_SET_MEM_TABLE, 40, {1, 0, 4096, 1 << 20}, 0},
	{VU_SET_MEM_TABLE, 40, {1, 0, 4096, 1 << 20}, 2},
	/* Regions that are not: /dev/null is no file of memory; of no or odd length, that wrap. */
	{VU_SET_MEM_TABLE, 40, {1, 0, 4096, 1 << 20}, 1},
	{VU_SET_MEM_TABLE, 40, {1, 0, 0, 1 << 20}, 1},
	{VU_SET_MEM_TABLE, 40, {1, 0, 4095, 1 << 20}, 1},
	{VU_SET_MEM_TABLE, 40, {1, EVERY - 4095, 8192, 1 << 20}, 1},
	{VU_ADD_MEM_REG, 40, {0, 1ULL << 40, 4096, 1 << 20, 0}, 0},
	{VU_ADD_MEM_REG, 40, {0, 1ULL << 40, 4096, 1 << 20, 0}, 1},
	{VU_REM_MEM_REG, 40, {0, 1ULL << 40, 4096, 1 << 20, 0}, 0},
	/* Rings that there are not. */
	{VU_SET_VRING_NUM, 8, {BACKEND_QUEUES | 128ULL << 32}, 0},
	{VU_SET_VRING_NUM, 8, {0xffffffffULL | 128ULL << 32}, 0},
	{VU_SET_VRING_BASE, 8, {BACKEND_QUEUES}, 0},
	{VU_GET_VRING_BASE, 8, {BACKEND_QUEUES}, 0},
	{VU_SET_VRING_ENABLE, 8, {BACKEND_QUEUES | 1ULL << 32}, 0},
	{VU_SET_VRING_ADDR, 40, {BACKEND_QUEUES}, 0},
	{VU_SET_VRING_KICK, 8, {BACKEND_QUEUES}, 1},
	{VU_SET_VRING_CALL, 8, {255}, 1},
	{VU_SET_VRING_ERR, 8, {255}, 1},
	/* Sizes and indices that cannot be. */
	{VU_SET_VRING_NUM, 8, {0}, 0},
	{VU_SET_VRING_NUM, 8, {3ULL << 32}, 0},
	{VU_SET_VRING_NUM, 8, {65536ULL << 32}, 0},
	{VU_SET_VRING_BASE, 8, {65536ULL << 32}, 0},
	{VU_SET_VRING_ENABLE, 8, {2ULL << 32}, 0},
	/* No fd where one is told of. */
	{VU_SET_VRING_KICK, 8, {0}, 0},
	{VU_SET_VRING_CALL, 8, {0}, 0},
	{VU_SET_VRING_ERR, 8, {0}, 0},
	{VU_SET_INFLIGHT_FD, 24, {4096, 0, 128ULL << 16 | 1}, 0},
	/* Logs that cannot be. */
	{VU_GET_INFLIGHT_FD, 24, {0, 0, 0}, 0},
	{VU_GET_INFLIGHT_FD, 24, {0, 0, 0xffffffff}, 0},
	{VU_SET_INFLIGHT_FD, 24, {1 << 20, 0, 128ULL << 16 | 1}, 1},
	{VU_SET_INFLIGHT_FD, 24, {EVERY, EVERY, 128ULL << 16 | 1}, 1},
};

static void test_wrong(void **state)
{
	struct backend *b = *state;
	unsigned fds;

	open_and_use(b, NULL);
	await(&b->shared->disconnects, 1);
	fds = open_fds(b);
	for (unsigned i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++) {
		unsigned warns = b->shared->warns;

		send_wrong(b, &wrongs[i], i % 2);
		await(&b->shared->warns, warns + 1);
	}
	open_and_use(b, NULL);
	await_fds(b, fds);
}

/* Fds that nobody asked for are closed. */
static void test_too_many_fds(void **state)
{
	struct backend *b = *state;
	int fd[32];
	unsigned fds;

	open_and_use(b, NULL);
	await(&b->shared->disconnects, 1);
	fds = open_fds(b);
	for (unsigned i = 0; i < 32; i++)
		fd[i] = open("/dev/null", O_RDWR | O_CLOEXEC);
	backend__open(b, &f, NULL);
	for (unsigned n = 1; n <= VU_FDS; n++) {
		struct vu_header h = {VU_GET_FEATURES, VU_VERSION, 0};
		struct vu_msg m;

		assert_int_equal(link__send_raw(f.sock, &h, sizeof(h), fd, n), 0);
		assert_int_equal(link__recv(f.sock, &m), 0);
	}
	check_alive(0);
	link__send_raw(f.sock, &(struct vu_header){VU_GET_FEATURES, VU_VERSION, 0},
		       sizeof(struct vu_header), fd, 32);
	frontend__free(&f);
	for (unsigned i = 0; i < 32; i++)
		close(fd[i]);
	open_and_use(b, NULL);
	await_fds(b, fds);
}

static void expect_hang_up(struct backend *b, const void *data, size_t bytes)
{
	unsigned warns = b->shared->warns;
	int sock = link__connect(b->path, 20);

	assert_true(sock >= 0);
	assert_int_equal(link__send_raw(sock, data, bytes, NULL, 0), 0);
	assert_int_equal(link__hung_up(sock, 20000), 1);
	assert_int_equal(b->shared->warns, warns + 1);
	close(sock);
}

static void test_headers(void **state)
{
	const struct vu_header bad[] = {
		{VU_GET_FEATURES, 0, 0},
		{VU_GET_FEATURES, 2, 0},
		{VU_GET_FEATURES, VU_VERSION | VU_REPLY, 0},
		{VU_SET_FEATURES, VU_VERSION, 0xffffffff},
		{VU_SET_FEATURES, VU_VERSION, 4096},
	};

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		expect_hang_up(*state, &bad[i], sizeof(bad[i]));
	open_and_use(*state, NULL);
}

/* In single bytes, as a stream may be cut. */
static void test_bytes(void **state)
{
	struct vu_header h[2] = {{VU_GET_FEATURES, VU_VERSION, 0},
				 {VU_GET_PROTOCOL_FEATURES, VU_VERSION, 0}};
	struct vu_msg m;

	backend__open(*state, &f, NULL);
	for (unsigned i = 0; i < sizeof(h); i++) {
		assert_int_equal(link__send_raw(f.sock, (char *)h + i, 1, NULL, 0), 0);
		usleep(200);
	}
	assert_int_equal(link__recv(f.sock, &m), 0);
	assert_int_equal(m.u64, f.offered);
	assert_int_equal(link__recv(f.sock, &m), 0);
	assert_int_equal(m.u64, f.protocol_offered);
	frontend__free(&f);
}

static void test_half_a_message(void **state)
{
	struct backend *b = *state;
	struct vu_header h = {VU_SET_FEATURES, VU_VERSION, 8};

	for (unsigned bytes = 1; bytes <= sizeof(h); bytes++) {
		unsigned warns = b->shared->warns;
		int sock = link__connect(b->path, 20);

		assert_int_equal(link__send_raw(sock, &h, bytes, NULL, 0), 0);
		close(sock);
		await(&b->shared->warns, warns + 1);
	}
	open_and_use(b, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		both(test_offered),	   own(test_offered_own),
		both(test_fewer_features), own(test_features_not_offered),
		own(test_any_order),	   both(test_again),
		own(test_disabled),	   both(test_one_of_many),
		own(test_no_kick_fd),	   own(test_no_eventfd),
		own(test_reset),	   own(test_parts_of_config),
		own(test_set_config),	   own(test_socket_mode),
		own(test_two_front_ends),  both(test_many_front_ends),
		own(test_wrong),	   own(test_too_many_fds),
		own(test_headers),	   own(test_bytes),
		own(test_half_a_message),
	};

	cmocka_set_test_filter(getenv("TEST"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
