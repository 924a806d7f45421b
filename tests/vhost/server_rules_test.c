// SPDX-License-Identifier: GPL-2.0
/* The exclusive cache's rules, one request at a time: which pages enter it, which are found in it,
 * and what takes them out. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>
#include <cmocka.h>

#include "backend.h"
#include "rig.h"

#define FRAMES 64

static struct rig rig;
static struct frontend f;
static __u64 memory;

static int set_up(struct rig as)
{
	rig = as;
	rig__start(&rig);
	rig__open(&rig, &f, NULL);
	memory = ram__alloc(&f.ram, FRAMES * RAM_PAGE, RAM_PAGE);
	for (__u64 i = 0; i < 4096; i++)
		put_pattern(rig.disk + i * RAM_PAGE, i, 1);
	/* Reads past the page cache see them. */
	assert_int_equal(msync(rig.disk, rig.bytes, MS_SYNC), 0);
	return 0;
}

static int setup(void **state)
{
	return set_up((struct rig){});
}

static int setup_audited(void **state)
{
	return set_up((struct rig){.audit = 1});
}

static int setup_smallest(void **state)
{
	return set_up((struct rig){.cache = ARENA_CHUNK});
}

static int setup_small(void **state)
{
	return set_up((struct rig){.audit = 1, .cache = 4 << 20, .queues = 4});
}

static int end_with(__u64 audits_failed, __u64 errors)
{
	const struct server_disk d = rig__disk(&rig);

	assert_int_equal(d.counts.audit_failed, audits_failed);
	assert_int_equal(d.counts.errors, errors);
	frontend__free(&f);
	rig__end(&rig);
	return 0;
}

static int end(void **state)
{
	return end_with(0, 0);
}

static int end_failed_audit(void **state)
{
	return end_with(1, 0);
}

static int end_failed_request(void **state)
{
	return end_with(0, 1);
}

static __u64 frame(unsigned i)
{
	return memory + i * RAM_PAGE;
}

static void *bytes_of(unsigned i)
{
	return ram__at(&f.ram, frame(i), RAM_PAGE);
}

static void read_raw(unsigned page, unsigned to)
{
	assert_int_equal(frontend__rw(&f, 0, VIRTIO_BLK_T_IN, page * RAM_PAGE, frame(to), RAM_PAGE),
			 0);
}

static void read_page(unsigned page, unsigned to, __u64 version)
{
	read_raw(page, to);
	assert_true(has_pattern(bytes_of(to), page, version));
}

static void write_page(unsigned page, unsigned from, __u64 version)
{
	put_pattern(bytes_of(from), page, version);
	assert_int_equal(
		frontend__rw(&f, 0, VIRTIO_BLK_T_OUT, page * RAM_PAGE, frame(from), RAM_PAGE), 0);
}

static struct served_counts counts(void)
{
	return rig__disk(&rig).counts;
}

#define expect(counter, n) assert_int_equal(counts().counter, n)

/* What a loop has is told when it sleeps. */
static void expect_cached(__u64 n)
{
	for (unsigned i = 0; i < 5000 && rig__disk(&rig).cache.cached != n; i++)
		usleep(1000);
	assert_int_equal(rig__disk(&rig).cache.cached, n);
}

/* The page is in frame 1 now, and frame 0 held it: it was evicted, and captured. */
static void evict(unsigned page, unsigned other)
{
	read_page(page, 0, 1);
	read_page(other, 0, 1);
}

static void test_capture_and_hit(void **state)
{
	evict(10, 11);
	expect(misses, 2);
	expect(capture[CAPTURED], 1);
	expect_cached(1);
	read_page(10, 1, 1);
	expect(hits, 1);
	expect(misses, 2);
	expect(storage_reads, 2 + counts().audited);
	/* Never in both. */
	expect_cached(0);
	/* And again. */
	read_page(12, 1, 1);
	read_page(10, 2, 1);
	expect(hits, 2);
}

