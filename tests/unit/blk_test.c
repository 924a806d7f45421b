// SPDX-License-Identifier: GPL-2.0
/* virtio-blk: requests however they lie in memory, and what a disk tells of itself. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../cache/vhost/blk.h"
#include "random.h"

#define SECTORS 1000

static const struct blk_disk disk = {
	.bytes = SECTORS * BLK_SECTOR,
	.block_bytes = 512,
	.physical_bytes = 4096,
	.discard_align = 4096,
	.queues = 4,
	.discard = true,
	.write_zeroes = true,
	.id = "a disk",
};

/* A request as a driver writes it, cut into pieces at random. */
struct request {
	struct random random;
	char *out, *in;
	struct vring_chain *chain;
	struct blk_request parsed;
};

static unsigned cut(struct request *q, char *from, __u32 bytes)
{
	unsigned n = 0;

	for (__u32 at = 0, piece; at < bytes; at += piece, n++) {
		piece = 1 + random__below(&q->random, bytes - at);
		q->chain->seg[q->chain->nr_out + q->chain->nr_in + n] =
			(struct vring_seg){from + at, 0x100000 + at, piece};
	}
	return n;
}

static void put_header(struct request *q, __u32 type, __u64 sector)
{
	struct virtio_blk_outhdr h = {.type = type, .sector = sector};

	memcpy(q->out, &h, sizeof(h));
}

/* Header, so many bytes to be read and, beside the status, to be written. */
static int parse(struct request *q, const struct blk_disk *d, __u32 type, __u64 sector, __u32 out,
		 __u32 in)
{
	put_header(q, type, sector);
	q->chain->nr_out = q->chain->nr_in = 0;
	q->chain->nr_out = cut(q, q->out, 16 + out);
	q->chain->nr_in = cut(q, q->in, in + 1);
	return blk_request__parse(d, q->chain, &q->parsed);
}

static int set_up(void **state)
{
	struct request *q = calloc(1, sizeof(*q));

	q->random.state = random__seed();
	q->out = malloc(1 << 16);
	q->in = calloc(1, 1 << 16);
	q->chain = malloc(sizeof(*q->chain));
	for (int i = 0; i < 1 << 16; i++)
		q->out[i] = i * 7;
	*state = q;
	return 0;
}

static int tear_down(void **state)
{
	struct request *q = *state;

	free(q->out);
	free(q->in);
	free(q->chain);
	free(q);
	return 0;
}

static __u64 data_bytes(const struct blk_request *r)
{
	__u64 sum = 0;

	for (unsigned i = 0; i < r->nr_data; i++)
		sum += r->data[i].bytes;
	return sum;
}

static void test_read(void **state)
{
	struct request *q = *state;

	for (int i = 0; i < 1000; i++) {
		__u32 sectors = 1 + random__below(&q->random, 8);
		__u64 sector = random__below(&q->random, SECTORS - 8);
		char *at = q->in;

		assert_int_equal(parse(q, &disk, VIRTIO_BLK_T_IN, sector, 0, sectors * 512), 0);
		assert_int_equal(q->parsed.op, BLK_READ);
		assert_int_equal(q->parsed.offset, sector * 512);
		assert_int_equal(q->parsed.bytes, sectors * 512);
		assert_int_equal(data_bytes(&q->parsed), sectors * 512);
		assert_ptr_equal(q->parsed.status, q->in + sectors * 512);
		for (unsigned s = 0; s < q->parsed.nr_data; s++) {
			assert_ptr_equal(q->parsed.data[s].base, at);
			assert_int_equal(q->parsed.data[s].gpa, 0x100000 + (at - q->in));
			at += q->parsed.data[s].bytes;
		}
	}
}

static void test_write(void **state)
{
	struct request *q = *state;

	for (int i = 0; i < 1000; i++) {
		__u32 sectors = 1 + random__below(&q->random, 8);
		const char *at = q->out + 16;

		assert_int_equal(parse(q, &disk, VIRTIO_BLK_T_OUT, 5, sectors * 512, 0), 0);
		assert_int_equal(q->parsed.op, BLK_WRITE);
		assert_int_equal(q->parsed.offset, 5 * 512);
		assert_int_equal(data_bytes(&q->parsed), sectors * 512);
		assert_ptr_equal(q->parsed.status, q->in);
		for (unsigned s = 0; s < q->parsed.nr_data; s++) {
			assert_ptr_equal(q->parsed.data[s].base, at);
			at += q->parsed.data[s].bytes;
		}
	}
}

