// SPDX-License-Identifier: GPL-2.0
/* virtio-blk: what the disk tells of itself, and what it does with each kind of request. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "backend.h"
#include "raw.h"

#define PAGE_SECTORS (RAM_PAGE / SECTOR)
#define SECTORS (BACKEND_BYTES / SECTOR)
#define BIT(n) (1ULL << (n))

static struct frontend f;
static __u64 memory;

#define MEMORY (64 * RAM_PAGE)

static void begin(struct backend *b)
{
	backend__open(b, &f, NULL);
	memory = ram__alloc(&f.ram, MEMORY, RAM_PAGE);
	assert_int_not_equal(memory, 0);
}

static void *at(__u64 gpa)
{
	return ram__at(&f.ram, gpa, 1);
}

/* Another disk than the fixture's. */
static void begin_read_only(struct backend *b)
{
	bool reference = b->reference;

	backend__kill(b);
	backend__free(b);
	*b = (struct backend){.reference = reference, .read_only = true};
	backend__start(b);
	begin(b);
}

static int transfer(__u32 type, __u64 sector, __u32 bytes)
{
	struct ring_seg seg = {memory, bytes};

	return frontend__do(
		&f, 0,
		&(struct blk_io){.type = type, .sector = sector, .seg = &seg, .nr = bytes > 0});
}

/* --- configuration --- */

static void test_config(void **state)
{
	struct backend *b = *state;
	const struct virtio_blk_config *c = &f.config;

	begin(b);
	assert_int_equal(c->capacity, SECTORS);
	assert_int_equal(c->blk_size, 512);
	assert_int_equal(c->num_queues, BACKEND_QUEUES);
	assert_true(c->seg_max >= 126);
	assert_true(f.offered & BIT(VIRTIO_BLK_F_SEG_MAX));
	assert_true(f.offered & BIT(VIRTIO_BLK_F_BLK_SIZE));
	assert_true(f.offered & BIT(VIRTIO_BLK_F_FLUSH));
	assert_true(f.offered & BIT(VIRTIO_BLK_F_TOPOLOGY));
	assert_true(f.offered & BIT(VIRTIO_BLK_F_MQ));
	assert_true(f.offered & BIT(VIRTIO_BLK_F_DISCARD));
	assert_true(f.offered & BIT(VIRTIO_BLK_F_WRITE_ZEROES));
	assert_false(f.offered & BIT(VIRTIO_BLK_F_RO));
	assert_true(c->max_discard_sectors >= SECTORS);
	assert_true(c->max_discard_seg >= 1);
	assert_true(c->discard_sector_alignment >= 1);
	assert_true(c->max_write_zeroes_sectors >= SECTORS);
	assert_true(c->max_write_zeroes_seg >= 1);
	frontend__free(&f);
}

static void test_config_own(void **state)
{
	const struct virtio_blk_config *c = &f.config;

	begin(*state);
	assert_int_equal(c->seg_max, 254);
	assert_int_equal(c->size_max, 0);
	/* 4 KiB = 512 << 3 is good for writes. */
	assert_int_equal(c->physical_block_exp, 3);
	assert_int_equal(c->alignment_offset, 0);
	assert_int_equal(c->min_io_size, 8);
	assert_int_equal(c->discard_sector_alignment, 8);
	assert_int_equal(c->max_discard_seg, 32);
	assert_int_equal(c->max_write_zeroes_seg, 32);
	assert_int_equal(c->write_zeroes_may_unmap, 1);
	frontend__free(&f);
}

/* --- reads and writes --- */

static void test_beyond_end(void **state)
{
	const struct {
		__u64 sector;
		__u32 bytes;
		int status;
	} t[] = {
		{SECTORS - 1, 512, VIRTIO_BLK_S_OK},	 {SECTORS - 8, 4096, VIRTIO_BLK_S_OK},
		{SECTORS, 512, VIRTIO_BLK_S_IOERR},	 {SECTORS - 1, 1024, VIRTIO_BLK_S_IOERR},
		{SECTORS - 7, 4096, VIRTIO_BLK_S_IOERR}, {~0ULL, 512, VIRTIO_BLK_S_IOERR},
		{~0ULL / 512, 512, VIRTIO_BLK_S_IOERR},	 {~0ULL / 512 + 1, 512, VIRTIO_BLK_S_IOERR},
		{1ULL << 63, 512, VIRTIO_BLK_S_IOERR},
	};

	begin(*state);
	for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		assert_int_equal(transfer(VIRTIO_BLK_T_IN, t[i].sector, t[i].bytes), t[i].status);
		assert_int_equal(transfer(VIRTIO_BLK_T_OUT, t[i].sector, t[i].bytes), t[i].status);
	}
	frontend__free(&f);
}

