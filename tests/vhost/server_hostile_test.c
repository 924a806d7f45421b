// SPDX-License-Identifier: GPL-2.0
/* A guest that changes its memory while requests are in flight, and has many in flight to the same
 * frame: what it gets is its own affair, but nothing that is not on the disk gets into the cache,
 * and others in the guest see what they wrote. Every hit is compared with storage. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>

#include "mirror.h"
#include "rig.h"

#define FRAMES 48
#define DEPTH 32
#define SEGS 16
#define MIB (1ULL << 20)

static struct rig rig;
static struct frontend f;
static __u64 seed;

struct request {
	struct blk_io io;
	struct ring_seg seg[SEGS];
};

/* Requests to a part of the disk of its own, in frames that nobody keeps apart. */
struct careless {
	unsigned queue;
	__u64 memory, first, pages; /* of the disk */
	struct random random;
	struct request request[DEPTH];
	unsigned limit;
	int err;
	pthread_t thread, scribbler;
	atomic_bool stop;
};

static void fill_in(struct careless *c, struct request *r)
{
	unsigned nr = 1 + random__below(&c->random, SEGS);
	__u64 page = c->first + random__below(&c->random, c->pages - nr);

	for (unsigned i = 0; i < nr; i++)
		r->seg[i] = (struct ring_seg){
			c->memory + random__below(&c->random, FRAMES) * RAM_PAGE, RAM_PAGE};
	r->io = (struct blk_io){.type = random__one_in(&c->random, 3) ? VIRTIO_BLK_T_OUT
								      : VIRTIO_BLK_T_IN,
				.sector = page * (RAM_PAGE / SECTOR),
				.seg = r->seg,
				.nr = nr,
				.done = true};
}

static unsigned submit_idle(struct careless *c)
{
	unsigned n = 0;

	for (unsigned i = 0; i < DEPTH && !c->err; i++) {
		if (!c->request[i].io.done)
			continue;
		fill_in(c, &c->request[i]);
		c->err = frontend__queue(&f, c->queue, &c->request[i].io);
		n++;
	}
	frontend__publish(&f, c->queue);
	return n;
}

static void *make_requests(void *arg)
{
	struct careless *c = arg;

	for (unsigned made = submit_idle(c); made < c->limit && !c->err; made += submit_idle(c)) {
		int n = frontend__wait_some(&f, c->queue);

		if (n < 0)
			c->err = n;
	}
	if (!c->err)
		c->err = frontend__wait_all(&f, c->queue);
	return NULL;
}

/* A word here, a word there; now and then what was there before again. */
static void *scribble(void *arg)
{
	struct careless *c = arg;
	struct random r = {seed ^ 1};
	__u64 *words = ram__at(&f.ram, c->memory, FRAMES * RAM_PAGE);

	while (!c->stop) {
		_Atomic __u64 *w = (void *)&words[random__below(&r, FRAMES * RAM_PAGE / 8)];
		__u64 was = *w;

		*w = random__next(&r);
		if (random__one_in(&r, 2))
			*w = was;
	}
	return NULL;
}

/* The same word of each frame becomes the same, again and again: a page that it was in when it was
 * looked at is as it was then when it is looked at later. */
static void *insist(void *arg)
{
	struct careless *c = arg;
	__u64 *words = ram__at(&f.ram, c->memory, FRAMES * RAM_PAGE);

	for (unsigned i = 0; !c->stop; i = (i + 1) % FRAMES)
		*(_Atomic __u64 *)&words[i * (RAM_PAGE / 8) + 8] = i;
	return NULL;
}

static void start_careless(struct careless *c, void *(*scribbler)(void *))
{
	c->memory = ram__alloc(&f.ram, FRAMES * RAM_PAGE, RAM_PAGE);
	assert_int_not_equal(c->memory, 0);
	for (unsigned i = 0; i < DEPTH; i++)
		c->request[i].io.done = true;
	assert_int_equal(pthread_create(&c->thread, NULL, make_requests, c), 0);
	if (scribbler)
		assert_int_equal(pthread_create(&c->scribbler, NULL, scribbler, c), 0);
}

