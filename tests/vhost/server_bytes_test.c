// SPDX-License-Identifier: GPL-2.0
/* The same bytes: requests at random through the cache, against what the disk should hold, with
 * every other hit compared with storage. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "../unit/random.h"
#include "mirror.h"
#include "rig.h"

#define QUEUES 4
#define FRAMES 384
#define MIB (1ULL << 20)

static struct rig rig;
static struct frontend f;
static struct mirror mirror;
static struct mirror_queue queue[QUEUES];
static __u64 seed;

static void begin(unsigned queues)
{
	rig.bytes = 48 * MIB;
	rig.queues = rig.queues ?: queues;
	rig__start(&rig);
	mirror__init(&mirror, rig.disk, rig.bytes, queues);
	assert_int_equal(msync(rig.disk, rig.bytes, MS_SYNC), 0);
	rig__open(&rig, &f, &(struct frontend_opts){.queues = queues});
	for (unsigned q = 0; q < queues; q++)
		mirror_queue__init(&queue[q], &mirror, &f, q, FRAMES, seed);
}

static void join(void)
{
	for (unsigned q = 0; q < mirror.queues; q++)
		mirror_queue__join(&queue[q]);
}

static void run(unsigned requests)
{
	for (unsigned q = 0; q < mirror.queues; q++)
		mirror_queue__start(&queue[q], requests);
}

static void check_counts(const struct served_counts *c)
{
	print_message("%llu hits, %llu misses, %llu captured, %llu changed, %llu unknown, "
		      "%llu invalidated, %llu audited\n",
		      c->hits, c->misses, c->capture[CAPTURED], c->capture[CAPTURE_CHANGED],
		      c->capture[CAPTURE_UNKNOWN], c->invalidated, c->audited);
	assert_true(c->hits > 500);
	assert_true(c->capture[CAPTURED] > c->hits);
	assert_true(c->invalidated > 0);
	assert_true(c->audited > 500);
	assert_int_equal(c->audit_failed, 0);
	assert_int_equal(c->errors, 0);
	assert_int_equal(c->refused, 0);
}

static void end(void)
{
	struct served_counts c = rig__disk(&rig).counts;

	assert_int_equal(frontend__flush(&f, 0), 0);
	frontend__free(&f);
	rig__stop(&rig);
	/* The cache holds nothing that the disk does not. */
	mirror__check(&mirror, rig.disk);
	check_counts(&c);
	for (unsigned q = 0; q < mirror.queues; q++)
		mirror_queue__free(&queue[q]);
	mirror__free(&mirror);
	rig__end(&rig);
}

static void test_one_queue(void **state)
{
	rig = (struct rig){.audit = 2};
	begin(1);
	run(6000);
	join();
	end();
}

static void test_queues(void **state)
{
	rig = (struct rig){.audit = 2, .policy = "s3fifo"};
	begin(QUEUES);
	run(3000);
	join();
	end();
}

/* More queues than the server has threads for. */
static void test_shared_threads(void **state)
{
	rig = (struct rig){.audit = 2, .queues = QUEUES - 1};
	begin(QUEUES);
	run(3000);
	join();
	end();
}

/* --- the cache changes under them --- */

static bool is_running(void)
{
	for (unsigned q = 0; q < mirror.queues; q++)
		if (!queue[q].over)
			return true;
	return false;
}

/* Frames that the VMM is said to have given up, while requests are made to them. */
static void give_up_some(struct random *r)
{
	__u64 first = random__below(r, QUEUES * FRAMES), nr = 1 + random__below(r, FRAMES);

	rig__unmapped(&rig, getpid(), f.ram.region[0].base + first * RAM_PAGE, nr * RAM_PAGE);
}

static void change(struct random *r)
{
	switch (random__below(r, 6)) {
	case 0:
		rig__drain(&rig);
		break;
	case 1:
		rig__resize(&rig, random__below(r, 24 * MIB));
		break;
	case 2:
		rig__set(&rig, random__below(r, 2 * MIB), 2 * MIB + random__below(r, 16 * MIB),
			 random__below(r, 200));
		break;
	case 3:
		/* Nothing changed, but it might have. */
		rig__invalidate(&rig, random__below(r, 8192), random__below(r, 500));
		break;
	case 4:
		give_up_some(r);
		break;
	default:
		assert_int_equal(frontend__share_memory(&f), 0);
	}
}

static void test_changes(void **state)
{
	struct random r = {seed};

	rig = (struct rig){.audit = 2, .cache = 16 * MIB};
	begin(2);
	run(5000);
	while (is_running()) {
		change(&r);
		usleep(random__below(&r, 20000));
	}
	join();
	end();
}

/* --- what the control loop has for shards while they change hands --- */

static void ignore(void *ctx, const void *slot)
{
}

/* What is asked of them now and then has an answer. */
static void *keep_invalidating(void *arg)
{
	struct random r = {seed};

	while (is_running()) {
		rig__invalidate(&rig, random__below(&r, 8192), 1 + random__below(&r, 20));
		if (random__one_in(&r, 4))
			rig__free_slots(&rig, ignore, NULL);
	}
	return NULL;
}

static void test_hands(void **state)
{
	pthread_t thread;

	rig = (struct rig){.audit = 2};
	begin(QUEUES);
	run(2500);
	assert_int_equal(pthread_create(&thread, NULL, keep_invalidating, NULL), 0);
	while (is_running()) {
		assert_int_equal(frontend__share_memory(&f), 0);
		usleep(20000);
	}
	pthread_join(thread, NULL);
	join();
	end();
}

/* A server that ends, and another: with what the disk holds, and nothing else. */
static void test_again(void **state)
{
	rig = (struct rig){.audit = 2};
	begin(2);
	for (unsigned i = 0; i < 4; i++) {
		run(1000);
		join();
		if (i == 3)
			break;
		rig__stop(&rig);
		mirror__check(&mirror, rig.disk);
		frontend__disconnect(&f);
		rig__go_on(&rig);
		assert_int_equal(frontend__resume(&f), 0);
	}
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_queue),      cmocka_unit_test(test_queues),
		cmocka_unit_test(test_changes),	       cmocka_unit_test(test_hands),
		cmocka_unit_test(test_shared_threads), cmocka_unit_test(test_again),
	};

	seed = random__seed();
	cmocka_set_test_filter(getenv("TEST"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