static void test_parts_of_sectors(void **state)
{
	const __u32 bytes[] = {1, 511, 513, 4095};

	begin(*state);
	for (unsigned i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++) {
		assert_int_equal(transfer(VIRTIO_BLK_T_IN, 0, bytes[i]), VIRTIO_BLK_S_IOERR);
		assert_int_equal(transfer(VIRTIO_BLK_T_OUT, 0, bytes[i]), VIRTIO_BLK_S_IOERR);
	}
	frontend__free(&f);
}

static void test_no_data(void **state)
{
	begin(*state);
	assert_int_equal(transfer(VIRTIO_BLK_T_IN, 0, 0), VIRTIO_BLK_S_IOERR);
	assert_int_equal(transfer(VIRTIO_BLK_T_OUT, 0, 0), VIRTIO_BLK_S_IOERR);
	frontend__free(&f);
}

/* To frames at odd addresses; what is around stays. */
static void test_unaligned_memory(void **state)
{
	struct backend *b = *state;
	const __u64 shifts[] = {1, 3, 511, 512, 2048, 4095};

	begin(b);
	put_pattern(b->disk + 2 * RAM_PAGE, 2, 1);
	for (unsigned i = 0; i < sizeof(shifts) / sizeof(shifts[0]); i++) {
		char *to = at(memory + shifts[i]);

		memset(at(memory), 0xaa, 3 * RAM_PAGE);
		assert_int_equal(frontend__rw(&f, 0, VIRTIO_BLK_T_IN, 2 * RAM_PAGE,
					      memory + shifts[i], RAM_PAGE),
				 0);
		assert_true(has_pattern(to, 2, 1));
		assert_int_equal((__u8)to[-1], shifts[i] ? 0xaa : (__u8)to[-1]);
		assert_int_equal((__u8)to[RAM_PAGE], 0xaa);
		put_pattern(to, 3, i);
		assert_int_equal(frontend__rw(&f, 0, VIRTIO_BLK_T_OUT, 3 * RAM_PAGE,
					      memory + shifts[i], RAM_PAGE),
				 0);
		assert_true(has_pattern(b->disk + 3 * RAM_PAGE, 3, i));
	}
	frontend__free(&f);
}

/* The same frame many times in a request. */
static void test_same_frame(void **state)
{
	struct backend *b = *state;
	struct ring_seg seg[8];
	struct blk_io io = {.type = VIRTIO_BLK_T_OUT, .seg = seg, .nr = 8};

	begin(b);
	put_pattern(at(memory), 1, 1);
	for (unsigned i = 0; i < 8; i++)
		seg[i] = (struct ring_seg){memory, RAM_PAGE};
	assert_int_equal(frontend__do(&f, 0, &io), 0);
	for (unsigned i = 0; i < 8; i++)
		assert_true(has_pattern(b->disk + i * RAM_PAGE, 1, 1));
	frontend__free(&f);
}

/* --- other requests --- */

static void test_id(void **state)
{
	struct ring_seg seg = {0, 20};
	struct blk_io io = {.type = VIRTIO_BLK_T_GET_ID, .seg = &seg, .nr = 1};

	begin(*state);
	seg.gpa = memory;
	memset(at(memory), 0xaa, 32);
	assert_int_equal(frontend__do(&f, 0, &io), 0);
	assert_int_equal(io.written, 21);
	assert_string_equal(at(memory), MEMDISK_ID);
	for (unsigned i = sizeof(MEMDISK_ID); i < 20; i++)
		assert_int_equal(((char *)at(memory))[i], 0);
	assert_int_equal(*(__u8 *)at(memory + 20), 0xaa);
	/* As much as there is room for. */
	seg.bytes = 7;
	memset(at(memory), 0xaa, 32);
	assert_int_equal(frontend__do(&f, 0, &io), 0);
	assert_memory_equal(at(memory), MEMDISK_ID, 7);
	assert_int_equal(*(__u8 *)at(memory + 7), 0xaa);
	frontend__free(&f);
}

