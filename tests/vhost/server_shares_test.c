// SPDX-License-Identifier: GPL-2.0
/* VMs that share one cache: what each has of it, by minimum, maximum and share, while it runs; what
 * one had, another gets, emptied. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "../../cache/store/arena.h"
#include "backend.h"
#include "rig.h"

#define MIB (1ULL << 20)
#define CHUNKS 16u
#define PAGES 10240u /* of a disk: more than the cache takes */
/* Of a request, and of guest memory; requests between two looks at what came of them. */
#define GROUP 32u
#define ROUND 8u
/* Within which what is to come about has to: it takes a hundred. */
#define ROUNDS 1500u

/* A VM that reads its disk over and over. */
struct vm {
	struct rig rig;
	struct frontend f;
	__u64 memory, salt;
	unsigned at;
};

static struct vm a, b;

/* --- VMs --- */

static void fill_disk(struct vm *v)
{
	for (__u64 i = 0; i < PAGES; i++)
		put_pattern(v->rig.disk + i * RAM_PAGE, i, v->salt);
	assert_int_equal(msync(v->rig.disk, v->rig.bytes, MS_SYNC), 0);
}

static void open_vm(struct vm *v)
{
	fill_disk(v);
	rig__open(&v->rig, &v->f, NULL);
	v->memory = ram__alloc(&v->f.ram, GROUP * RAM_PAGE, RAM_PAGE);
}

static struct vm new_vm(__u64 salt)
{
	return (struct vm){.salt = salt,
			   .rig = {.bytes = (__u64)PAGES * RAM_PAGE,
				   .cache = CHUNKS * ARENA_CHUNK,
				   .audit = 7}};
}

/* The server with both; bounds and shares may have been set. */
static void begin(void)
{
	rig__start(&a.rig);
	rig__add_disk(&a.rig, &b.rig);
	open_vm(&a);
	open_vm(&b);
}

static void end_vm(struct vm *v)
{
	const struct served_counts c = rig__disk(&v->rig).counts;

	assert_true(c.audited > 0 || !c.hits);
	assert_int_equal(c.audit_failed, 0);
	assert_int_equal(c.errors, 0);
	frontend__free(&v->f);
}

static int setup(void **state)
{
	a = new_vm(1);
	b = new_vm(2);
	return 0;
}

static int end(void **state)
{
	end_vm(&a);
	end_vm(&b);
	rig__stop(&a.rig);
	rig__remove_image(&b.rig);
	rig__end(&a.rig);
	return 0;
}

/* The next pages, which are its own disk's; what the frames held before is evicted. */
static void read_group(struct vm *v)
{
	assert_int_equal(frontend__rw(&v->f, 0, VIRTIO_BLK_T_IN, (__u64)v->at * RAM_PAGE, v->memory,
				      GROUP * RAM_PAGE),
			 0);
	for (unsigned i = 0; i < GROUP; i++)
		assert_true(has_pattern(ram__at(&v->f.ram, v->memory + i * RAM_PAGE, RAM_PAGE),
					v->at + i, v->salt));
	v->at = (v->at + GROUP) % PAGES;
}

/* --- who has what --- */

static unsigned chunks(struct vm *v)
{
	const struct server_disk d = rig__disk(&v->rig);

	assert_true(d.cache.cached <= d.cache.slots);
	return d.cache.slots / ARENA_SLOTS;
}

static bool is_settled(unsigned of_a, unsigned of_b)
{
	const struct server_cache c = rig__cache(&a.rig);

	/* What is taken is not always a shard's already, but no less than theirs. */
	assert_true(c.taken <= c.capacity + c.excess);
	return chunks(&a) == of_a && chunks(&b) == of_b && !c.excess;
}

/* While those that are active want all they can get, each comes to have so many chunks; and keeps
 * them. */
static void expect_chunks(struct vm *one, struct vm *other, unsigned of_a, unsigned of_b)
{
	unsigned round = 0, steady = 0;

	for (; steady < 20 && round < ROUNDS; round++) {
		for (unsigned i = 0; i < ROUND; i++) {
			read_group(one);
			if (other)
				read_group(other);
		}
		steady = is_settled(of_a, of_b) ? steady + 1 : 0;
		usleep(1000);
	}
	if (steady < 20)
		fail_msg("%u and %u chunks, not %u and %u", chunks(&a), chunks(&b), of_a, of_b);
}

/* --- the tests --- */