static void end_careless(struct careless *c, void *(*scribbler)(void *))
{
	assert_int_equal(pthread_join(c->thread, NULL), 0);
	c->stop = true;
	if (scribbler)
		assert_int_equal(pthread_join(c->scribbler, NULL), 0);
	assert_int_equal(c->err, 0);
	for (unsigned i = 0; i < DEPTH; i++)
		assert_int_equal(c->request[i].io.times, 1);
}

/* Each page, twice, as the guest sees it, is what the image has. */
static void check_image(void)
{
	__u64 frame = ram__alloc(&f.ram, RAM_PAGE, RAM_PAGE);

	assert_int_equal(frontend__flush(&f, 0), 0);
	for (unsigned i = 0; i < 2; i++) {
		for (__u64 page = 0; page < rig.bytes / RAM_PAGE; page++) {
			assert_int_equal(frontend__rw(&f, 0, VIRTIO_BLK_T_IN, page * RAM_PAGE,
						      frame, RAM_PAGE),
					 0);
			assert_memory_equal(ram__at(&f.ram, frame, RAM_PAGE),
					    rig.disk + page * RAM_PAGE, RAM_PAGE);
		}
	}
}

static void run_careless(unsigned queues, void *(*scribbler)(void *))
{
	struct careless c = {.queue = queues - 1, .random = {seed}, .limit = 8000};
	struct mirror_queue q;
	struct mirror mirror;
	struct served_counts counts;

	rig = (struct rig){.audit = 1, .queues = queues, .bytes = 24 * MIB};
	rig__start(&rig);
	/* The first part is kept as it should be, by the first queue. */
	mirror__init(&mirror, rig.disk, 16 * MIB, 1);
	assert_int_equal(msync(rig.disk, rig.bytes, MS_SYNC), 0);
	rig__open(&rig, &f, &(struct frontend_opts){.queues = queues});
	c.first = 16 * MIB / RAM_PAGE;
	c.pages = 1 * MIB / RAM_PAGE;
	mirror_queue__init(&q, &mirror, &f, 0, 384, seed);
	start_careless(&c, scribbler);
	if (queues > 1)
		mirror_queue__start(&q, 3000);
	end_careless(&c, scribbler);
	if (queues > 1)
		mirror_queue__join(&q);
	check_image();
	mirror__check(&mirror, rig.disk);
	counts = rig__disk(&rig).counts;
	print_message("%llu hits, %llu audited in vain, %llu captured, %llu changed, %llu unknown, "
		      "%llu writing\n",
		      counts.hits, counts.audit_overlapped, counts.capture[CAPTURED],
		      counts.capture[CAPTURE_CHANGED], counts.capture[CAPTURE_UNKNOWN],
		      counts.capture[CAPTURE_WRITING]);
	assert_int_equal(counts.audit_failed, 0);
	assert_int_equal(counts.audited, counts.hits);
	assert_int_equal(counts.errors, 0);
	assert_true(counts.hits > counts.audit_overlapped);
	frontend__free(&f);
	mirror_queue__free(&q);
	mirror__free(&mirror);
	rig__end(&rig);
}

static void test_same_frames(void **state)
{
	run_careless(1, NULL);
}

static void test_scribbled(void **state)
{
	run_careless(1, scribble);
}

static void test_insisting(void **state)
{
	run_careless(1, insist);
}

static void test_others(void **state)
{
	run_careless(3, scribble);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_frames),
		cmocka_unit_test(test_scribbled),
		cmocka_unit_test(test_insisting),
		cmocka_unit_test(test_others),
	};

	seed = random__seed();
	cmocka_set_test_filter(getenv("TEST"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
