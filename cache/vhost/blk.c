// SPDX-License-Identifier: GPL-2.0
/* What a disk tells of itself (virtio 1.1, 5.2.3 and 5.2.4). */
#include <endian.h>
#include <string.h>

#include "blk.h"

/* Of a discard or write-zeroes segment: below 4 GiB, and whole pages. */
#define RANGE_SECTORS (((4ULL << 30) - (1 << 20)) / BLK_SECTOR)

static unsigned log2_of(__u32 n)
{
	return n ? 31 - __builtin_clz(n) : 0;
}

static __u32 physical_blocks(const struct blk_disk *d)
{
	__u32 n = d->physical_bytes / d->block_bytes;

	return n ? n : 1;
}

static void config_ranges(const struct blk_disk *d, struct virtio_blk_config *c)
{
	__u32 align = d->discard_align > d->block_bytes ? d->discard_align : d->block_bytes;

	if (d->discard) {
		c->max_discard_sectors = htole32(RANGE_SECTORS);
		c->max_discard_seg = htole32(BLK_RANGES);
		c->discard_sector_alignment = htole32(align / BLK_SECTOR);
	}
	if (d->write_zeroes) {
		c->max_write_zeroes_sectors = htole32(RANGE_SECTORS);
		c->max_write_zeroes_seg = htole32(BLK_RANGES);
		c->write_zeroes_may_unmap = 1;
	}
}

void blk_disk__config(const struct blk_disk *d, struct virtio_blk_config *out)
{
	*out = (struct virtio_blk_config){
		.capacity = htole64(d->bytes / BLK_SECTOR),
		.seg_max = htole32(BLK_SEGS),
		.blk_size = htole32(d->block_bytes),
		.physical_block_exp = log2_of(physical_blocks(d)),
		.min_io_size = htole16(physical_blocks(d)),
		/* Writes reach the disk at a flush, and this can't be changed. */
		.wce = 1,
		.num_queues = htole16(d->queues),
	};
	if (!d->read_only)
		config_ranges(d, out);
}

__u64 blk_disk__features(const struct blk_disk *d)
{
	__u64 f = 1ULL << VIRTIO_BLK_F_SEG_MAX | 1ULL << VIRTIO_BLK_F_BLK_SIZE |
		  1ULL << VIRTIO_BLK_F_TOPOLOGY | 1ULL << VIRTIO_BLK_F_FLUSH;

	if (d->queues > 1)
		f |= 1ULL << VIRTIO_BLK_F_MQ;
	if (d->read_only)
		return f | 1ULL << VIRTIO_BLK_F_RO;
	if (d->discard)
		f |= 1ULL << VIRTIO_BLK_F_DISCARD;
	if (d->write_zeroes)
		f |= 1ULL << VIRTIO_BLK_F_WRITE_ZEROES;
	return f;
}
