// SPDX-License-Identifier: GPL-2.0
/*
 * The block layer's programs on made-up bios: which events, counts and frames.
 *
 * Bios that stacked devices make of a VM's bio are not here: what tells them is
 * current->bio_list, and the current task is real.
 */
#include <bpf/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../unit/skips.h"
#include "handlers.h"

#define ANON_FRAME 0x7f1234000ULL /* a host virtual page */

static __u64 anon(struct handlers *h, __u64 index, size_t n)
{
	return fake_pages(h->kernel, FAKE_ANON, index, n);
}

/* Fill `n` frames from `frame` on with the disk's pages from `page` on, unseen by the test. */
static void prepare(struct handlers *h, __u64 page, __u64 frame, size_t n)
{
	handlers__transfer(h, OP_READ, page, anon(h, frame, n), n);
	assert_int_equal(h->n, n);
	h->n = 0;
}

/* ------------------------------------------------------------ whole pages */

static void test_read(void **state)
{
	struct handlers *h = *state;

	handlers__transfer(h, OP_READ, 10, anon(h, ANON_FRAME, 1), 1);
	expect_events(h, event(PAGE_FILL, 10, ANON_FRAME));
	expect_counters(h, .fills = 1, .ios = 1, .events = 1);
	assert_int_equal(handlers__held(h, VM, ANON_FRAME), 10);
	assert_int_equal(handlers__waiting(h), 1);
}

static void test_write(void **state)
{
	struct handlers *h = *state;

	handlers__transfer(h, OP_WRITE, 10, anon(h, ANON_FRAME, 1), 1);
	expect_events(h, event(PAGE_WRITEBACK, 10, ANON_FRAME));
	expect_counters(h, .writebacks = 1, .ios = 1, .events = 1);
	assert_int_equal(handlers__held(h, VM, ANON_FRAME), 10);
}

/* REQ_SYNC, REQ_FUA and the like are bits above the operation. */
static void test_flags_of_operation(void **state)
{
	struct handlers *h = *state;

	handlers__transfer(h, OP_WRITE | 1 << 11 | 1 << 17, 10, anon(h, ANON_FRAME, 1), 1);
	expect_events(h, event(PAGE_WRITEBACK, 10, ANON_FRAME));
}

static void test_far_sector(void **state)
{
	const __u64 page = (1ULL << 40) + 7; /* 4 PiB */
	struct handlers *h = *state;

	handlers__transfer(h, OP_READ, page, anon(h, ANON_FRAME, 1), 1);
	expect_events(h, event(PAGE_FILL, page, ANON_FRAME));
	assert_int_equal(handlers__held(h, VM, ANON_FRAME), page);
}

static void test_disks(void **state)
{
	struct handlers *h = *state;
	const struct fake_vec vec = {anon(h, ANON_FRAME, 1), 0, PAGE_BYTES};
	__u64 disk = fake_disk(h->kernel, 253, 3), id;

	handlers__transfer(h, OP_READ, 10, vec.page, 1);
	handlers__queue(h, fake_bio(h->kernel, disk, OP_READ, 80, &vec, 1));
	assert_int_equal(h->n, 3);
	id = h->events[2].page >> PE_DISK_SHIFT;
	assert_int_not_equal(id, handlers__disk_id(h));
	assert_int_equal(h->shared->disks[id].key, HV_DISK_USED | 253 << 20 | 3);
	/* The same number, but not the same page. */
	assert_int_equal(h->events[1].kind, PAGE_EVICT);
	assert_int_equal(h->events[1].page, h->events[0].page);
	assert_int_equal(h->events[2].page, pe_page(id, 10));
}