static void test_unknown(void **state)
{
	const __u32 types[] = {2, 3, 5, 9, 14, 15, 100, 0x7fffffff};

	begin(*state);
	for (unsigned i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		assert_int_equal(transfer(types[i], 0, 512), VIRTIO_BLK_S_UNSUPP);
	frontend__free(&f);
}

static void test_flush(void **state)
{
	begin(*state);
	assert_int_equal(frontend__flush(&f, 0), VIRTIO_BLK_S_OK);
	frontend__free(&f);
}

static void test_short_header(void **state)
{
	struct raw c;

	begin(*state);
	raw__init(&c, &f, 0);
	raw__begin(&c, VIRTIO_BLK_T_FLUSH, 0);
	raw__add(&c, c.header, 15, false);
	raw__add(&c, c.status, 1, true);
	raw__submit(&c);
	assert_int_equal(raw__wait(&c, 20000), 1);
	assert_int_equal(raw__status(&c), VIRTIO_BLK_S_IOERR);
	frontend__free(&f);
}

static void test_read_only(void **state)
{
	struct virtio_blk_discard_write_zeroes range = {.num_sectors = 8};
	struct blk_io io = {.range = &range, .nr_ranges = 1};
	struct backend *b = *state;

	begin_read_only(b);
	assert_true(f.offered & BIT(VIRTIO_BLK_F_RO));
	put_pattern(b->disk, 0, 9);
	assert_int_equal(transfer(VIRTIO_BLK_T_IN, 0, RAM_PAGE), 0);
	assert_true(has_pattern(at(memory), 0, 9));
	memset(at(memory), 0, RAM_PAGE);
	assert_int_equal(transfer(VIRTIO_BLK_T_OUT, 0, RAM_PAGE), VIRTIO_BLK_S_IOERR);
	io.type = VIRTIO_BLK_T_DISCARD;
	assert_int_not_equal(frontend__do(&f, 0, &io), VIRTIO_BLK_S_OK);
	io.type = VIRTIO_BLK_T_WRITE_ZEROES;
	assert_int_not_equal(frontend__do(&f, 0, &io), VIRTIO_BLK_S_OK);
	assert_true(has_pattern(b->disk, 0, 9));
	frontend__free(&f);
}

/* --- ranges --- */

#define UNMAP VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP

static int do_range(__u32 type, __u64 sector, __u32 sectors, __u32 flags)
{
	struct virtio_blk_discard_write_zeroes range = {sector, sectors, flags};

	return frontend__do(&f, 0, &(struct blk_io){.type = type, .range = &range, .nr_ranges = 1});
}

static void fill(struct backend *b, unsigned pages)
{
	for (unsigned i = 0; i < pages; i++)
		put_pattern(b->disk + i * RAM_PAGE, i, 4);
}

static bool is_zero(const char *p, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		if (p[i])
			return false;
	return true;
}

static void test_write_zeroes(void **state)
{
	struct backend *b = *state;

	begin(b);
	fill(b, 8);
	assert_int_equal(do_range(VIRTIO_BLK_T_WRITE_ZEROES, 8, 8, 0), 0);
	assert_true(has_pattern(b->disk, 0, 4));
	assert_true(is_zero(b->disk + RAM_PAGE, RAM_PAGE));
	assert_true(has_pattern(b->disk + 2 * RAM_PAGE, 2, 4));
	assert_int_equal(do_range(VIRTIO_BLK_T_WRITE_ZEROES, 3 * 8 + 1, 1, UNMAP), 0);
	assert_true(is_zero(b->disk + 3 * RAM_PAGE + 512, 512));
	assert_false(is_zero(b->disk + 3 * RAM_PAGE, 512));
	assert_false(is_zero(b->disk + 3 * RAM_PAGE + 1024, 512));
	frontend__free(&f);
}

static void test_discard(void **state)
{
	struct backend *b = *state;

	begin(b);
	fill(b, 8);
	assert_int_equal(do_range(VIRTIO_BLK_T_DISCARD, 8, 16, 0), 0);
	assert_true(has_pattern(b->disk, 0, 4));
	assert_true(has_pattern(b->disk + 3 * RAM_PAGE, 3, 4));
	frontend__free(&f);
}

static void test_ranges_beyond(void **state)
{
	const __u32 types[] = {VIRTIO_BLK_T_DISCARD, VIRTIO_BLK_T_WRITE_ZEROES};

	begin(*state);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(do_range(types[i], SECTORS - 8, 8, 0), VIRTIO_BLK_S_OK);
		assert_int_equal(do_range(types[i], SECTORS, 8, 0), VIRTIO_BLK_S_IOERR);
		assert_int_equal(do_range(types[i], SECTORS - 7, 8, 0), VIRTIO_BLK_S_IOERR);
		assert_int_equal(do_range(types[i], 0, 0xffffffff, 0), VIRTIO_BLK_S_IOERR);
		assert_int_equal(do_range(types[i], ~0ULL - 3, 8, 0), VIRTIO_BLK_S_IOERR);
		assert_int_equal(do_range(types[i], 1ULL << 55, 8, 0), VIRTIO_BLK_S_IOERR);
	}
	frontend__free(&f);
}

