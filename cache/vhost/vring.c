// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vring_setup.h"

#define F_INDIRECT_DESC (1ULL << 28)
#define F_EVENT_IDX (1ULL << 29)

/* The two rings are arrays of 16-bit words, little-endian (virtio 1.1, 2.6.6 and 2.6.8):
 *   avail: flags, idx, ring[size], used_event
 *   used:  flags, idx, { id lo, id hi, len lo, len hi }[size], avail_event */
#define FLAGS 0
#define IDX 1
#define RING 2
#define AVAIL_NO_INTERRUPT 1
#define USED_NO_NOTIFY 1

static __u16 get(const __u16 *word, int order)
{
	return le16toh(__atomic_load_n(word, order));
}

static void put(__u16 *word, __u16 value, int order)
{
	__atomic_store_n(word, htole16(value), order);
}

static __u16 *used_event(const struct vring *r)
{
	return r->avail + RING + r->size;
}

static __u16 *avail_event(const struct vring *r)
{
	return r->used + RING + 4 * r->size;
}

static void signal_fd(int fd)
{
	__u64 one = 1;

	/* Full (EAGAIN): it is readable already. Anything else is the front end's affair. */
	if (fd >= 0 && write(fd, &one, sizeof(one)) < 0)
		return;
}

/* --- setting up --- */

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

struct vring *vring__new(unsigned index, const struct guest_memory *memory)
{
	struct vring *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	*r = (struct vring){.index = index, .memory = memory, .kick = -1, .err = -1, .call = -1};
	r->nobody = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (r->nobody >= 0)
		r->call = fcntl(r->nobody, F_DUPFD_CLOEXEC, 0);
	if (r->call >= 0)
		return r;
	vring__free(r);
	return NULL;
}

void vring__free(struct vring *r)
{
	int err = errno;

	if (!r)
		return;
	close_fd(r->kick);
	close_fd(r->err);
	close_fd(r->call);
	close_fd(r->nobody);
	free(r->busy);
	free(r->resubmit);
	free(r);
	errno = err;
}

bool vring__size_is_valid(__u32 size)
{
	return size && size <= VRING_MAX_SIZE && !(size & (size - 1));
}

void vring__set_base(struct vring *r, __u16 base)
{
	r->next_avail = base;
}

/* The data loop may be writing to it: the number stays, what is behind it changes in one step. */
void vring__set_call(struct vring *r, int fd)
{
	dup3(fd >= 0 ? fd : r->nobody, r->call, O_CLOEXEC);
	close_fd(fd);
}

static void *find_part(const struct vring *r, __u64 hva, __u64 bytes, unsigned align)
{
	__u64 there = bytes;
	void *p = hva % align ? NULL : guest_memory__at_hva(r->memory, hva, &there);

	return p && there == bytes && !((uintptr_t)p % align) ? p : NULL;
}

static int find_rings(struct vring *r, const char **reason)
{
	r->desc = find_part(r, r->desc_at, 16ULL * r->size, 16);
	r->avail = find_part(r, r->avail_at, 2ULL * (RING + r->size + 1), 2);
	r->used = find_part(r, r->used_at, 2ULL * (RING + 4 * r->size + 1), 4);
	if (r->desc && r->avail && r->used)
		return 0;
	*reason = !r->desc    ? "the descriptor table is not in guest memory"
		  : !r->avail ? "the available ring is not in guest memory"
			      : "the used ring is not in guest memory";
	return -EINVAL;
}

static int make_room(struct vring *r)
{
	__u8 *busy;
	__u16 *resubmit;

	if (r->size > r->room) {
		busy = realloc(r->busy, r->size * sizeof(*busy));
		r->busy = busy ? busy : r->busy;
		resubmit = realloc(r->resubmit, r->size * sizeof(*resubmit));
		r->resubmit = resubmit ? resubmit : r->resubmit;
		if (!busy || !resubmit)
			return -ENOMEM;
		r->room = r->size;
	}
	memset(r->busy, 0, r->room * sizeof(*r->busy));
	return 0;
}

/* What is neither used nor noted as in flight was not taken, so that is where to go on. A new log
 * knows nothing: the front end's word counts then. */
static int recover(struct vring *r, const char **reason)
{
	bool fresh;
	int n = inflight_log__recover(&r->log, r->size, r->next_used, r->resubmit, &fresh);

	if (n < 0) {
		*reason = "the log of requests in flight does not fit the ring";
		return n;
	}
	r->nr_resubmit = n;
	r->resubmitted = 0;
	if (!fresh)
		r->next_avail = r->next_used + n;
	return 0;
}

int vring__start(struct vring *r, const char **reason)
{
	int err;

	*reason = "no memory is left";
	if (!vring__size_is_valid(r->size)) {
		*reason = "it has no valid size";
		return -EINVAL;
	}
	err = find_rings(r, reason);
	if (!err)
		err = make_room(r);
	if (err)
		return err;
	r->next_used = r->told_used = get(r->used + IDX, __ATOMIC_RELAXED);
	err = recover(r, reason);
	if (err)
		return err;
	r->event_idx = r->features & F_EVENT_IDX;
	r->indirect = r->features & F_INDIRECT_DESC;
	r->dead = false;
	r->in_flight = 0;
	r->seen_avail = r->next_avail;
	return 0;
}