/* Files are numbered as they are met; each VM's from 1. */
static void test_files(void **state)
{
	struct handlers *h = *state;
	__u64 first = fake_file(h->kernel, TMPFS_MAGIC, 1, 100);
	__u64 second = fake_file(h->kernel, HUGETLB_MAGIC, 2, 100);

	handlers__transfer(h, OP_READ, 10, fake_pages(h->kernel, first, 77, 1), 1);
	handlers__transfer(h, OP_READ, 11, fake_pages(h->kernel, second, 77, 1), 1);
	handlers__transfer(h, OP_READ, 12, fake_pages(h->kernel, first, 78, 1), 1);
	handlers__transfer(h, OP_READ, 13, anon(h, 77, 1), 1);
	expect_events(h, event(PAGE_FILL, 10, file_frame(1, 77)),
		      event(PAGE_FILL, 11, file_frame(2, 77)),
		      event(PAGE_FILL, 12, file_frame(1, 78)), event(PAGE_FILL, 13, 77));
	expect_counters(h, .fills = 4, .ios = 4, .events = 4);
	assert_int_equal(handlers__held(h, VM, file_frame(1, 77)), 10);
	assert_int_equal(handlers__held(h, VM, 77), 13);
	assert_int_equal(h->shared->vms[VM].nr_files, 2);
}

static void test_vectors(void **state)
{
	struct handlers *h = *state;
	const struct fake_vec vecs[] = {
		{anon(h, 500, 1), 0, PAGE_BYTES},
		{anon(h, 300, 3), 0, 3 * PAGE_BYTES},
		{anon(h, 900, 4), 2 * PAGE_BYTES, 2 * PAGE_BYTES},
	};

	handlers__queue(h, fake_bio(h->kernel, h->disk, OP_READ, 80, vecs, 3));
	expect_events(h, event(PAGE_FILL, 10, 500), event(PAGE_FILL, 11, 300),
		      event(PAGE_FILL, 12, 301), event(PAGE_FILL, 13, 302),
		      event(PAGE_FILL, 14, 902), event(PAGE_FILL, 15, 903));
	expect_counters(h, .fills = 6, .ios = 1, .events = 6);
	assert_int_equal(h->shared->truncated, 0);
}

/* A split bio goes on where the first part ended, amid a bio_vec. */
static void test_partly_done(void **state)
{
	struct handlers *h = *state;
	const struct fake_vec vecs[] = {
		{anon(h, 500, 2), 0, 2 * PAGE_BYTES},
		{anon(h, 300, 4), 0, 3 * PAGE_BYTES},
		{anon(h, 900, 2), 0, 2 * PAGE_BYTES},
	};
	__u64 bio = fake_bio(h->kernel, h->disk, OP_WRITE, 80, vecs, 3);

	fake_kernel__set(h->kernel, bio, "bio", "bi_iter.bi_idx", 1);
	fake_kernel__set(h->kernel, bio, "bio", "bi_iter.bi_bvec_done", PAGE_BYTES);
	fake_kernel__set(h->kernel, bio, "bio", "bi_iter.bi_size", 3 * PAGE_BYTES);
	handlers__queue(h, bio);
	expect_events(h, event(PAGE_WRITEBACK, 10, 301), event(PAGE_WRITEBACK, 11, 302),
		      event(PAGE_WRITEBACK, 12, 900));
	expect_counters(h, .writebacks = 3, .ios = 1, .events = 3);
}

static void test_huge_page(void **state)
{
	struct handlers *h = *state;
	__u64 head = fake_huge_page(h->kernel, FAKE_ANON, 0x7f1234400, 512);
	__u64 file = fake_file(h->kernel, TMPFS_MAGIC, 1, 100);
	__u64 in_file = fake_huge_page(h->kernel, file, 1024, 512);
	const struct fake_vec vecs[] = {
		{fake_page(h->kernel, head, 511), 0, PAGE_BYTES},
		{head, 0, PAGE_BYTES},
		{fake_page(h->kernel, in_file, 1), 3 * PAGE_BYTES, 2 * PAGE_BYTES},
	};

	handlers__queue(h, fake_bio(h->kernel, h->disk, OP_READ, 80, vecs, 3));
	expect_events(h, event(PAGE_FILL, 10, 0x7f12345ff), event(PAGE_FILL, 11, 0x7f1234400),
		      event(PAGE_FILL, 12, file_frame(1, 1028)),
		      event(PAGE_FILL, 13, file_frame(1, 1029)));
}

