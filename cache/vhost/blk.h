/* SPDX-License-Identifier: GPL-2.0 */
/*
 * virtio-blk (virtio 1.1, 5.2): what a chain of descriptors asks of a disk, and what the disk
 * tells of itself.
 */
#ifndef HVTRACE_VHOST_BLK_H
#define HVTRACE_VHOST_BLK_H

#include <stdbool.h>
#include <linux/types.h>
#include <linux/virtio_blk.h>

#include "vring.h"

#define BLK_SECTOR 512
/* Segments of a discard or write-zeroes request at most. */
#define BLK_RANGES 32
/* Data descriptors of a request at most: what seg_max tells. */
#define BLK_SEGS 254
#define BLK_ID_BYTES 20

struct blk_disk {
	__u64 bytes;	      /* whole sectors */
	__u32 block_bytes;    /* blk_size: logical block */
	__u32 physical_bytes; /* what is good for writes: 4096 */
	__u32 discard_align;  /* bytes */
	unsigned queues;
	bool read_only, discard, write_zeroes;
	char id[BLK_ID_BYTES]; /* for GET_ID: padded with zeroes */
};

/* Fill in the configuration space; all little-endian. */
void blk_disk__config(const struct blk_disk *d, struct virtio_blk_config *out);
/* VIRTIO_BLK_F_* bits that go with it (transport bits are the device's). */
__u64 blk_disk__features(const struct blk_disk *d);

enum blk_op { BLK_READ, BLK_WRITE, BLK_FLUSH, BLK_DISCARD, BLK_ZERO, BLK_ID };

struct blk_range {
	__u64 offset, bytes;
	bool unmap;
};

/* A request, checked: within the disk, whole sectors, writes only where the disk may be written. */
struct blk_request {
	enum blk_op op;
	__u64 offset, bytes;	/* READ, WRITE: on the disk; bytes is also what the data come to */
	struct vring_seg *data; /* READ: to fill, WRITE: to take; the chain's, or in it */
	unsigned nr_data;
	struct blk_range range[BLK_RANGES]; /* DISCARD, ZERO */
	unsigned nr_ranges;
	__u8 *status; /* the guest's byte; never NULL once parsed */
};

/* Understand a chain; changes it (pieces are cut where data begin and end). 0, or the status to
 * answer at once with blk_request__finish(): VIRTIO_BLK_S_IOERR or _UNSUPP (out->status is set).
 * -EBADMSG: there is no place for a status. */
int blk_request__parse(const struct blk_disk *d, struct vring_chain *chain,
		       struct blk_request *out);
/* Write the status; returns the number of bytes to push: `data` and the status byte. */
__u32 blk_request__finish(const struct blk_request *r, __u8 status, __u32 data);
/* Answer a BLK_ID: bytes written. */
__u32 blk_request__put_id(const struct blk_request *r, const struct blk_disk *d);

#endif
