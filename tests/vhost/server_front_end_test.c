// SPDX-License-Identifier: GPL-2.0
/* Front ends that mean to hold up the server, or to fill its memory: others do not notice. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "../../cache/serve/disk.h"
#include "backend.h"
#include "rig.h"

static struct rig rig;
static struct frontend f;

static void begin(void)
{
	rig = (struct rig){};
	rig__start(&rig);
	rig__open(&rig, &f, NULL);
}

static void end(void)
{
	frontend__free(&f);
	rig__end(&rig);
}

/* --- messages --- */

struct pause {
	struct loop_msg msg;
	sem_t begun, end;
};

static void sleep_in_it(struct loop_msg *m)
{
	struct pause *p = (struct pause *)m;

	sem_post(&p->begun);
	sem_wait(&p->end);
}

/* It stands still until `end` is posted. */
static void pause_loop(struct pause *p, struct loop *l)
{
	sem_init(&p->begun, 0, 0);
	sem_init(&p->end, 0, 0);
	p->msg.fn = sleep_in_it;
	loop__post(l, &p->msg);
	sem_wait(&p->begun);
}

/* What is asked of the data loop waits there, and takes no memory. */
static void test_flood_of_tables(void **state)
{
	struct vu_msg m = {.header = {VU_SET_MEM_TABLE, 0, 8}};
	struct pause p;
	size_t before;

	begin();
	/* No ring runs. */
	assert_true(frontend__stop_queue(&f, 0) >= 0);
	pause_loop(&p, server__first_disk(rig.server)->loop[0]->loop);
	before = mallinfo2().uordblks;
	for (unsigned i = 0; i < 20000; i++)
		assert_int_equal(link__send(f.sock, &m), 0);
	assert_int_equal(frontend__sync(&f), 0);
	assert_true(mallinfo2().uordblks < before + (64 << 10));
	sem_post(&p.end);
	/* Sharing memory anew is heard of. */
	assert_int_equal(frontend__share_memory(&f), 0);
	end();
}

/* --- file descriptors that make those wait who close them --- */

/* Who closes the last of it waits for so long that it counts as for ever, or until let_go(). */
static int lingering(int *peer)
{
	const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), small = 2048;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const struct linger linger = {1, 3 * LINK_SECONDS};
	socklen_t bytes = sizeof(a);
	static char data[1 << 20];

	assert_int_equal(setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
	assert_int_equal(bind(listener, (void *)&a, bytes), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (void *)&a, &bytes), 0);
	assert_int_equal(connect(fd, (void *)&a, bytes), 0);
	*peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(*peer >= 0);
	close(listener);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
	while (send(fd, data, sizeof(data), MSG_DONTWAIT) > 0)
		;
	return fd;
}