/* The longest walk that is usual: all of a huge page by one bio_vec. */
static void test_whole_huge_page(void **state)
{
	struct handlers *h = *state;
	struct page_event want[512];

	handlers__transfer(h, OP_READ, 4096, fake_huge_page(h->kernel, FAKE_ANON, 0x1000, 512),
			   512);
	for (size_t i = 0; i < 512; i++)
		want[i] = event(PAGE_FILL, 4096 + i, 0x1000 + i);
	handlers__expect(h, want, 512);
	expect_counters(h, .fills = 512, .ios = 1, .events = 512);
}

/* -------------------------------------------------------------- evictions */

static void test_reuse(void **state)
{
	struct handlers *h = *state;
	__u64 memory = anon(h, ANON_FRAME, 1);

	handlers__transfer(h, OP_READ, 10, memory, 1);
	handlers__transfer(h, OP_READ, 11, memory, 1);
	expect_events(h, event(PAGE_FILL, 10, ANON_FRAME), event(PAGE_EVICT, 10, ANON_FRAME),
		      event(PAGE_FILL, 11, ANON_FRAME));
	/* The same page again, or written back to where it came from: it stays. */
	handlers__transfer(h, OP_READ, 11, memory, 1);
	handlers__transfer(h, OP_WRITE, 11, memory, 1);
	expect_events(h, event(PAGE_FILL, 11, ANON_FRAME), event(PAGE_WRITEBACK, 11, ANON_FRAME));
	handlers__transfer(h, OP_WRITE, 12, memory, 1);
	expect_events(h, event(PAGE_EVICT, 11, ANON_FRAME), event(PAGE_WRITEBACK, 12, ANON_FRAME));
	expect_counters(h, .fills = 3, .writebacks = 2, .evictions = 2, .ios = 5, .events = 7);
	assert_int_equal(handlers__held(h, VM, ANON_FRAME), 12);
}

/* A page in two frames leaves each on its own. */
static void test_two_frames(void **state)
{
	struct handlers *h = *state;

	prepare(h, 10, 100, 1);
	prepare(h, 10, 200, 1);
	handlers__transfer(h, OP_READ, 20, anon(h, 100, 1), 1);
	expect_events(h, event(PAGE_EVICT, 10, 100), event(PAGE_FILL, 20, 100));
	assert_int_equal(handlers__held(h, VM, 200), 10);
}

/* Within a bio, too: each eviction goes ahead of the fill that causes it. */
static void test_reuse_in_a_bio(void **state)
{
	struct handlers *h = *state;

	prepare(h, 10, 100, 3);
	handlers__transfer(h, OP_READ, 20, anon(h, 101, 3), 3);
	expect_events(h, event(PAGE_EVICT, 11, 101), event(PAGE_FILL, 20, 101),
		      event(PAGE_EVICT, 12, 102), event(PAGE_FILL, 21, 102),
		      event(PAGE_FILL, 22, 103));
	expect_counters(h, .fills = 6, .evictions = 2, .ios = 2, .events = 8);
	assert_int_equal(handlers__held(h, VM, 100), 10);
}

/* ----------------------------------------------------------- less than pages */

static void test_part_of_a_page(void **state)
{
	struct handlers *h = *state;
	const struct fake_vec vec = {anon(h, 100, 1), 0, 512};

	prepare(h, 10, 100, 1);
	handlers__queue(h, fake_bio(h->kernel, h->disk, OP_READ, 83, &vec, 1));
	/* The frame that was read into holds no page of the disk now. */
	expect_events(h, event(PAGE_EVICT, 10, 100),
		      flagged(event(PAGE_FILL, 10, PE_FRAME_NONE), PE_PARTIAL));
	expect_counters(h, .fills = 2, .evictions = 1, .frameless = 1, .partials = 1, .ios = 2,
			.events = 3);
	assert_int_equal(handlers__held(h, VM, 100), NOTHING);
}