static void test_bounds(void **state)
{
	struct request *q = *state;
	static const struct {
		__u64 sector;
		__u32 bytes;
		int status;
	} cases[] = {
		{0, 512, 0},
		{SECTORS - 1, 512, 0},
		{SECTORS - 1, 1024, VIRTIO_BLK_S_IOERR},
		{SECTORS, 512, VIRTIO_BLK_S_IOERR},
		{SECTORS + 1, 512, VIRTIO_BLK_S_IOERR},
		{-1ULL, 512, VIRTIO_BLK_S_IOERR},
		{-1ULL / 512, 1024, VIRTIO_BLK_S_IOERR},
		{0, 511, VIRTIO_BLK_S_IOERR},
		{0, 513, VIRTIO_BLK_S_IOERR},
		{0, 0, VIRTIO_BLK_S_IOERR},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(
			parse(q, &disk, VIRTIO_BLK_T_IN, cases[i].sector, 0, cases[i].bytes),
			cases[i].status);
		assert_int_equal(
			parse(q, &disk, VIRTIO_BLK_T_OUT, cases[i].sector, cases[i].bytes, 0),
			cases[i].status);
	}
}

static void test_refused(void **state)
{
	struct request *q = *state;
	struct blk_disk locked = disk, plain = disk;

	locked.read_only = true;
	plain.discard = plain.write_zeroes = false;
	/* Data that go the other way. */
	assert_int_equal(parse(q, &disk, VIRTIO_BLK_T_IN, 0, 512, 512), VIRTIO_BLK_S_IOERR);
	assert_int_equal(parse(q, &disk, VIRTIO_BLK_T_OUT, 0, 512, 512), VIRTIO_BLK_S_IOERR);
	assert_int_equal(parse(q, &locked, VIRTIO_BLK_T_OUT, 0, 512, 0), VIRTIO_BLK_S_IOERR);
	assert_int_equal(parse(q, &locked, VIRTIO_BLK_T_IN, 0, 0, 512), 0);
	assert_int_equal(parse(q, &locked, VIRTIO_BLK_T_DISCARD, 0, 16, 0), VIRTIO_BLK_S_IOERR);
	assert_int_equal(parse(q, &plain, VIRTIO_BLK_T_DISCARD, 0, 16, 0), VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(parse(q, &plain, VIRTIO_BLK_T_WRITE_ZEROES, 0, 16, 0),
			 VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(parse(q, &disk, VIRTIO_BLK_T_SCSI_CMD, 0, 16, 0), VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(parse(q, &disk, 0x80000000, 0, 0, 0), VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(blk_request__finish(&q->parsed, VIRTIO_BLK_S_UNSUPP, 0), 1);
	assert_int_equal(q->in[0], VIRTIO_BLK_S_UNSUPP);
}

static void test_short(void **state)
{
	struct request *q = *state;

	/* No place for a status. */
	q->chain->nr_out = 1;
	q->chain->nr_in = 0;
	q->chain->seg[0] = (struct vring_seg){q->out, 0, 16};
	assert_int_equal(blk_request__parse(&disk, q->chain, &q->parsed), -EBADMSG);
	/* One, but no whole header: that can be told. */
	q->chain->nr_in = 1;
	q->chain->seg[0].bytes = 15;
	q->chain->seg[1] = (struct vring_seg){q->in, 0, 1};
	assert_int_equal(blk_request__parse(&disk, q->chain, &q->parsed), VIRTIO_BLK_S_IOERR);
	assert_ptr_equal(q->parsed.status, q->in);
	q->chain->nr_out = 0;
	q->chain->seg[0] = q->chain->seg[1];
	q->chain->seg[0].bytes = 1;
	assert_int_equal(blk_request__parse(&disk, q->chain, &q->parsed), VIRTIO_BLK_S_IOERR);
}

static void test_flush_and_id(void **state)
{
	struct request *q = *state;

	assert_int_equal(parse(q, &disk, VIRTIO_BLK_T_FLUSH, 0, 0, 0), 0);
	assert_int_equal(q->parsed.op, BLK_FLUSH);
	for (__u32 room = 0; room < 30; room++) {
		memset(q->in, 0x55, 64);
		assert_int_equal(parse(q, &disk, VIRTIO_BLK_T_GET_ID, 0, 0, room), 0);
		assert_int_equal(q->parsed.op, BLK_ID);
		assert_int_equal(blk_request__put_id(&q->parsed, &disk), room < 20 ? room : 20);
		assert_memory_equal(q->in, disk.id, room < 20 ? room : 20);
		assert_int_equal(q->in[room < 20 ? room : 20], 0x55);
		assert_int_equal(blk_request__finish(&q->parsed, 0, room), room + 1);
		assert_int_equal(q->in[room], 0);
	}
}

static int parse_ranges(struct request *q, __u32 type,
			const struct virtio_blk_discard_write_zeroes *r, unsigned n)
{
	memcpy(q->out + 16, r, n * sizeof(*r));
	return parse(q, &disk, type, 0, n * sizeof(*r), 0);
}

static void test_ranges(void **state)
{
	struct virtio_blk_discard_write_zeroes r[BLK_RANGES + 1] = {
		{8, 8, 0}, {SECTORS - 1, 0, 0}, {SECTORS - 1, 1, 0}};
	struct request *q = *state;

	assert_int_equal(parse_ranges(q, VIRTIO_BLK_T_DISCARD, r, 3), 0);
	assert_int_equal(q->parsed.op, BLK_DISCARD);
	/* Of the three, one is empty. */
	assert_int_equal(q->parsed.nr_ranges, 2);
	assert_int_equal(q->parsed.range[0].offset, 8 * 512);
	assert_int_equal(q->parsed.range[0].bytes, 8 * 512);
	assert_int_equal(q->parsed.range[1].offset, (SECTORS - 1) * 512);
	assert_int_equal(parse_ranges(q, VIRTIO_BLK_T_DISCARD, r, BLK_RANGES), 0);
	assert_int_equal(parse_ranges(q, VIRTIO_BLK_T_DISCARD, r, BLK_RANGES + 1),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(parse_ranges(q, VIRTIO_BLK_T_DISCARD, r, 0), VIRTIO_BLK_S_IOERR);
	assert_int_equal(parse(q, &disk, VIRTIO_BLK_T_DISCARD, 0, 17, 0), VIRTIO_BLK_S_IOERR);
	r[1].num_sectors = 2;
	assert_int_equal(parse_ranges(q, VIRTIO_BLK_T_DISCARD, r, 2), VIRTIO_BLK_S_IOERR);
	r[1].num_sectors = 0xffffffff;
	assert_int_equal(parse_ranges(q, VIRTIO_BLK_T_WRITE_ZEROES, r, 2), VIRTIO_BLK_S_IOERR);
}

static void test_flags(void **state)
{
	struct virtio_blk_discard_write_zeroes r = {8, 8, 1};
	struct request *q = *state;

	assert_int_equal(parse_ranges(q, VIRTIO_BLK_T_WRITE_ZEROES, &r, 1), 0);
	assert_int_equal(q->parsed.op, BLK_ZERO);
	assert_true(q->parsed.range[0].unmap);
	assert_int_equal(parse_ranges(q, VIRTIO_BLK_T_DISCARD, &r, 1), VIRTIO_BLK_S_UNSUPP);
	r.flags = 0;
	assert_int_equal(parse_ranges(q, VIRTIO_BLK_T_WRITE_ZEROES, &r, 1), 0);
	assert_false(q->parsed.range[0].unmap);
	r.flags = 2;
	assert_int_equal(parse_ranges(q, VIRTIO_BLK_T_WRITE_ZEROES, &r, 1), VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(parse_ranges(q, VIRTIO_BLK_T_DISCARD, &r, 1), VIRTIO_BLK_S_UNSUPP);
}

static void test_config(void **state)
{
	struct blk_disk locked = disk, large = disk;
	struct virtio_blk_config c;

	blk_disk__config(&disk, &c);
	assert_int_equal(c.capacity, SECTORS);
	assert_int_equal(c.seg_max, BLK_SEGS);
	assert_int_equal(c.blk_size, 512);
	assert_int_equal(c.physical_block_exp, 3);
	assert_int_equal(c.num_queues, 4);
	assert_int_equal(c.max_discard_seg, BLK_RANGES);
	assert_int_equal(c.discard_sector_alignment, 8);
	assert_true(c.max_discard_sectors > 1 << 20 && c.max_write_zeroes_sectors > 1 << 20);
	/* In bytes it must not pass what a guest's 32 bits hold. */
	assert_true(c.max_discard_sectors < 1U << 23);
	large.block_bytes = large.discard_align = 4096;
	blk_disk__config(&large, &c);
	assert_int_equal(c.blk_size, 4096);
	assert_int_equal(c.physical_block_exp, 0);
	locked.read_only = true;
	blk_disk__config(&locked, &c);
	assert_int_equal(c.max_discard_sectors, 0);
}

#define BIT(n) (1ULL << VIRTIO_BLK_F_##n)

static void test_features(void **state)
{
	__u64 all = BIT(SEG_MAX) | BIT(BLK_SIZE) | BIT(TOPOLOGY) | BIT(FLUSH);
	struct blk_disk d = disk;

	assert_int_equal(blk_disk__features(&d), all | BIT(MQ) | BIT(DISCARD) | BIT(WRITE_ZEROES));
	d.queues = 1;
	d.discard = false;
	assert_int_equal(blk_disk__features(&d), all | BIT(WRITE_ZEROES));
	d.read_only = true;
	assert_int_equal(blk_disk__features(&d), all | BIT(RO));
}

#define test(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(test_read),
		test(test_write),
		test(test_bounds),
		test(test_refused),
		test(test_short),
		test(test_flush_and_id),
		test(test_ranges),
		test(test_flags),
		cmocka_unit_test(test_config),
		cmocka_unit_test(test_features),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