/* The page asked for and the one that gives way for it change places. */
static void test_swap(void **state)
{
	evict(10, 11);
	for (unsigned i = 0; i < 20; i++) {
		read_page(10, 0, 1);
		read_page(11, 0, 1);
	}
	expect(hits, 40);
	expect(misses, 2);
	expect(capture[CAPTURED], 41);
}

static void test_same_page_again(void **state)
{
	read_page(10, 0, 1);
	read_page(10, 0, 1);
	/* It is where it was: nothing was evicted. */
	expect_cached(0);
	read_page(10, 1, 1);
	expect_cached(0);
	expect(misses, 1);
	expect(hits, 2);
	expect(found, 2);
	/* And is not where it was. */
	read_page(11, 0, 1);
	expect(capture[CAPTURE_UNKNOWN], 0);
}

/* What the guest dropped lies in its old frame, until that is used for something else: then it is
 * read from storage, and what is there now is not taken for it. */
static void test_dropped_page(void **state)
{
	read_page(10, 0, 1);
	memset(bytes_of(0), 'x', RAM_PAGE);
	read_page(10, 1, 1);
	expect(found, 0);
	expect(misses, 2);
	expect(capture[CAPTURE_CHANGED], 1);
	/* The frame of another page by now: that one's bytes stay where they are. */
	read_page(11, 1, 1);
	expect(capture[CAPTURED], 1);
	read_page(10, 2, 1);
	expect(found, 0);
	expect(hits, 1);
	/* With a write of others in between. */
	read_page(12, 3, 1);
	rig__invalidate(&rig, 12, 1);
	read_page(12, 4, 1);
	expect(found, 0);
	expect(misses, 5);
}

static void test_changed_frame(void **state)
{
	read_page(10, 0, 1);
	*(char *)bytes_of(0) ^= 1;
	read_page(11, 0, 1);
	expect(capture[CAPTURED], 0);
	expect(capture[CAPTURE_CHANGED], 1);
	expect(zeroed, 0);
	read_page(10, 1, 1);
	expect(hits, 0);
	await(&rig.uncaptured, 1);
}

static void test_zeroed_frame(void **state)
{
	read_page(10, 0, 1);
	memset(bytes_of(0), 0, RAM_PAGE);
	read_page(11, 0, 1);
	expect(capture[CAPTURE_CHANGED], 1);
	expect(zeroed, 1);
}

/* What its requests took lies between the bounds of its buckets; how many those are. */
static __u64 check_latency(const struct served_latency *l)
{
	__u64 n = 0, low = 0, high = 0;

	for (__u32 b = 0; b < PE_LATENCY_BUCKETS; b++) {
		n += l->bucket[b];
		low += l->bucket[b] * (b ? pe_latency_low(b) : 0);
		high += l->bucket[b] * pe_latency_low(b + 1);
	}
	assert_true(l->sum_ns >= low);
	assert_true(l->sum_ns <= high);
	assert_int_equal(!l->sum_ns, !n);
	return n;
}

static void test_latency(void **state)
{
	struct server_disk d = rig__disk(&rig);

	assert_int_equal(check_latency(&d.hit) + check_latency(&d.miss), 0);
	evict(10, 11);
	read_page(10, 1, 1);
	d = rig__disk(&rig);
	assert_int_equal(check_latency(&d.hit), 1);
	assert_int_equal(check_latency(&d.miss), 2);
}

static void test_written_frame(void **state)
{
	write_page(10, 0, 2);
	/* It holds 10 now, as storage does. */
	read_page(11, 0, 1);
	expect(capture[CAPTURED], 1);
	read_page(10, 1, 2);
	expect(hits, 1);
	expect(misses, 1);
}

static void test_write_takes_out(void **state)
{
	evict(10, 11);
	write_page(10, 5, 2);
	expect(invalidated, 1);
	expect_cached(0);
	read_page(10, 1, 2);
	expect(hits, 1);
	expect(found, 1);
}