/* Writing changes no memory: the frame still holds what it held. */
static void test_part_written(void **state)
{
	struct handlers *h = *state;
	const struct fake_vec vec = {anon(h, 100, 1), 1024, 512};

	prepare(h, 10, 100, 1);
	handlers__queue(h, fake_bio(h->kernel, h->disk, OP_WRITE, 400, &vec, 1));
	expect_events(h, flagged(event(PAGE_WRITEBACK, 50, PE_FRAME_NONE), PE_PARTIAL));
	expect_counters(h, .fills = 1, .writebacks = 1, .frameless = 1, .partials = 1, .ios = 2,
			.events = 2);
	assert_int_equal(handlers__held(h, VM, 100), 10);
}

/* A whole page of the disk, but from the middle of a frame into the next. */
static void test_unaligned_memory(void **state)
{
	struct handlers *h = *state;
	const struct fake_vec vec = {anon(h, 100, 3), 512, 2 * PAGE_BYTES};

	prepare(h, 10, 100, 3);
	handlers__queue(h, fake_bio(h->kernel, h->disk, OP_READ, 400, &vec, 1));
	expect_events(h, event(PAGE_EVICT, 10, 100), event(PAGE_EVICT, 11, 101),
		      event(PAGE_FILL, 50, PE_FRAME_NONE), event(PAGE_EVICT, 12, 102),
		      event(PAGE_FILL, 51, PE_FRAME_NONE));
	expect_counters(h, .fills = 5, .evictions = 3, .frameless = 2, .ios = 2, .events = 8);
}

/* A whole frame, but from the middle of a disk page into the next. */
static void test_unaligned_on_disk(void **state)
{
	struct handlers *h = *state;
	const struct fake_vec vec = {anon(h, 100, 2), 0, 2 * PAGE_BYTES};

	handlers__queue(h, fake_bio(h->kernel, h->disk, OP_READ, 404, &vec, 1));
	expect_events(h, flagged(event(PAGE_FILL, 50, PE_FRAME_NONE), PE_PARTIAL),
		      event(PAGE_FILL, 51, PE_FRAME_NONE),
		      flagged(event(PAGE_FILL, 52, PE_FRAME_NONE), PE_PARTIAL));
	expect_counters(h, .fills = 3, .frameless = 3, .partials = 2, .ios = 1, .events = 3);
}

/* A page in pieces, from here and there, between two whole ones. */
static void test_pieces(void **state)
{
	struct handlers *h = *state;
	const struct fake_vec vecs[] = {
		{anon(h, 100, 1), 0, PAGE_BYTES}, {anon(h, 200, 1), 0, 512},
		{anon(h, 300, 1), 1024, 3072},	  {anon(h, 400, 1), 512, 1024},
		{anon(h, 500, 1), 0, 3584},	  {anon(h, 600, 1), 0, PAGE_BYTES},
	};

	handlers__queue(h, fake_bio(h->kernel, h->disk, OP_WRITE, 80, vecs, 6));
	expect_events(h, event(PAGE_WRITEBACK, 10, 100), event(PAGE_WRITEBACK, 11, PE_FRAME_NONE),
		      event(PAGE_WRITEBACK, 12, PE_FRAME_NONE), event(PAGE_WRITEBACK, 13, 600));
	expect_counters(h, .writebacks = 4, .frameless = 2, .ios = 1, .events = 4);
}

/* ----------------------------------------------------- not the VM's own I/O */

/* Swapped in: a page that is not mapped yet, and knows only that it will be swapped. */
static void test_swap_in(void **state)
{
	struct handlers *h = *state;
	__u64 memory = fake_pages(h->kernel, 0, 100, 1);

	fake_page__set_flag(h->kernel, memory, "PG_swapbacked");
	handlers__transfer(h, OP_READ, 10, memory, 1);
	expect_no_event(h);
	expect_counters(h, .fills = 0);
	assert_int_equal(handlers__waiting(h), 0);
}

static void test_swap_out(void **state)
{
	struct handlers *h = *state;
	int bit = fake_kernel__enumerator(h->kernel, "req_flag_bits", "__REQ_SWAP");

	if (bit < 0)
		because("the kernel marks no requests of swap");
	handlers__transfer(h, OP_WRITE | 1U << (bit & 31), 10, anon(h, 100, 1), 1);
	expect_no_event(h);
	expect_counters(h, .fills = 0);
}

