// SPDX-License-Identifier: GPL-2.0
/* Guest memory: in many pieces, changed while requests are in flight, taken away. */
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include <cmocka.h>

#include "../unit/skips.h"
#include "backend.h"
#include "load.h"
#include "raw.h"

#define FAR (1ULL << 40)
#define MIB (1ULL << 20)

static struct frontend f;

static void *at(__u64 gpa)
{
	return ram__at(&f.ram, gpa, 1);
}

static int read_to(__u64 gpa, __u32 bytes)
{
	return frontend__rw(&f, 0, VIRTIO_BLK_T_IN, 0, gpa, bytes);
}

/* --- many regions --- */

static void use_last_region(struct backend *b, const struct frontend_opts *o)
{
	const struct ram_region *last;

	backend__open(b, &f, o);
	last = &f.ram.region[f.ram.nr - 1];
	put_pattern(b->disk, 0, 5);
	assert_int_equal(read_to(last->gpa + last->bytes - RAM_PAGE, RAM_PAGE), 0);
	assert_true(has_pattern(at(last->gpa + last->bytes - RAM_PAGE), 0, 5));
	frontend__free(&f);
}

static void test_regions(void **state)
{
	for (unsigned n = 2; n <= 8; n *= 2)
		use_last_region(*state, &(struct frontend_opts){.regions = n});
}

/* One by one: more than fit a table. */
static void test_slots(void **state)
{
	use_last_region(*state, &(struct frontend_opts){.regions = 30, .memory = 120 * MIB});
}

/* Memory that begins somewhere in its file. */
static void test_offset(void **state)
{
	struct backend *b = *state;

	backend__open(b, &f, NULL);
	assert_int_equal(ram__add(&f.ram, FAR, MIB, 3 * RAM_PAGE, false), 0);
	assert_int_equal(frontend__share_memory(&f), 0);
	put_pattern(b->disk, 0, 6);
	assert_int_equal(read_to(FAR, RAM_PAGE), 0);
	assert_true(has_pattern(at(FAR), 0, 6));
	frontend__free(&f);
}

/* A piece that lies in two regions, one after the other. */
static void test_across_regions(void **state)
{
	struct backend *b = *state;

	backend__open(b, &f, NULL);
	assert_int_equal(ram__add(&f.ram, FAR, MIB, 0, false), 0);
	assert_int_equal(ram__add(&f.ram, FAR + MIB, MIB, 0, false), 0);
	assert_int_equal(frontend__share_memory(&f), 0);
	for (unsigned i = 0; i < 4; i++)
		put_pattern(b->disk + i * RAM_PAGE, i, 1);
	assert_int_equal(read_to(FAR + MIB - 2 * RAM_PAGE, 4 * RAM_PAGE), 0);
	for (unsigned i = 0; i < 4; i++)
		assert_true(has_pattern(at(FAR + MIB + i * RAM_PAGE - 2 * RAM_PAGE), i, 1));
	/* Back to the disk, cut amid a page. */
	assert_int_equal(frontend__rw(&f, 0, VIRTIO_BLK_T_OUT, 64 * RAM_PAGE,
				      FAR + MIB - 2 * RAM_PAGE, 4 * RAM_PAGE),
			 0);
	assert_memory_equal(b->disk, b->disk + 64 * RAM_PAGE, 4 * RAM_PAGE);
	frontend__free(&f);
}

#define HUGE_PAGES "/proc/sys/vm/nr_hugepages"

/* -1: not known here. */
static long huge_pages(void)
{
	FILE *file = fopen(HUGE_PAGES, "r");
	long n = -1;

	if (!file)
		return -1;
	if (fscanf(file, "%ld", &n) != 1)
		n = -1;
	fclose(file);
	return n;
}

static int set_huge_pages(long n)
{
	FILE *file = fopen(HUGE_PAGES, "w");

	if (!file)
		return -errno;
	fprintf(file, "%ld", n);
	return fclose(file) ? -errno : 0;
}

static void test_huge_pages(void **state)
{
	long had = huge_pages();

	if (had < 0 || set_huge_pages(had + 8))
		because("the pool of huge pages can't be set (needs root)");
	use_last_region(*state, &(struct frontend_opts){.memory = 8 * MIB, .hugetlb = true});
	set_huge_pages(had);
}

/* --- what is refused --- */

static int add(__u64 gpa, __u64 bytes, __u64 hva, __u64 offset)
{
	struct vu_msg m = {.header = {VU_ADD_MEM_REG, 0, sizeof(m.slot)}, .nr_fds = 1};
	int err;

	m.slot.region = (struct vu_region){gpa, bytes, hva, offset};
	m.fd[0] = memfd_create("more", MFD_CLOEXEC);
	assert_int_equal(ftruncate(m.fd[0], MIB), 0);
	err = frontend__tell(&f, &m);
	/* The answer is in m now. */
	return err;
}