/* Nobody's share is lost while others need none of theirs, and it is there when they do. */
static void test_shares(void **state)
{
	a.rig.share = 300;
	b.rig.share = 100;
	begin();
	/* One is there from the start. */
	expect_chunks(&a, NULL, CHUNKS - 1, 1);
	expect_chunks(&a, &b, 12, 4);
	assert_true(rig__disk(&a.rig).counts.evicted > 0);
	rig__set(&b.rig, 0, 0, 300);
	expect_chunks(&a, &b, 8, 8);
	rig__set(&a.rig, 0, 0, 100);
	expect_chunks(&a, &b, 4, 12);
	/* One that rests keeps what nobody else has a right to. */
	expect_chunks(&b, NULL, 4, 12);
}

static void test_maximum(void **state)
{
	a.rig.max = 8 * MIB;
	begin();
	expect_chunks(&a, &b, 4, CHUNKS - 4);
	rig__set(&b.rig, 0, 4 * MIB, 100);
	expect_chunks(&a, &b, 4, 2);
	rig__set(&a.rig, 0, 0, 100);
	expect_chunks(&a, &b, CHUNKS - 2, 2);
}

/* A minimum is kept against any share, then by whom it is not wanted by any more. */
static void test_minimum(void **state)
{
	a.rig.share = 1000000;
	b.rig.share = 1;
	b.rig.min = 8 * MIB;
	begin();
	expect_chunks(&b, NULL, 1, CHUNKS - 1);
	expect_chunks(&a, NULL, CHUNKS - 4, 4);
	expect_chunks(&a, &b, CHUNKS - 4, 4);
	rig__set(&b.rig, 2 * MIB, 0, 1);
	expect_chunks(&a, &b, CHUNKS - 1, 1);
	/* Above the minima: by shares. */
	rig__set(&a.rig, 4 * MIB, 0, 100);
	rig__set(&b.rig, 12 * MIB, 0, 300);
	expect_chunks(&a, &b, 2 + 2, 6 + 6);
}

static void test_resize(void **state)
{
	begin();
	expect_chunks(&a, &b, 8, 8);
	rig__resize(&a.rig, 4 * ARENA_CHUNK);
	expect_chunks(&a, &b, 2, 2);
	rig__resize(&a.rig, 24 * ARENA_CHUNK);
	expect_chunks(&a, &b, 12, 12);
	rig__resize(&a.rig, 0);
	expect_chunks(&a, &b, 0, 0);
	rig__resize(&a.rig, CHUNKS * ARENA_CHUNK);
	expect_chunks(&a, &b, 8, 8);
}

/* --- what is left in slots --- */

struct found {
	unsigned zero, own, others;
};

static void look(void *ctx, const void *slot)
{
	static const char zero[RAM_PAGE];
	struct found *f = ctx;
	__u64 number = (*(const __u64 *)slot ^ b.salt * 0x9e3779b97f4a7c15ULL) >> 20;

	if (!memcmp(slot, zero, RAM_PAGE))
		f->zero++;
	else if (has_pattern(slot, number, b.salt))
		f->own++;
	else
		f->others++;
}

/* What a VM gets of another one's cache has nothing of that one's pages: it is all zeroes, but for
 * what it put there itself. */
static void check_slots(void)
{
	struct found f = {};

	rig__free_slots(&b.rig, look, &f);
	assert_int_equal(f.others, 0);
	assert_true(f.zero > 0);
}

/* More pages than a chunk has slots for. */
static void read_into_chunks(void)
{
	for (unsigned i = 0; i < 2 * ARENA_SLOTS; i += GROUP)
		read_group(&b);
	for (unsigned i = 0; i < ROUNDS && chunks(&b) < 2; i++)
		usleep(1000);
	assert_in_range(chunks(&b), 2, CHUNKS / 2);
}

static void test_shrunk_for_another(void **state)
{
	begin();
	expect_chunks(&a, NULL, CHUNKS - 1, 1);
	/* It gets more than its first chunk, and all of that was the other's. */
	read_into_chunks();
	check_slots();
}

static void test_removed(void **state)
{
	begin();
	expect_chunks(&b, NULL, 1, CHUNKS - 1);
	end_vm(&b);
	rig__remove_disk(&b.rig);
	assert_int_equal(rig__cache(&a.rig).taken, ARENA_CHUNK);
	rig__remove_image(&b.rig);
	/* Another VM, the old one's name with other contents. */
	b = new_vm(3);
	rig__add_disk(&a.rig, &b.rig);
	open_vm(&b);
	read_into_chunks();
	check_slots();
	rig__resize(&a.rig, 0);
	expect_chunks(&a, &b, 0, 0);
}

#define shares(test) cmocka_unit_test_setup_teardown(test, setup, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		shares(test_shares),
		shares(test_maximum),
		shares(test_minimum),
		shares(test_resize),
		shares(test_shrunk_for_another),
		shares(test_removed),
	};

	cmocka_set_test_filter(getenv("TEST"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