static void test_page_cache(void **state)
{
	struct handlers *h = *state;
	__u64 file = fake_file(h->kernel, EXT4_MAGIC, 1, 100);
	const struct fake_vec vecs[] = {
		{fake_pages(h->kernel, file, 0, 2), 0, 2 * PAGE_BYTES},
		{anon(h, 500, 1), 0, PAGE_BYTES},
	};

	handlers__transfer(h, OP_READ, 10, vecs[0].page, 2);
	expect_no_event(h);
	expect_counters(h, .fills = 0);
	assert_int_equal(h->shared->vms[VM].nr_files, 0);
	/* Where both are in one bio, what is guest memory counts. */
	handlers__queue(h, fake_bio(h->kernel, h->disk, OP_READ, 80, vecs, 2));
	expect_events(h, event(PAGE_FILL, 12, 500));
	expect_counters(h, .fills = 1, .ios = 1, .events = 1);
}

/* Memory of the kernel's own: a bounce buffer, say. Its page was read for the VM. */
static void test_kernel_memory(void **state)
{
	struct handlers *h = *state;

	handlers__transfer(h, OP_READ, 10, fake_pages(h->kernel, 0, 100, 1), 1);
	expect_events(h, event(PAGE_FILL, 10, PE_FRAME_NONE));
	expect_counters(h, .fills = 1, .frameless = 1, .ios = 1, .events = 1);
}

/* ------------------------------------------------------------ no transfers */

/* Bios of these have a range but no memory. */
static void range(struct handlers *h, __u32 op, __u64 sector, __u32 sectors)
{
	__u64 bio = fake_bio(h->kernel, h->disk, op, sector, NULL, 0);

	fake_kernel__set(h->kernel, bio, "bio", "bi_iter.bi_size", (__u64)sectors * 512);
	handlers__queue(h, bio);
}

static void test_discard(void **state)
{
	struct handlers *h = *state;

	range(h, OP_DISCARD, 80, 800);
	range(h, OP_SECURE_ERASE, 8000, 8);
	range(h, OP_WRITE_ZEROES, 0, 8388600);
	expect_events(h, discarded(10, 100), discarded(1000, 1), discarded(0, 1048575));
	expect_counters(h, .discards = 1048676, .ios = 3, .events = 3);
}

/* Of pages at the ends a part stays. */
static void test_unaligned_discard(void **state)
{
	struct handlers *h = *state;

	range(h, OP_DISCARD, 81, 30);
	expect_events(h, discarded(11, 2));
	range(h, OP_DISCARD, 81, 14);
	range(h, OP_DISCARD, 81, 7);
	expect_no_event(h);
	expect_counters(h, .discards = 2, .ios = 3, .events = 1);
}

static void test_other_operations(void **state)
{
	struct handlers *h = *state;

	range(h, OP_FLUSH, 0, 0);
	range(h, OP_WRITE, 0, 0);
	range(h, OP_ZONE_RESET, 0, 800);
	expect_no_event(h);
	expect_counters(h, .fills = 0);
}

/* A walk that can't go on says so. */
static void test_unreadable(void **state)
{
	struct handlers *h = *state;
	const struct fake_vec vec = {anon(h, 100, 1), 0, PAGE_BYTES};
	__u64 bio = fake_bio(h->kernel, h->disk, OP_READ, 80, &vec, 1);

	fake_kernel__set(h->kernel, bio, "bio", "bi_io_vec", 8);
	handlers__queue(h, bio);
	expect_no_event(h);
	assert_int_equal(h->shared->truncated, 1);
}

/* ------------------------------------------------------------- completion */

static __u64 now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (__u64)ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static struct hv_inflight *inflight(struct handlers *h, __u64 bio)
{
	struct hv_inflight *set = h->shared->inflight[hv_hash32(bio) % HV_INFLIGHT];

	for (int i = 0; i < HV_INFLIGHT_WAY; i++) {
		if (set[i].bio == bio)
			return &set[i];
	}
	return NULL;
}