static void test_part_takes_out(void **state)
{
	evict(10, 11);
	memset(bytes_of(5), 'x', 512);
	assert_int_equal(frontend__rw(&f, 0, VIRTIO_BLK_T_OUT, 10 * RAM_PAGE + 1024, frame(5), 512),
			 0);
	expect(invalidated, 1);
	read_raw(10, 1);
	expect(hits, 0);
	assert_int_equal(((char *)bytes_of(1))[1024], 'x');
	assert_int_equal(((char *)bytes_of(1))[1024 + 511], 'x');
	memset((char *)bytes_of(1) + 1024, 0, 512);
	put_pattern(bytes_of(5), 10, 1);
	assert_memory_equal(bytes_of(1), bytes_of(5), 1024);
	assert_memory_equal((char *)bytes_of(1) + 1536, (char *)bytes_of(5) + 1536, 4096 - 1536);
}

static void do_range(__u32 type, unsigned page, unsigned pages, __u32 flags)
{
	struct virtio_blk_discard_write_zeroes range = {page * 8, pages * 8, flags};
	struct blk_io io = {.type = type, .range = &range, .nr_ranges = 1};

	assert_int_equal(frontend__do(&f, 0, &io), 0);
}

static void test_discard_takes_out(void **state)
{
	evict(10, 11);
	do_range(VIRTIO_BLK_T_DISCARD, 8, 4, 0);
	expect_cached(0);
	/* Nor is 11 in frame 0 any more, as far as storage goes. */
	read_page(12, 0, 1);
	expect_cached(0);
}

static void test_zeroes_take_out(void **state)
{
	static const char zero[RAM_PAGE];

	evict(10, 11);
	do_range(VIRTIO_BLK_T_WRITE_ZEROES, 10, 1, VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP);
	read_raw(10, 1);
	assert_memory_equal(bytes_of(1), zero, RAM_PAGE);
	expect(hits, 0);
	/* 11 is not concerned. */
	read_page(12, 0, 1);
	expect(capture[CAPTURED], 2);
}

static void test_part_of_a_page(void **state)
{
	evict(10, 11);
	/* From the middle of one to the middle of another: both are passed through. */
	assert_int_equal(frontend__rw(&f, 0, VIRTIO_BLK_T_IN, 10 * RAM_PAGE + 512, frame(5), 512),
			 0);
	put_pattern(bytes_of(6), 10, 1);
	assert_memory_equal(bytes_of(5), (char *)bytes_of(6) + 512, 512);
	expect(hits, 0);
	expect(misses, 2);
}

/* Frames that are no frames: nothing is known of them after, and the data are right. */
static void test_odd_address(void **state)
{
	evict(10, 11);
	assert_int_equal(
		frontend__rw(&f, 0, VIRTIO_BLK_T_IN, 10 * RAM_PAGE, frame(5) + 64, RAM_PAGE), 0);
	assert_true(has_pattern((char *)bytes_of(5) + 64, 10, 1));
	read_page(12, 5, 1);
	read_page(13, 6, 1);
	expect(capture[CAPTURED], 1);
}

static void test_many_pages(void **state)
{
	struct ring_seg seg[16];
	struct blk_io io = {.type = VIRTIO_BLK_T_IN, .sector = 248 * 8, .seg = seg, .nr = 16};

	/* Across an extent of 1 MiB; frames in another order. */
	for (unsigned i = 0; i < 16; i++)
		seg[i] = (struct ring_seg){frame(15 - i), RAM_PAGE};
	assert_int_equal(frontend__do(&f, 0, &io), 0);
	for (unsigned i = 0; i < 16; i++)
		assert_true(has_pattern(bytes_of(15 - i), 248 + i, 1));
	expect(misses, 16);
	io.sector = 1000 * 8;
	assert_int_equal(frontend__do(&f, 0, &io), 0);
	expect(capture[CAPTURED], 16);
	io.sector = 248 * 8;
	assert_int_equal(frontend__do(&f, 0, &io), 0);
	expect(hits, 16);
	for (unsigned i = 0; i < 16; i++)
		assert_true(has_pattern(bytes_of(15 - i), 248 + i, 1));
}

