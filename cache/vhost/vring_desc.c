// SPDX-License-Identifier: GPL-2.0
/* Descriptor chains (virtio 1.1, 2.6.5). */
#include <endian.h>
#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "vring_setup.h"

#define F_NEXT 1
#define F_WRITE 2
#define F_INDIRECT 4

struct desc {
	__u64 gpa;
	__u32 bytes;
	__u16 flags, next;
};

_Static_assert(sizeof(struct desc) == 16, "as in memory");

/* Descriptors one after the other: the ring's, or a table of its own. */
struct table {
	const char *at;
	unsigned size;
	bool indirect;
};

struct walk {
	const struct vring *ring;
	struct vring_chain *chain;
	const char *reason;
};

static int bad(struct walk *w, int err, const char *reason)
{
	w->reason = reason;
	return err;
}

/* Once: the guest may change it as soon as it was read. Tables need not be aligned. */
static struct desc table__read(const struct table *t, unsigned i)
{
	struct desc d;

	memcpy(&d, t->at + i * sizeof(d), sizeof(d));
	atomic_signal_fence(memory_order_seq_cst);
	return (struct desc){le64toh(d.gpa), le32toh(d.bytes), le16toh(d.flags), le16toh(d.next)};
}

/* --- pieces --- */

static int chain__add(struct vring_chain *c, struct vring_seg seg, bool writable)
{
	unsigned n = c->nr_out + c->nr_in;

	if (n == VRING_SEGS)
		return -EBADMSG;
	c->seg[n] = seg;
	if (writable)
		c->nr_in++;
	else
		c->nr_out++;
	return 0;
}

/* A piece of guest memory may be several here. */
static int add_memory(struct walk *w, __u64 gpa, __u32 left, bool writable)
{
	if (!writable && left && w->chain->nr_in)
		return bad(w, -EBADMSG, "what is to be read comes after what is to be written");
	while (left) {
		__u64 bytes = left;
		char *base = guest_memory__at(w->ring->memory, gpa, &bytes);

		if (!base)
			return bad(w, -EBADMSG, "an address is not in guest memory");
		if (chain__add(w->chain, (struct vring_seg){base, gpa, bytes}, writable))
			return bad(w, -EBADMSG, "it is in too many pieces");
		gpa += bytes;
		left -= bytes;
	}
	return 0;
}

/* --- tables --- */

static int table__of(struct walk *w, const struct desc *d, struct table *t)
{
	__u64 bytes = d->bytes;

	if (!w->ring->indirect)
		return bad(w, -EPROTO, "an indirect descriptor, which was not agreed on");
	if (d->flags & F_NEXT)
		return bad(w, -EPROTO, "an indirect descriptor is not the last one");
	if (!bytes || bytes % sizeof(*d) || bytes > VRING_SEGS * sizeof(*d))
		return bad(w, -EPROTO, "an indirect table of an impossible length");
	t->at = guest_memory__at(w->ring->memory, d->gpa, &bytes);
	if (!t->at || bytes < d->bytes)
		return bad(w, -EBADMSG, "an indirect table is not in guest memory");
	t->size = bytes / sizeof(*d);
	t->indirect = true;
	return 0;
}

/* Follow a table from a descriptor on. 1: an indirect one was met, t is its table now. */
static int table__walk(struct table *t, unsigned i, struct walk *w)
{
	for (unsigned left = t->size; left; left--) {
		struct desc d = table__read(t, i);
		int err;

		if (d.flags & F_INDIRECT) {
			if (t->indirect)
				return bad(w, -EPROTO, "an indirect table within another");
			err = table__of(w, &d, t);
			return err ? err : 1;
		}
		err = add_memory(w, d.gpa, d.bytes, d.flags & F_WRITE);
		if (err || !(d.flags & F_NEXT))
			return err;
		if (d.next >= t->size)
			return bad(w, -EPROTO, "a descriptor's next one is not in its table");
		i = d.next;
	}
	return bad(w, -EPROTO, "descriptors form a loop");
}

int vring__walk(const struct vring *r, __u16 head, struct vring_chain *c, const char **reason)
{
	struct table t = {.at = r->desc, .size = r->size};
	struct walk w = {.ring = r, .chain = c};
	int err;

	c->head = head;
	c->nr_out = c->nr_in = 0;
	err = table__walk(&t, head, &w);
	if (err == 1)
		err = table__walk(&t, 0, &w);
	*reason = w.reason;
	return err;
}