static __u64 nr_latencies(const struct handlers *h, int write)
{
	struct vm_counters c = handlers__counters(h, VM);
	__u64 n = 0;

	for (int i = 0; i < PE_LATENCY_BUCKETS; i++)
		n += c.latency[write][i];
	return n;
}

static void set_status(struct handlers *h, __u64 bio)
{
	fake_kernel__set(h->kernel, bio, "bio", "bi_status", 10); /* BLK_STS_IOERR */
}

static void complete(struct handlers *h, __u64 bio)
{
	handlers__run(h, "bio_complete", 0, bio, 0);
	handlers__collect(h);
}

/* The bio was queued so long ago that it falls in the middle of a bucket. */
static void check_latency(struct handlers *h, int op, __u32 bucket)
{
	__u64 bio = handlers__transfer(h, op, 10, anon(h, 100, 1), 1);
	__u64 low = pe_latency_low(bucket), width = pe_latency_low(bucket + 1) - low;

	assert_non_null(inflight(h, bio));
	inflight(h, bio)->start = now() - low - width / 2;
	complete(h, bio);
	assert_null(inflight(h, bio));
	assert_int_equal(handlers__counters(h, VM).latency[op == OP_WRITE][bucket], 1);
}

static void test_latency(void **state)
{
	struct handlers *h = *state;

	/* Of 2^30 ns and up, so that a busy machine moves none to the next bucket. */
	for (__u32 bucket = 80; bucket < 96; bucket++) {
		check_latency(h, OP_READ, bucket);
		check_latency(h, OP_WRITE, bucket);
	}
	assert_int_equal(nr_latencies(h, 0), 16);
	assert_int_equal(nr_latencies(h, 1), 16);
	assert_int_equal(handlers__waiting(h), 0);
}

static void test_longest_latency(void **state)
{
	struct handlers *h = *state;
	__u64 bio = handlers__transfer(h, OP_READ, 10, anon(h, 100, 1), 1);

	inflight(h, bio)->start = now() - (1ULL << 40);
	complete(h, bio);
	assert_int_equal(handlers__counters(h, VM).latency[0][PE_LATENCY_BUCKETS - 1], 1);
}

static void test_completes_once(void **state)
{
	struct handlers *h = *state;
	__u64 bio = handlers__transfer(h, OP_READ, 10, anon(h, 100, 1), 1);
	__u64 another = handlers__transfer(h, OP_READ, 11, anon(h, 101, 1), 1);

	complete(h, bio);
	complete(h, bio);
	assert_int_equal(nr_latencies(h, 0), 1);
	assert_int_equal(nr_latencies(h, 1), 0);
	assert_null(inflight(h, bio));
	assert_non_null(inflight(h, another));
	assert_int_equal(handlers__waiting(h), 1);
}

static void test_failed(void **state)
{
	struct handlers *h = *state;
	__u64 bio = handlers__transfer(h, OP_WRITE, 10, anon(h, 100, 3), 3);

	h->n = 0;
	set_status(h, bio);
	complete(h, bio);
	expect_events(h, discarded(10, 3));
	expect_counters(h, .writebacks = 3, .ios = 1, .io_errors = 1, .events = 4);
	assert_int_equal(nr_latencies(h, 1), 1);
}

/* Every page that the bio touches, be it with a sector. */
static void test_failed_unaligned(void **state)
{
	struct handlers *h = *state;
	const struct fake_vec vec = {anon(h, 100, 2), 0, PAGE_BYTES + 1024};
	__u64 bio = fake_bio(h->kernel, h->disk, OP_WRITE, 87, &vec, 1);

	handlers__queue(h, bio);
	assert_int_equal(h->n, 3);
	h->n = 0;
	set_status(h, bio);
	complete(h, bio);
	expect_events(h, discarded(10, 3));
}