static void test_bad_regions(void **state)
{
	const __u64 hva = 1ULL << 45;
	__u64 there;

	backend__open(*state, &f, NULL);
	there = f.ram.region[0].gpa;
	/* Over another. */
	assert_int_equal(add(there, MIB, hva, 0), -EREMOTEIO);
	assert_int_equal(add(there + f.ram.region[0].bytes - RAM_PAGE, MIB, hva, 0), -EREMOTEIO);
	/* Beyond the file's end, by length and by offset. */
	assert_int_equal(add(FAR, 2 * MIB, hva, 0), -EREMOTEIO);
	assert_int_equal(add(FAR, MIB, hva, RAM_PAGE), -EREMOTEIO);
	assert_int_equal(add(FAR, MIB, hva, ~0ULL - 4095), -EREMOTEIO);
	/* That end at 2^64 or wrap. */
	assert_int_equal(add(~0ULL - MIB / 2, MIB, hva, 0), -EREMOTEIO);
	assert_int_equal(add(FAR, MIB, ~0ULL - MIB / 2, 0), -EREMOTEIO);
	assert_int_equal(add(FAR, 0, hva, 0), -EREMOTEIO);
	assert_int_equal(add(FAR, ~0ULL, hva, 0), -EREMOTEIO);
	assert_int_equal(add(FAR + 1, RAM_PAGE, hva, 0), -EREMOTEIO);
	/* And one that is right. */
	assert_int_equal(add(FAR, MIB, hva, 0), 0);
	assert_int_equal(read_to(FAR + MIB - RAM_PAGE, RAM_PAGE), 0);
	frontend__free(&f);
}

static void test_too_many_slots(void **state)
{
	__u64 slots;
	unsigned n = 1;

	backend__open(*state, &f, NULL);
	assert_int_equal(frontend__ask_u64(&f, VU_GET_MAX_MEM_SLOTS, &slots), 0);
	assert_in_range(slots, 8, 4096);
	for (; n < slots; n++)
		assert_int_equal(add(FAR + n * MIB, MIB, (1ULL << 45) + n * MIB, 0), 0);
	assert_int_equal(add(FAR + n * MIB, MIB, (1ULL << 45) + n * MIB, 0), -EREMOTEIO);
	assert_int_equal(read_to(FAR + (n - 1) * MIB, RAM_PAGE), 0);
	frontend__free(&f);
}

static void test_remove_unknown(void **state)
{
	struct ram_region other;

	backend__open(*state, &f, NULL);
	other = f.ram.region[0];
	for (int i = 0; i < 3; i++) {
		struct ram_region *r = &f.ram.region[0];

		r->gpa += i == 0 ? RAM_PAGE : 0;
		r->bytes -= i == 1 ? RAM_PAGE : 0;
		r->base += i == 2 ? RAM_PAGE : 0;
		assert_int_equal(frontend__remove_region(&f, 0), -EREMOTEIO);
		*r = other;
	}
	assert_int_equal(read_to(RAM_PAGE * 1024, RAM_PAGE), 0);
	frontend__free(&f);
}

/* --- changes while requests are in flight --- */

static struct load loads[2];

static void begin_load(struct backend *b, const struct frontend_opts *o)
{
	__u64 seed = random__seed();

	backend__open(b, &f, o);
	for (unsigned q = 0; q < 2; q++)
		load__start(&loads[q], &f, q, seed);
}

static void end_load(struct backend *b)
{
	for (unsigned q = 0; q < 2; q++)
		load__end(&loads[q]);
	for (unsigned q = 0; q < 2; q++)
		load__check(&loads[q], b->disk);
	frontend__free(&f);
}

static void await_more(void)
{
	for (unsigned q = 0; q < 2; q++)
		load__await(&loads[q], loads[q].done + 50);
}

static void test_slots_under_load(void **state)
{
	begin_load(*state, &(struct frontend_opts){.queues = 2});
	for (unsigned i = 0; i < 30; i++) {
		await_more();
		assert_int_equal(ram__add(&f.ram, FAR, 4 * MIB, 0, false), 0);
		assert_int_equal(frontend__add_region(&f, 1), 0);
		await_more();
		assert_int_equal(frontend__remove_region(&f, 1), 0);
		ram__remove(&f.ram, 1);
	}
	end_load(*state);
}

static void test_table_under_load(void **state)
{
	begin_load(*state, &(struct frontend_opts){.queues = 2});
	for (unsigned i = 0; i < 30; i++) {
		await_more();
		assert_int_equal(frontend__share_memory(&f), 0);
	}
	end_load(*state);
}

/* What is not there any more cannot be used. */
static void test_removed(void **state)
{
	struct raw c;

	backend__open(*state, &f, NULL);
	raw__init(&c, &f, 0);
	assert_int_equal(ram__add(&f.ram, FAR, MIB, 0, false), 0);
	assert_int_equal(frontend__add_region(&f, 1), 0);
	assert_int_equal(read_to(FAR, RAM_PAGE), 0);
	assert_int_equal(frontend__remove_region(&f, 1), 0);
	raw__request(&c, VIRTIO_BLK_T_IN, 0, FAR, RAM_PAGE);
	raw__submit(&c);
	assert_int_equal(raw__wait(&c, 20000), 0);
	frontend__free(&f);
}

