// SPDX-License-Identifier: GPL-2.0
/* Loops: messages in their order from any thread, file descriptors, polling, sleeping and waking.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "../../cache/loop.h"

#define MESSAGES 2000
#define THREADS 3

struct numbered {
	struct loop_msg msg;
	struct loop *loop;
	unsigned thread, n;
};

struct order {
	unsigned next[THREADS], total;
};

static struct order order;

static void arrived(struct loop_msg *m)
{
	struct numbered *x = (struct numbered *)m;

	assert_int_equal(x->n, order.next[x->thread]);
	order.next[x->thread]++;
	if (++order.total == THREADS * MESSAGES)
		loop__stop(x->loop);
}

static void *post_all(void *arg)
{
	struct numbered *x = arg;

	for (int i = 0; i < MESSAGES; i++) {
		loop__post(x[i].loop, &x[i].msg);
		if (i % 100 == 0)
			usleep(100); /* the loop falls asleep in between */
	}
	return NULL;
}

static void test_messages(void **state)
{
	struct loop *l = loop__new();
	struct numbered *m[THREADS];
	pthread_t t[THREADS];

	order = (struct order){};
	for (unsigned k = 0; k < THREADS; k++) {
		m[k] = calloc(MESSAGES, sizeof(*m[k]));
		for (unsigned i = 0; i < MESSAGES; i++)
			m[k][i] = (struct numbered){{.fn = arrived}, l, k, i};
		pthread_create(&t[k], NULL, post_all, m[k]);
	}
	loop__run(l);
	assert_int_equal(order.total, THREADS * MESSAGES);
	for (unsigned k = 0; k < THREADS; k++) {
		pthread_join(t[k], NULL);
		free(m[k]);
	}
	loop__free(l);
}

/* There and back between two threads: neither sleeps through a message. */
struct ball {
	struct loop_msg msg;
	struct loop *loop[2];
	unsigned passes;
};

static void pass(struct loop_msg *m)
{
	struct ball *b = (struct ball *)m;

	if (++b->passes == 20000) {
		loop__stop(b->loop[0]);
		loop__stop(b->loop[1]);
		return;
	}
	loop__post(b->loop[b->passes % 2], m);
}

static void test_ping_pong(void **state)
{
	struct ball b = {.msg.fn = pass, .loop = {loop__new(), loop__new()}};

	loop__spin(b.loop[1], 2000);
	assert_int_equal(loop__start(b.loop[1], "partner"), 0);
	loop__post(b.loop[0], &b.msg);
	loop__run(b.loop[0]);
	loop__join(b.loop[1]);
	assert_int_equal(b.passes, 20000);
	loop__free(b.loop[0]);
	loop__free(b.loop[1]);
}

/* --- file descriptors --- */

struct reader {
	struct loop_fd f;
	struct loop *loop;
	struct reader *other;
	int calls;
};

/* The first of two that are ready takes the other one away. */
static void ready(struct loop_fd *f, __u32 events)
{
	struct reader *r = (struct reader *)f;

	r->calls++;
	loop__unwatch(r->loop, &r->other->f);
	loop__unwatch(r->loop, f);
	loop__stop(r->loop);
}

static void test_unwatch_in_batch(void **state)
{
	struct loop *l = loop__new();
	struct reader a = {.loop = l}, b = {.loop = l, .other = &a};
	int p[2], q[2];

	a.other = &b;
	assert_int_equal(pipe(p) | pipe(q), 0);
	a.f = (struct loop_fd){p[0], ready};
	b.f = (struct loop_fd){q[0], ready};
	assert_int_equal(loop__watch(l, &a.f, EPOLLIN), 0);
	assert_int_equal(loop__watch(l, &b.f, EPOLLIN), 0);
	assert_int_equal(write(p[1], "x", 1) + write(q[1], "x", 1), 2);
	loop__run(l);
	assert_int_equal(a.calls + b.calls, 1);
	loop__unwatch(l, &a.f); /* not watched: fine */
	for (int i = 0; i < 2; i++) {
		close(p[i]);
		close(q[i]);
	}
	loop__free(l);
}

static void test_bad_fd(void **state)
{
	struct loop *l = loop__new();
	struct loop_fd f = {-1, ready};

	assert_true(loop__watch(l, &f, EPOLLIN) < 0);
	loop__free(l);
}

/* --- polling --- */

struct worker {
	struct loop_poll p;
	struct loop *loop;
	int polls, arms, work, late;
};

static bool work(struct loop_poll *p)
{
	struct worker *w = (struct worker *)p;

	w->polls++;
	if (!w->work)
		return false;
	w->work--;
	return true;
}

/* Once, work comes between the last look and falling asleep. */
static bool arm(struct loop_poll *p)
{
	struct worker *w = (struct worker *)p;

	w->arms++;
	if (w->late) {
		w->work = w->late;
		w->late = 0;
		return true;
	}
	assert_int_equal(w->work, 0);
	loop__del_poll(w->loop, p);
	loop__stop(w->loop);
	return false;
}

static void test_poll(void **state)
{
	struct loop *l = loop__new();
	struct worker w = {{.fn = work, .arm = arm}, .loop = l, .work = 5, .late = 3};

	loop__add_poll(l, &w.p);
	loop__run(l);
	assert_int_equal(w.arms, 2);
	assert_int_equal(w.polls, 5 + 1 + 3 + 1);
	loop__free(l);
}

static void test_nothing(void **state)
{
	struct loop *l = loop__new();

	assert_true(loop__now(l) > 0);
	loop__join(l); /* never started */
	loop__free(l);
	loop__free(NULL);
}

struct turned {
	struct loop_msg msg;
	struct loop_fd fd;
	int messages, bytes;
};

static void on_turn(struct loop_msg *m)
{
	((struct turned *)m)->messages++;
}

static void on_byte(struct loop_fd *f, __u32 events)
{
	struct turned *t = (struct turned *)((char *)f - offsetof(struct turned, fd));
	char byte;

	t->bytes += read(f->fd, &byte, 1) == 1;
}

/* A turn handles what there is, and comes back. */
static void test_turn(void **state)
{
	struct loop *l = loop__new();
	struct turned t = {.msg.fn = on_turn, .fd.fn = on_byte};
	int ends[2];

	assert_non_null(l);
	assert_int_equal(pipe(ends), 0);
	t.fd.fd = ends[0];
	assert_int_equal(loop__watch(l, &t.fd, EPOLLIN), 0);
	assert_false(loop__turn(l));
	loop__post(l, &t.msg);
	assert_true(loop__turn(l));
	assert_int_equal(t.messages, 1);
	assert_false(loop__turn(l));
	assert_int_equal(write(ends[1], "ab", 2), 2);
	while (loop__turn(l))
		;
	assert_int_equal(t.bytes, 2);
	assert_int_equal(t.messages, 1);
	loop__unwatch(l, &t.fd);
	close(ends[0]);
	close(ends[1]);
	loop__free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_ping_pong),
		cmocka_unit_test(test_unwatch_in_batch),
		cmocka_unit_test(test_bad_fd),
		cmocka_unit_test(test_poll),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_turn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
