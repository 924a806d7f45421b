// SPDX-License-Identifier: GPL-2.0
/* Requests (virtio 1.1, 5.2.6): a header that the device reads, data, a status byte that it writes;
 * how they are spread over descriptors is the driver's affair. */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "blk.h"

struct header {
	__le32 type, reserved;
	__le64 sector;
};

struct range {
	__le64 sector;
	__le32 sectors, flags;
};

#define RANGE_UNMAP 1

/* --- pieces of memory --- */

struct pieces {
	struct vring_seg *seg;
	unsigned nr;
};

/* The first bytes of them: away, and in `out`. False: there are not so many. */
static bool pieces__take(struct pieces *p, void *out, __u32 bytes)
{
	char *to = out;

	while (bytes) {
		struct vring_seg *s = p->seg;
		__u32 n;

		if (!p->nr)
			return false;
		n = s->bytes < bytes ? s->bytes : bytes;
		memcpy(to, s->base, n);
		to += n;
		bytes -= n;
		s->base += n;
		s->gpa += n;
		s->bytes -= n;
		if (!s->bytes) {
			p->seg++;
			p->nr--;
		}
	}
	return true;
}

/* The last byte: away. */
static __u8 *pieces__last_byte(struct pieces *p)
{
	struct vring_seg *s = &p->seg[p->nr - 1];

	s->bytes--;
	if (!s->bytes)
		p->nr--;
	return (__u8 *)s->base + s->bytes;
}

static __u64 pieces__bytes(const struct pieces *p)
{
	__u64 sum = 0;

	for (unsigned i = 0; i < p->nr; i++)
		sum += p->seg[i].bytes;
	return sum;
}

/* --- kinds of requests: 0, or the status --- */

struct parts {
	const struct blk_disk *disk;
	struct header header;
	struct pieces out, in; /* without header and status */
};

static bool is_inside(const struct blk_disk *d, __u64 sector, __u64 bytes)
{
	__u64 sectors = d->bytes / BLK_SECTOR;

	return !(bytes % BLK_SECTOR) && sector <= sectors && bytes / BLK_SECTOR <= sectors - sector;
}

static int parse_transfer(const struct parts *p, const struct pieces *data, struct blk_request *r)
{
	__u64 sector = le64toh(p->header.sector), bytes = pieces__bytes(data);

	if (!bytes || !is_inside(p->disk, sector, bytes))
		return VIRTIO_BLK_S_IOERR;
	r->offset = sector * BLK_SECTOR;
	r->bytes = bytes;
	r->data = data->seg;
	r->nr_data = data->nr;
	return 0;
}

static int parse_read(struct parts *p, struct blk_request *r)
{
	r->op = BLK_READ;
	return p->out.nr ? VIRTIO_BLK_S_IOERR : parse_transfer(p, &p->in, r);
}

static int parse_write(struct parts *p, struct blk_request *r)
{
	r->op = BLK_WRITE;
	if (p->in.nr || p->disk->read_only)
		return VIRTIO_BLK_S_IOERR;
	return parse_transfer(p, &p->out, r);
}

static int parse_flush(struct parts *p, struct blk_request *r)
{
	r->op = BLK_FLUSH;
	return 0;
}

static int parse_id(struct parts *p, struct blk_request *r)
{
	r->op = BLK_ID;
	r->data = p->in.seg;
	r->nr_data = p->in.nr;
	r->bytes = pieces__bytes(&p->in);
	return 0;
}

static int parse_range(const struct parts *p, const struct range *from, struct blk_request *r)
{
	__u32 flags = le32toh(from->flags);
	__u64 sector = le64toh(from->sector), bytes = (__u64)le32toh(from->sectors) * BLK_SECTOR;

	/* virtio 1.1, 5.2.6.2: to unmap is an option of writing zeroes only. */
	if (flags & ~(r->op == BLK_ZERO ? RANGE_UNMAP : 0))
		return VIRTIO_BLK_S_UNSUPP;
	if (!is_inside(p->disk, sector, bytes))
		return VIRTIO_BLK_S_IOERR;
	if (bytes)
		r->range[r->nr_ranges++] =
			(struct blk_range){sector * BLK_SECTOR, bytes, flags & RANGE_UNMAP};
	return 0;
}

static int parse_ranges(struct parts *p, struct blk_request *r)
{
	__u64 bytes = pieces__bytes(&p->out);
	struct range range;
	int err = 0;

	if (p->disk->read_only || !bytes || bytes % sizeof(range) ||
	    bytes > BLK_RANGES * sizeof(range))
		return VIRTIO_BLK_S_IOERR;
	while (!err && pieces__take(&p->out, &range, sizeof(range)))
		err = parse_range(p, &range, r);
	return err;
}

static int parse_discard(struct parts *p, struct blk_request *r)
{
	r->op = BLK_DISCARD;
	return p->disk->discard ? parse_ranges(p, r) : VIRTIO_BLK_S_UNSUPP;
}

static int parse_zero(struct parts *p, struct blk_request *r)
{
	r->op = BLK_ZERO;
	return p->disk->write_zeroes ? parse_ranges(p, r) : VIRTIO_BLK_S_UNSUPP;
}

static int parse_kind(struct parts *p, struct blk_request *r)
{
	switch (le32toh(p->header.type)) {
	case VIRTIO_BLK_T_IN:
		return parse_read(p, r);
	case VIRTIO_BLK_T_OUT:
		return parse_write(p, r);
	case VIRTIO_BLK_T_FLUSH:
		return parse_flush(p, r);
	case VIRTIO_BLK_T_GET_ID:
		return parse_id(p, r);
	case VIRTIO_BLK_T_DISCARD:
		return parse_discard(p, r);
	case VIRTIO_BLK_T_WRITE_ZEROES:
		return parse_zero(p, r);
	default:
		return VIRTIO_BLK_S_UNSUPP;
	}
}

int blk_request__parse(const struct blk_disk *d, struct vring_chain *chain, struct blk_request *out)
{
	struct parts p = {.disk = d,
			  .out = {chain->seg, chain->nr_out},
			  .in = {chain->seg + chain->nr_out, chain->nr_in}};

	out->data = NULL;
	out->nr_data = out->nr_ranges = 0;
	out->offset = out->bytes = 0;
	if (!p.in.nr)
		return -EBADMSG;
	out->status = pieces__last_byte(&p.in);
	out->op = BLK_FLUSH;
	if (!pieces__take(&p.out, &p.header, sizeof(p.header)))
		return VIRTIO_BLK_S_IOERR;
	return parse_kind(&p, out);
}

/* --- answers --- */

__u32 blk_request__finish(const struct blk_request *r, __u8 status, __u32 data)
{
	*r->status = status;
	return data + 1;
}

__u32 blk_request__put_id(const struct blk_request *r, const struct blk_disk *d)
{
	__u32 done = 0;

	for (unsigned i = 0; i < r->nr_data && done < BLK_ID_BYTES; i++) {
		__u32 left = BLK_ID_BYTES - done;
		__u32 n = r->data[i].bytes < left ? r->data[i].bytes : left;

		memcpy(r->data[i].base, d->id + done, n);
		done += n;
	}
	return done;
}