/* The answer comes when nothing is in flight any more, and no sooner. */
static void test_waits_for_requests(void **state)
{
	struct vu_msg m = {.header = {VU_ADD_MEM_REG, VU_NEED_REPLY, sizeof(m.slot)}, .nr_fds = 1};
	struct ring_seg seg = {0, RAM_PAGE};
	struct blk_io io = {.type = VIRTIO_BLK_T_IN, .seg = &seg, .nr = 1};
	struct backend *b = *state;
	struct timeval t = {.tv_usec = 50000};

	backend__open(b, &f, NULL);
	seg.gpa = ram__alloc(&f.ram, RAM_PAGE, RAM_PAGE);
	b->shared->hold = 1;
	assert_int_equal(frontend__queue(&f, 0, &io), 0);
	frontend__publish(&f, 0);
	await(&b->shared->held, 1);
	assert_int_equal(ram__add(&f.ram, FAR, MIB, 0, false), 0);
	m.slot.region = (struct vu_region){FAR, MIB, (__u64)f.ram.region[1].base, 0};
	m.fd[0] = f.ram.region[1].fd;
	assert_int_equal(link__send(f.sock, &m), 0);
	setsockopt(f.sock, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
	assert_int_equal(link__recv(f.sock, &m), -ETIMEDOUT);
	assert_false(io.done);
	t.tv_sec = LINK_SECONDS;
	setsockopt(f.sock, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
	b->shared->hold = 0;
	assert_int_equal(link__recv(f.sock, &m), 0);
	assert_int_equal(m.u64, 0);
	assert_int_equal(frontend__wait(&f, 0, &io), 0);
	assert_int_equal(io.status, 0);
	frontend__free(&f);
}

/* The front end has the same memory elsewhere, as after QEMU's own moves. */
static void test_moved(void **state)
{
	struct ram_region *r = &f.ram.region[0];
	struct driver_ring *ring = &f.queue[0].ring;
	struct backend *b = *state;
	char *old;

	backend__open(b, &f, NULL);
	put_pattern(b->disk, 0, 8);
	for (unsigned i = 0; i < 3; i++) {
		old = r->base;
		r->base = mmap(NULL, r->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, 0);
		assert_ptr_not_equal(r->base, MAP_FAILED);
		ring->desc = (void *)((char *)ring->desc - old + r->base);
		ring->avail = (void *)((char *)ring->avail - old + r->base);
		ring->used = (void *)((char *)ring->used - old + r->base);
		assert_int_equal(frontend__stop_queue(&f, 0), ring->used_idx);
		assert_int_equal(frontend__share_memory(&f), 0);
		assert_int_equal(frontend__start_queue(&f, 0), 0);
		munmap(old, r->bytes);
		assert_int_equal(read_to(32 * MIB, RAM_PAGE), 0);
		assert_true(has_pattern(at(32 * MIB), 0, 8));
	}
	frontend__free(&f);
}

/* --- memory that is taken away --- */

/* The server goes on, and this front end is left. */
static void truncate_under(struct backend *b, __u32 type)
{
	struct ring_seg seg = {FAR, RAM_PAGE};
	struct blk_io io = {.type = type, .seg = &seg, .nr = 1};
	unsigned warns = b->shared->warns;

	backend__open(b, &f, NULL);
	assert_int_equal(ram__add(&f.ram, FAR, MIB, 0, false), 0);
	assert_int_equal(frontend__add_region(&f, 1), 0);
	assert_int_equal(read_to(FAR, RAM_PAGE), 0);
	put_pattern(b->disk, 0, 9);
	assert_int_equal(ftruncate(f.ram.region[1].fd, 0), 0);
	assert_int_equal(frontend__queue(&f, 0, &io), 0);
	frontend__publish(&f, 0);
	assert_int_equal(link__hung_up(f.sock, 20000), 1);
	await(&b->shared->warns, warns + 1);
	/* Zeroes that were read there must not be written. */
	assert_true(has_pattern(b->disk, 0, 9));
	frontend__free(&f);
	use_last_region(b, NULL);
}

static void test_truncated(void **state)
{
	truncate_under(*state, VIRTIO_BLK_T_IN);
	truncate_under(*state, VIRTIO_BLK_T_OUT);
}

/* The rings themselves. */
static void test_truncated_rings(void **state)
{
	struct backend *b = *state;

	backend__open(b, &f, NULL);
	assert_int_equal(ftruncate(f.ram.region[0].fd, 0), 0);
	driver_ring__force_kick(&f.queue[0].ring);
	assert_int_equal(link__hung_up(f.sock, 20000), 1);
	frontend__free(&f);
	use_last_region(b, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		both(test_regions),
		both(test_slots),
		both(test_offset),
		own(test_across_regions),
		own(test_huge_pages),
		own(test_bad_regions),
		own(test_too_many_slots),
		own(test_remove_unknown),
		own(test_slots_under_load),
		own(test_table_under_load),
		own(test_removed),
		own(test_waits_for_requests),
		own(test_moved),
		own(test_truncated),
		own(test_truncated_rings),
	};

	cmocka_set_test_filter(getenv("TEST"));
	return skips__status(cmocka_run_group_tests(tests, NULL, NULL));
}