/* Some of a request's pages from the cache, the others from storage. */
static void test_mixed(void **state)
{
	struct ring_seg seg[8];
	struct blk_io io = {.type = VIRTIO_BLK_T_IN, .sector = 8 * 8, .seg = seg, .nr = 8};

	for (unsigned page = 8; page < 16; page += 2)
		evict(page, 100 + page);
	for (unsigned i = 0; i < 8; i++)
		seg[i] = (struct ring_seg){frame(20 + i), RAM_PAGE};
	assert_int_equal(frontend__do(&f, 0, &io), 0);
	for (unsigned i = 0; i < 8; i++)
		assert_true(has_pattern(bytes_of(20 + i), 8 + i, 1));
	expect(hits, 4);
}

static void test_new_memory(void **state)
{
	evict(10, 11);
	/* What frame 0 is now, nobody knows. */
	assert_int_equal(frontend__share_memory(&f), 0);
	read_page(12, 0, 1);
	expect(capture[CAPTURED], 1);
	/* What is cached is still what storage holds. */
	read_page(10, 1, 1);
	expect(hits, 1);
}

static void test_reconnect(void **state)
{
	evict(10, 11);
	frontend__disconnect(&f);
	assert_int_equal(frontend__resume(&f), 0);
	read_page(12, 0, 1);
	expect(capture[CAPTURED], 1);
	read_page(10, 1, 1);
}

static void test_drain(void **state)
{
	evict(10, 11);
	rig__drain(&rig);
	expect_cached(0);
	read_page(10, 1, 1);
	expect(hits, 0);
}

static void test_invalidate(void **state)
{
	evict(10, 11);
	put_pattern(rig.disk + 10 * RAM_PAGE, 10, 7);
	put_pattern(rig.disk + 11 * RAM_PAGE, 11, 7);
	assert_int_equal(msync(rig.disk, rig.bytes, MS_SYNC), 0);
	rig__invalidate(&rig, 10, 2);
	expect_cached(0);
	read_page(10, 1, 7);
	/* Frame 0 has the old 11. */
	read_page(12, 0, 1);
	read_page(11, 2, 7);
	expect(hits, 0);
}

/* Somebody wrote to the image and nobody told: the audit sees it, the guest gets what storage
 * holds, and nothing that is cached is believed any more. */
static void test_audit_fails(void **state)
{
	evict(10, 11);
	evict(20, 21);
	put_pattern(rig.disk + 10 * RAM_PAGE, 10, 7);
	assert_int_equal(msync(rig.disk, rig.bytes, MS_SYNC), 0);
	read_page(10, 1, 7);
	expect(audit_failed, 1);
	await(&rig.lines, 1);
	assert_non_null(strstr(rig.line, "audit: page 10 "));
	expect_cached(0);
	read_page(20, 2, 1);
	expect(hits, 1);
}

/* --- what storage refuses --- */

/* The frame is neither the page's nor any more that of the one that was there. */
static void test_failed_read(void **state)
{
	read_page(10, 0, 1);
	assert_int_equal(truncate(rig.image, 0), 0);
	assert_int_equal(frontend__rw(&f, 0, VIRTIO_BLK_T_IN, 11 * RAM_PAGE, frame(0), RAM_PAGE),
			 VIRTIO_BLK_S_IOERR);
	expect(capture[CAPTURED], 1);
	assert_int_equal(truncate(rig.image, rig.bytes), 0);
	put_pattern(rig.disk + 12 * RAM_PAGE, 12, 1);
	assert_int_equal(msync(rig.disk, rig.bytes, MS_SYNC), 0);
	read_page(12, 0, 1);
	expect(capture[CAPTURED], 1);
	expect(capture[CAPTURE_CHANGED], 0);
	expect(capture[CAPTURE_UNKNOWN], 0);
}