/* A connection that is reset lingers no more. */
static void let_go(int peer)
{
	const struct linger at_once = {1, 0};

	assert_int_equal(setsockopt(peer, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
	close(peer);
}

static const struct vu_header nothing = {VU_SET_OWNER, VU_VERSION, 0};
static const struct vu_header wrong = {VU_SET_OWNER, 0, 0};

/* So many times with a message, maybe after one that makes the server leave. It has the last ones.
 */
static void send_lingering(int sock, unsigned times, bool after_wrong, int *peer)
{
	/* The loop looks at it once more. */
	static struct pause p;
	int fds[64], fd = lingering(peer);

	for (unsigned i = 0; i < times; i++)
		fds[i] = fd;
	pause_loop(&p, rig.control);
	if (after_wrong)
		assert_int_equal(link__send_raw(sock, &wrong, sizeof(wrong), NULL, 0), 0);
	assert_int_equal(link__send_raw(sock, &nothing, sizeof(nothing), fds, times), 0);
	close(fd);
	sem_post(&p.end);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* So that what was sent is taken up while the rest of the test looks. */
static void expect_alive(void)
{
	double since = now();

	while (now() - since < 0.1)
		rig__disk(&rig);
	assert_true(now() - since < LINK_SECONDS);
}

static void test_fd_of_a_message(void **state)
{
	int peer;

	begin();
	send_lingering(f.sock, 1, false, &peer);
	expect_alive();
	let_go(peer);
	/* Then its messages are read again. */
	assert_int_equal(frontend__sync(&f), 0);
	end();
}

static void test_too_many_fds(void **state)
{
	int peer;

	begin();
	send_lingering(f.sock, 60, false, &peer);
	assert_int_equal(link__hung_up(f.sock, 1000 * LINK_SECONDS), 1);
	expect_alive();
	let_go(peer);
	frontend__free(&f);
	/* The next one is not kept out. */
	rig__open(&rig, &f, NULL);
	end();
}

/* Of a message that nobody comes to read: the one before was wrong. */
static void test_fd_in_the_queue(void **state)
{
	int peer;

	begin();
	send_lingering(f.sock, 1, true, &peer);
	expect_alive();
	let_go(peer);
	frontend__free(&f);
	rig__open(&rig, &f, NULL);
	end();
}

/* Of a connection that nobody comes to accept: the server ends all the same. */
static void test_fd_of_who_waits(void **state)
{
	int peer, sock;
	double since;

	begin();
	sock = link__connect(rig.path, 0);
	assert_true(sock >= 0);
	send_lingering(sock, 1, false, &peer);
	close(sock);
	since = now();
	rig__stop(&rig);
	assert_true(now() - since < LINK_SECONDS);
	let_go(peer);
	end();
}

/* A file's pages, or its owner's word on it, may take any time as well; a disk's file stands for
 * that. */
static void test_foreign_file(void **state)
{
	struct ram_region *r;
	int own;

	begin();
	r = &f.ram.region[0];
	own = r->fd;
	r->fd = open("/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	assert_true(r->fd >= 0);
	assert_int_equal(ftruncate(r->fd, r->offset + r->bytes), 0);
	assert_int_equal(frontend__share_memory(&f), -EREMOTEIO);
	rig__disk(&rig);
	assert_non_null(strstr(rig.line, "none of memory"));
	close(r->fd);
	r->fd = own;
	assert_int_equal(frontend__share_memory(&f), 0);
	end();
}

/* An eventfd that is full makes its writer wait, whatever it was when it was given. */
static void test_full_eventfd(void **state)
{
	__u64 most = ~0ULL - 1;
	int call;

	begin();
	call = f.queue[0].ring.call;
	assert_true(frontend__stop_queue(&f, 0) >= 0);
	assert_int_equal(fcntl(call, F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(read(call, &(__u64){0}, 8) < 0 && errno != EAGAIN, 0);
	assert_int_equal(write(call, &most, sizeof(most)), sizeof(most));
	assert_int_equal(fcntl(call, F_SETFL, 0), 0);
	assert_int_equal(frontend__tell_fd(&f, VU_SET_VRING_KICK, 0, f.queue[0].ring.kick), 0);
	expect_alive();
	assert_int_equal(read(call, &most, sizeof(most)), sizeof(most));
	assert_int_equal(frontend__sync(&f), 0);
	end();
}

/* --- connections --- */

static void test_no_more_files(void **state)
{
	const int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	struct rlimit limit, none;
	double since;

	rig = (struct rig){};
	rig__start(&rig);
	strcpy(a.sun_path, rig.path);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = (struct rlimit){0, limit.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	since = now();
	assert_int_equal(connect(sock, (void *)&a, sizeof(a)), 0);
	await(&rig.lines, 1);
	usleep(300000);
	/* One a second. */
	assert_true(rig.lines <= 1 + (now() - since));
	assert_non_null(strstr(rig.line, "has to wait"));
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(frontend__open(&f, &(struct frontend_opts){.fd = sock}), 0);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flood_of_tables), cmocka_unit_test(test_fd_of_a_message),
		cmocka_unit_test(test_too_many_fds),	cmocka_unit_test(test_fd_in_the_queue),
		cmocka_unit_test(test_fd_of_who_waits), cmocka_unit_test(test_foreign_file),
		cmocka_unit_test(test_full_eventfd),	cmocka_unit_test(test_no_more_files),
	};

	/* mallinfo2() tells of one. */
	mallopt(M_ARENA_MAX, 1);
	cmocka_set_test_filter(getenv("TEST"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