/* virtio 1.1, 5.2.6.2: unknown flags, and unmap for a discard, are not supported. */
static void test_range_flags(void **state)
{
	begin(*state);
	assert_int_equal(do_range(VIRTIO_BLK_T_DISCARD, 0, 8, UNMAP), VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(do_range(VIRTIO_BLK_T_DISCARD, 0, 8, 2), VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(do_range(VIRTIO_BLK_T_WRITE_ZEROES, 0, 8, 2), VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(do_range(VIRTIO_BLK_T_WRITE_ZEROES, 0, 8, 0x80000001),
			 VIRTIO_BLK_S_UNSUPP);
	frontend__free(&f);
}

static void test_many_ranges(void **state)
{
	struct virtio_blk_discard_write_zeroes range[BLK_IO_RANGES] = {};
	struct blk_io io = {.type = VIRTIO_BLK_T_WRITE_ZEROES, .range = range};
	struct backend *b = *state;

	begin(b);
	fill(b, 128);
	for (unsigned i = 0; i < BLK_IO_RANGES; i++)
		range[i] = (struct virtio_blk_discard_write_zeroes){i * 2 * PAGE_SECTORS,
								    PAGE_SECTORS, 0};
	io.nr_ranges = f.config.max_write_zeroes_seg;
	assert_int_equal(frontend__do(&f, 0, &io), 0);
	for (unsigned i = 0; i < io.nr_ranges; i++) {
		assert_true(is_zero(b->disk + i * 2 * RAM_PAGE, RAM_PAGE));
		assert_true(has_pattern(b->disk + (i * 2 + 1) * RAM_PAGE, i * 2 + 1, 4));
	}
	/* One bad among them: nothing is done, or what came before it. */
	fill(b, 128);
	range[3].sector = SECTORS;
	assert_int_equal(frontend__do(&f, 0, &io), VIRTIO_BLK_S_IOERR);
	assert_true(has_pattern(b->disk + 8 * RAM_PAGE, 8, 4));
	/* More than there may be. */
	fill(b, 128);
	range[3].sector = 6 * PAGE_SECTORS;
	io.nr_ranges = f.config.max_write_zeroes_seg + 1;
	assert_int_not_equal(frontend__do(&f, 0, &io), VIRTIO_BLK_S_OK);
	frontend__free(&f);
}

static void test_range_lengths(void **state)
{
	const __u32 bytes[] = {1, 15, 17, 24};

	begin(*state);
	memset(at(memory), 0, RAM_PAGE);
	for (unsigned i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++)
		assert_int_not_equal(transfer(VIRTIO_BLK_T_DISCARD, 0, bytes[i]), VIRTIO_BLK_S_OK);
	assert_int_not_equal(transfer(VIRTIO_BLK_T_DISCARD, 0, 0), VIRTIO_BLK_S_OK);
	frontend__free(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		both(test_config),	  own(test_config_own),
		both(test_beyond_end),	  both(test_parts_of_sectors),
		own(test_no_data),	  both(test_unaligned_memory),
		both(test_same_frame),	  own(test_id),
		both(test_unknown),	  both(test_flush),
		own(test_short_header),	  both(test_read_only),
		both(test_write_zeroes),  both(test_discard),
		both(test_ranges_beyond), both(test_range_flags),
		own(test_many_ranges),	  own(test_range_lengths),
	};

	cmocka_set_test_filter(getenv("TEST"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