/* What the guest wanted to write is not what storage holds. */
static void test_failed_write(void **state)
{
	struct rlimit limit, low;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	low = (struct rlimit){4 * RAM_PAGE, limit.rlim_max};
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
	put_pattern(bytes_of(0), 10, 2);
	assert_int_equal(frontend__rw(&f, 0, VIRTIO_BLK_T_OUT, 10 * RAM_PAGE, frame(0), RAM_PAGE),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	read_page(11, 0, 1);
	expect(capture[CAPTURED], 0);
	read_page(10, 1, 1);
	expect(hits, 0);
}

/* --- room --- */

/* Of a request's pages one is the next to leave a full cache, and another one's frame holds a page
 * that wants a slot: what is asked for is taken before. */
static void test_takes_first(void **state)
{
	struct ring_seg seg[2] = {{frame(1), RAM_PAGE}, {frame(2), RAM_PAGE}};
	struct blk_io io = {.type = VIRTIO_BLK_T_IN, .sector = 100 * 8, .seg = seg, .nr = 2};

	read_page(50, 1, 1);
	read_page(101, 0, 1);
	for (unsigned i = 0; i < ARENA_SLOTS; i++)
		read_page(200 + i, 0, 1);
	expect(capture[CAPTURED], ARENA_SLOTS);
	assert_int_equal(frontend__do(&f, 0, &io), 0);
	expect(hits, 1);
	expect(capture[CAPTURED], ARENA_SLOTS + 1);
}

static void test_resize_to_nothing(void **state)
{
	evict(10, 11);
	rig__resize(&rig, 0);
	for (unsigned i = 0; i < 5000 && rig__disk(&rig).cache.slots; i++)
		usleep(1000);
	assert_int_equal(rig__disk(&rig).cache.slots, 0);
	read_page(10, 0, 1);
	expect(hits, 0);
	expect(capture[CAPTURE_NO_ROOM], 1);
	rig__resize(&rig, 4 << 20);
	/* Room comes with the next captures. */
	for (unsigned i = 0; i < 2000 && !rig__disk(&rig).cache.cached; i++) {
		read_page(10 + i % 2, 0, 1);
		usleep(1000);
	}
	expect_cached(1);
}

static void test_events(void **state)
{
	evict(10, 11);
	write_page(12, 3, 2);
	do_range(VIRTIO_BLK_T_DISCARD, 20, 1, 0);
	/* They come in batches. */
	for (unsigned i = 0; i < 5000 && !rig.events[PAGE_DISCARD]; i++)
		usleep(1000);
	assert_int_equal(rig.events[PAGE_FILL], 2);
	assert_int_equal(rig.events[PAGE_EVICT], 1);
	assert_int_equal(rig.uncaptured, 0);
	assert_int_equal(rig.events[PAGE_WRITEBACK], 1);
	assert_int_equal(rig.events[PAGE_DISCARD], 1);
	expect(dropped_events, 0);
}

/* --- fewer chunks than shards --- */

/* 200 pages of each of the first 6 MiB, by one frame: what is read next evicts it. */
static void read_extents(unsigned extents)
{
	for (unsigned i = 0; i < extents * 200; i++)
		read_page(i / 200 * 256 + i % 200, 0, 1);
}

static void wait_for_shards(unsigned n)
{
	for (int i = 0; i < 2000 && rig__disk(&rig).shards != n; i++)
		usleep(5000);
	assert_int_equal(rig__disk(&rig).shards, n);
}

/* 2 chunks and 4 queues: all of the cache is used, for all of the disk's pages. */
static void test_few_chunks(void **state)
{
	assert_int_equal(rig__disk(&rig).queues, 4);
	wait_for_shards(2);
	read_extents(5);
	expect(misses, 1000);
	expect(capture[CAPTURED], 999);
	expect(capture[CAPTURE_NO_ROOM], 0);
	/* 600 pages of 512 slots, and 400. */
	read_extents(5);
	assert_true(counts().hits >= 400);
	expect(capture[CAPTURE_NO_ROOM], 0);
	/* What a loop has is told when it sleeps. */
	for (int i = 0; i < 2000 && rig__disk(&rig).cache.cached < 900; i++)
		usleep(5000);
	assert_true(rig__disk(&rig).cache.cached >= 900);
}

/* Known where they were read to, whether or not there was room for them. */
static __u64 known(void)
{
	const struct served_counts c = counts();

	return c.capture[CAPTURED] + c.capture[CAPTURE_NO_ROOM];
}

/* The cache grows and shrinks while pages are in the guest: wherever they belong by then, they are
 * known, and none is found with what it held before. (A shard may wait for its first chunk.) */
static void test_other_shards(void **state)
{
	static const struct {
		__u64 bytes;
		unsigned shards;
	} to[] = {{8 << 20, 4}, {6 << 20, 3}, {2 << 20, 1}, {4 << 20, 2}, {16 << 20, 4}};
	/* Of an extent that belongs to the shards 0, 1, 0, 0 and 0. */
	const unsigned page = 4 * 256 + 200;
	__u64 before, version = 1;

	for (size_t i = 0; i < sizeof(to) / sizeof(to[0]); i++) {
		for (unsigned k = 0; k < 16; k++)
			read_page(k * 256 + i, k, 1);
		before = known();
		rig__resize(&rig, to[i].bytes);
		wait_for_shards(to[i].shards);
		for (unsigned k = 0; k < 16; k++)
			read_page(k * 256 + 100 + i, k, 1);
		assert_int_equal(known(), before + 16);
		/* Cached where it belongs now, written and cached where it belongs then, and so
		 * on. */
		if (i % 2)
			write_page(page, 20, ++version);
		else
			read_page(page, 20, version);
		read_page(page + 1, 20, 1);
	}
}

/* --- frames that the VMM gives up --- */

/* As a balloon does: the memory is gone, then the server is told. */
static void punch(unsigned first, unsigned nr)
{
	const struct ram_region *r = &f.ram.region[0];

	assert_int_equal(fallocate(r->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				   r->offset + ((char *)bytes_of(first) - r->base),
				   (off_t)nr * RAM_PAGE),
			 0);
}

static void tell(unsigned first, unsigned nr)
{
	rig__unmapped(&rig, getpid(), bytes_of(first), (__u64)nr * RAM_PAGE);
}

static void expect_residents(unsigned n)
{
	for (unsigned i = 0; i < 5000 && rig__disk(&rig).cache.resident != n; i++)
		usleep(1000);
	assert_int_equal(rig__disk(&rig).cache.resident, n);
}

static void read_pages(unsigned first, unsigned nr)
{
	for (unsigned i = 0; i < nr; i++)
		read_page(first + i, i, 1);
}

static void test_unmapped(void **state)
{
	read_pages(10, 8);
	expect_residents(8);
	punch(2, 4);
	tell(2, 4);
	expect(gone, 4);
	expect_residents(4);
	assert_int_equal(rig.events[PAGE_EVICT], 4);
	assert_int_equal(rig.uncaptured, 4);
	/* Nobody looks at these frames: they are not even found to have changed. */
	read_pages(20, 8);
	expect(capture[CAPTURED], 4);
	expect(capture[CAPTURE_CHANGED], 0);
	expect(capture[CAPTURE_UNKNOWN], 0);
	expect_cached(4);
	read_pages(10, 8);
	expect(hits, 4);
	/* The frames are like any others from then on. */
	read_pages(20, 8);
	expect(hits, 12);
	/* What was given up a second time is another eviction. */
	tell(0, 8);
	expect(gone, 12);
	expect_residents(0);
}

/* Told of only when it holds the next page: that one is forgotten, in vain, and nothing else. */
static void test_unmapped_late(void **state)
{
	read_pages(10, 2);
	punch(0, 1);
	read_page(12, 0, 1);
	expect(capture[CAPTURE_CHANGED], 1);
	tell(0, 1);
	expect(gone, 1);
	expect_residents(1);
	read_page(13, 0, 1);
	read_page(14, 1, 1);
	expect(capture[CAPTURED], 1);
	read_page(10, 2, 1);
	read_page(12, 3, 1);
	expect(hits, 0);
	read_page(11, 4, 1);
	expect(hits, 1);
}

/* Other processes' addresses, and those that are no frame's, or of a frame that held nothing. */
static void test_unmapped_elsewhere(void **state)
{
	const struct ram_region *r = &f.ram.region[0];

	read_pages(10, 4);
	rig__unmapped(&rig, getpid() + 1, bytes_of(0), 4 * RAM_PAGE);
	rig__unmapped(&rig, getpid(), r->base - RAM_PAGE, RAM_PAGE);
	rig__unmapped(&rig, getpid(), r->base + r->bytes, 64 * RAM_PAGE);
	rig__unmapped(&rig, getpid(), bytes_of(0), 0);
	tell(4, FRAMES - 4);
	expect(gone, 0);
	expect_residents(4);
	read_pages(20, 4);
	expect(capture[CAPTURED], 4);
}

/* All of a VMM's addresses, with all of its regions. */
static void test_unmapped_all(void **state)
{
	struct ring_seg seg = {1ULL << 32, 8 * RAM_PAGE};
	struct blk_io io = {.type = VIRTIO_BLK_T_IN, .sector = 20 * 8, .seg = &seg, .nr = 1};

	assert_int_equal(ram__add(&f.ram, seg.gpa, seg.bytes, 0, false), 0);
	assert_int_equal(frontend__add_region(&f, 1), 0);
	read_pages(10, 4);
	assert_int_equal(frontend__do(&f, 0, &io), 0);
	expect_residents(12);
	rig__unmapped(&rig, getpid(), NULL, ~0ULL);
	expect(gone, 12);
	expect_residents(0);
	assert_int_equal(rig.uncaptured, 12);
	assert_int_equal(frontend__do(&f, 0, &io), 0);
	expect(hits, 0);
}

/* Hits are another path when they are compared with storage first. */
#define rule(test)                                                                                 \
	{#test, test, setup, end, NULL},                                                           \
	{                                                                                          \
		"audited: " #test, test, setup_audited, end, NULL                                  \
	}

/* The ring is looked at all the same. */
static void test_no_kicks(void **state)
{
	assert_true(frontend__stop_queue(&f, 0) >= 0);
	assert_int_equal(frontend__tell_fd(&f, VU_SET_VRING_KICK, 0, -1), 0);
	for (unsigned i = 0; i < 20; i++) {
		read_page(i, i, 1);
		/* It sleeps by then. */
		usleep(100);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		rule(test_capture_and_hit),
		rule(test_swap),
		rule(test_same_page_again),
		rule(test_dropped_page),
		rule(test_changed_frame),
		rule(test_zeroed_frame),
		rule(test_latency),
		rule(test_written_frame),
		rule(test_write_takes_out),
		rule(test_part_takes_out),
		rule(test_discard_takes_out),
		rule(test_zeroes_take_out),
		rule(test_part_of_a_page),
		rule(test_odd_address),
		rule(test_many_pages),
		rule(test_mixed),
		rule(test_new_memory),
		rule(test_reconnect),
		rule(test_drain),
		rule(test_invalidate),
		rule(test_resize_to_nothing),
		rule(test_events),
		rule(test_no_kicks),
		rule(test_unmapped),
		rule(test_unmapped_late),
		rule(test_unmapped_elsewhere),
		rule(test_unmapped_all),
		cmocka_unit_test_setup_teardown(test_audit_fails, setup_audited, end_failed_audit),
		cmocka_unit_test_setup_teardown(test_failed_read, setup, end_failed_request),
		cmocka_unit_test_setup_teardown(test_failed_write, setup, end_failed_request),
		cmocka_unit_test_setup_teardown(test_takes_first, setup_smallest, end),
		cmocka_unit_test_setup_teardown(test_few_chunks, setup_small, end),
		cmocka_unit_test_setup_teardown(test_other_shards, setup_small, end),
	};

	cmocka_set_test_filter(getenv("TEST"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