/* --- taking requests --- */

static int die(struct vring *r, const char *why, const char **reason)
{
	*reason = why;
	r->dead = true;
	signal_fd(r->err);
	if (r->died)
		r->died(r, r->died_ctx, why);
	return -EPROTO;
}

/* Are there new requests? -EPROTO: so many there cannot be. */
static int look(struct vring *r, const char **reason)
{
	if (r->seen_avail != r->next_avail)
		return 1;
	r->seen_avail = get(r->avail + IDX, __ATOMIC_ACQUIRE);
	if ((__u16)(r->seen_avail - r->next_avail) > r->size)
		return die(r, "the available index ran ahead", reason);
	return r->seen_avail != r->next_avail;
}

static int take(struct vring *r, __u16 head, struct vring_chain *c, const char **reason)
{
	int err;

	if (head >= r->size)
		return die(r, "a head is not in the descriptor table", reason);
	if (r->busy[head])
		return die(r, "a head is made available that is in flight", reason);
	inflight_log__begin(&r->log, head);
	r->busy[head] = true;
	r->in_flight++;
	err = vring__walk(r, head, c, reason);
	if (err == -EPROTO)
		return die(r, *reason, reason);
	return err ? err : 1;
}

int vring__pop(struct vring *r, struct vring_chain *c, const char **reason)
{
	__u16 head;
	int n;

	*reason = NULL;
	if (r->dead) {
		*reason = "it is dead";
		return -EPROTO;
	}
	if (r->resubmitted < r->nr_resubmit)
		return take(r, r->resubmit[r->resubmitted++], c, reason);
	n = look(r, reason);
	if (n <= 0)
		return n;
	head = get(&r->avail[RING + (r->next_avail & (r->size - 1))], __ATOMIC_RELAXED);
	r->next_avail++;
	return take(r, head, c, reason);
}

/* --- giving them back --- */

static void put_used(struct vring *r, __u16 head, __u32 written)
{
	__u16 *e = r->used + RING + 4 * (r->next_used & (r->size - 1));

	put(e, head, __ATOMIC_RELAXED);
	put(e + 1, 0, __ATOMIC_RELAXED);
	put(e + 2, written, __ATOMIC_RELAXED);
	put(e + 3, written >> 16, __ATOMIC_RELAXED);
}

void vring__push(struct vring *r, __u16 head, __u32 written)
{
	if (head >= r->size || !r->busy[head])
		return;
	put_used(r, head, written);
	inflight_log__ending(&r->log, head);
	put(r->used + IDX, ++r->next_used, __ATOMIC_RELEASE);
	inflight_log__ended(&r->log, head, r->next_used);
	r->busy[head] = false;
	r->in_flight--;
}

/* virtio 1.1, 2.6.7.2: the event index lies among those used since the last look. */
static bool passed(__u16 event, __u16 now, __u16 before)
{
	return (__u16)(now - event - 1) < (__u16)(now - before);
}

void vring__notify(struct vring *r)
{
	__u16 before = r->told_used;
	bool wanted;

	if (before == r->next_used)
		return;
	r->told_used = r->next_used;
	/* The driver asks, then looks for used ones; here they are used, then it is looked whether
	 * it asks. */
	atomic_thread_fence(memory_order_seq_cst);
	if (r->event_idx)
		wanted = passed(get(used_event(r), __ATOMIC_RELAXED), r->next_used, before);
	else
		wanted = !(get(r->avail + FLAGS, __ATOMIC_RELAXED) & AVAIL_NO_INTERRUPT);
	if (wanted)
		signal_fd(r->call);
}

/* --- kicks --- */

bool vring__arm(struct vring *r)
{
	if (r->dead)
		return false;
	if (r->event_idx)
		put(avail_event(r), r->next_avail, __ATOMIC_RELAXED);
	else
		put(r->used + FLAGS, 0, __ATOMIC_RELAXED);
	/* As in notify, the other way round. */
	atomic_thread_fence(memory_order_seq_cst);
	return r->resubmitted < r->nr_resubmit ||
	       get(r->avail + IDX, __ATOMIC_RELAXED) != r->next_avail;
}

/* With event indices, one that lies behind asks for nothing. */
void vring__disarm(struct vring *r)
{
	if (!r->event_idx)
		put(r->used + FLAGS, USED_NO_NOTIFY, __ATOMIC_RELAXED);
}

int vring__kick_fd(const struct vring *r)
{
	return r->kick;
}

unsigned vring__index(const struct vring *r)
{
	return r->index;
}

unsigned vring__size(const struct vring *r)
{
	return r->size;
}

unsigned vring__in_flight(const struct vring *r)
{
	return r->in_flight;
}

const struct guest_memory *vring__memory(const struct vring *r)
{
	return r->memory;
}