/* A request of three bios, done in two goes; the tracepoint comes ahead of each. */
static void test_request(void **state)
{
	struct handlers *h = *state;
	__u64 rq = fake_kernel__make(h->kernel, "request", 1), bio[3];

	for (int i = 0; i < 3; i++)
		bio[i] = handlers__transfer(h, OP_READ, 10 + i, anon(h, 100 + i, 1), 1);
	for (int i = 0; i < 2; i++)
		fake_kernel__set(h->kernel, bio[i], "bio", "bi_next", bio[i + 1]);
	fake_kernel__set(h->kernel, rq, "request", "bio", bio[0]);
	handlers__run(h, "rq_complete", rq, 0, 2 * PAGE_BYTES + 512);
	assert_null(inflight(h, bio[0]));
	assert_null(inflight(h, bio[1]));
	assert_non_null(inflight(h, bio[2]));
	assert_int_equal(nr_latencies(h, 0), 2);

	h->n = 0;
	fake_kernel__set(h->kernel, rq, "request", "bio", bio[2]);
	handlers__run(h, "rq_complete", rq, 10, PAGE_BYTES);
	handlers__collect(h);
	expect_events(h, discarded(12, 1));
	expect_counters(h, .fills = 3, .ios = 3, .io_errors = 1, .events = 4);
	assert_int_equal(handlers__waiting(h), 0);
}

/* A bio's memory is used again: where its completion was not seen, that is a loss. */
static void test_queued_again(void **state)
{
	struct handlers *h = *state;
	__u64 bio = handlers__transfer(h, OP_READ, 10, anon(h, 100, 1), 1);

	handlers__queue(h, bio);
	assert_int_equal(h->shared->lost_latency, 1);
	assert_int_equal(handlers__waiting(h), 1);
	complete(h, bio);
	assert_int_equal(nr_latencies(h, 0), 1);
	assert_int_equal(handlers__waiting(h), 0);
}

/* Too many at a time: the one that waits longest is given up. */
static void test_inflight_full(void **state)
{
	struct handlers *h = *state;
	__u64 bio = handlers__transfer(h, OP_READ, 10, anon(h, 100, 1), 1);
	struct hv_inflight *set = h->shared->inflight[hv_hash32(bio) % HV_INFLIGHT];

	for (int i = 0; i < HV_INFLIGHT_WAY; i++)
		set[i] = (struct hv_inflight){.bio = i + 1, .start = i == 2 ? 5 : 6, .vm = VM};
	h->shared->waiting[(set - h->shared->inflight[0]) / HV_INFLIGHT_WAY % HV_WAITING].bios =
		HV_INFLIGHT_WAY;
	handlers__queue(h, bio);
	assert_int_equal(h->shared->lost_latency, 1);
	assert_int_equal(handlers__waiting(h), HV_INFLIGHT_WAY);
	assert_int_equal(set[2].bio, bio);
	assert_int_equal(set[0].bio, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fresh(test_read),
		fresh(test_write),
		fresh(test_flags_of_operation),
		fresh(test_far_sector),
		fresh(test_disks),
		fresh(test_files),
		fresh(test_vectors),
		fresh(test_partly_done),
		fresh(test_huge_page),
		fresh(test_whole_huge_page),
		fresh(test_reuse),
		fresh(test_two_frames),
		fresh(test_reuse_in_a_bio),
		fresh(test_part_of_a_page),
		fresh(test_part_written),
		fresh(test_unaligned_memory),
		fresh(test_unaligned_on_disk),
		fresh(test_pieces),
		fresh(test_swap_in),
		fresh(test_swap_out),
		fresh(test_page_cache),
		fresh(test_kernel_memory),
		fresh(test_discard),
		fresh(test_unaligned_discard),
		fresh(test_other_operations),
		fresh(test_unreadable),
		fresh(test_latency),
		fresh(test_longest_latency),
		fresh(test_completes_once),
		fresh(test_failed),
		fresh(test_failed_unaligned),
		fresh(test_request),
		fresh(test_queued_again),
		fresh(test_inflight_full),
	};

	return skips__status(cmocka_run_group_tests(tests, handlers__up, handlers__down));
}
