// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "raw.h"

void raw__init(struct raw *c, struct frontend *f, unsigned q)
{
	*c = (struct raw){.f = f, .r = &f->queue[q].ring};
	c->first = c->r->size / 2;
	c->header = ram__alloc(&f->ram, RAM_PAGE, RAM_PAGE);
	c->status = ram__alloc(&f->ram, RAM_PAGE, RAM_PAGE);
	c->data = ram__alloc(&f->ram, 16 * RAM_PAGE, RAM_PAGE);
	c->table = ram__alloc(&f->ram, RAM_PAGE, RAM_PAGE);
	assert_true(c->header && c->status && c->data && c->table);
}

void raw__begin(struct raw *c, __u32 type, __u64 sector)
{
	struct virtio_blk_outhdr *h = ram__at(&c->f->ram, c->header, sizeof(*h));

	*h = (struct virtio_blk_outhdr){.type = type, .sector = sector};
	*(__u8 *)ram__at(&c->f->ram, c->status, 1) = 0xff;
	c->nr = 0;
}

struct vring_desc *raw__add(struct raw *c, __u64 gpa, __u32 bytes, bool write)
{
	__u16 at = c->first + c->nr++;

	assert_in_range(c->nr, 1, RAW_DESCS);
	c->r->desc[at] = (struct vring_desc){
		gpa, bytes, VRING_DESC_F_NEXT | (write ? VRING_DESC_F_WRITE : 0), at + 1};
	return &c->r->desc[at];
}

void raw__request(struct raw *c, __u32 type, __u64 sector, __u64 gpa, __u32 bytes)
{
	raw__begin(c, type, sector);
	raw__add(c, c->header, sizeof(struct virtio_blk_outhdr), false);
	raw__add(c, gpa, bytes, type == VIRTIO_BLK_T_IN || type == VIRTIO_BLK_T_GET_ID);
	raw__add(c, c->status, 1, true);
}

void raw__submit(struct raw *c)
{
	c->r->desc[c->first + c->nr - 1].flags &= ~VRING_DESC_F_NEXT;
	raw__submit_as_is(c);
}

void raw__submit_as_is(struct raw *c)
{
	driver_ring__offer(c->r, c->first);
	driver_ring__publish(c->r);
	driver_ring__force_kick(c->r);
}

int raw__wait(struct raw *c, int milliseconds)
{
	const struct vring_used_elem *e = &c->r->used->ring[c->r->used_idx % c->r->size];

	for (; milliseconds > 0; milliseconds--) {
		if (__atomic_load_n(&c->r->used->idx, __ATOMIC_ACQUIRE) != c->r->used_idx) {
			assert_int_equal(e->id, c->first);
			c->r->used_idx++;
			return e->len;
		}
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	return -ETIMEDOUT;
}

__u8 raw__status(const struct raw *c)
{
	return *(__u8 *)ram__at(&c->f->ram, c->status, 1);
}
