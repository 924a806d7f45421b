// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "given_fd.h"
#include "inflight.h"

#define VERSION 1
/* A ring's part begins at a multiple of this, as others have it. */
#define ALIGN 64
#define PAGE 4096

/* Others may write to it, too. */
#define READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))

struct entry {
	__u8 in_flight;
	__u8 padding[5];
	__u16 next;
	__u64 counter;
};

struct inflight_region {
	__u64 features;
	__u16 version; /* 0: nobody used it yet */
	__u16 size;
	__u16 last_batch_head;
	__u16 used_idx;
	struct entry entry[];
};

static size_t region__bytes(unsigned size)
{
	size_t bytes = sizeof(struct inflight_region) + size * sizeof(struct entry);

	return (bytes + ALIGN - 1) / ALIGN * ALIGN;
}

/* Stores before this come before those after it, for whoever looks after the process's end. */
static void in_order(void)
{
	atomic_signal_fence(memory_order_seq_cst);
}

/* --- the file --- */

__u64 inflight__bytes(unsigned queues, unsigned size)
{
	return queues * region__bytes(size);
}

int inflight__create(unsigned queues, unsigned size)
{
	int fd = memfd_create("hvtrace-inflight", MFD_CLOEXEC | MFD_ALLOW_SEALING), err;

	if (fd < 0)
		return -errno;
	if (!ftruncate(fd, inflight__bytes(queues, size)) &&
	    !fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

static int check_file(int fd, __u64 offset, __u64 bytes)
{
	struct stat s;

	if (!given_fd__is_memory(fd))
		return -EINVAL;
	if (fstat(fd, &s))
		return -errno;
	if (!S_ISREG(s.st_mode) || offset + bytes < offset || (__u64)s.st_size < offset + bytes)
		return -EINVAL;
	/* Entries are read as what they are. */
	return offset % ALIGN ? -EINVAL : 0;
}

static int map_file(struct inflight_map *m, __u64 offset, __u64 bytes, int fd)
{
	void *p;

	m->offset = offset % PAGE;
	m->map_bytes = m->offset + bytes;
	p = mmap(NULL, m->map_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset - m->offset);
	if (p == MAP_FAILED)
		return -errno;
	m->map = p;
	return 0;
}

int inflight_map__open(struct inflight_map *m, unsigned queues, unsigned size, __u64 offset, int fd,
		       void (*fn)(void *ctx), void *ctx)
{
	struct inflight_map new = {.queues = queues, .size = size};
	__u64 bytes = inflight__bytes(queues, size);
	int err = queues && size ? check_file(fd, offset, bytes) : -EINVAL;

	if (!err)
		err = map_file(&new, offset, bytes, fd);
	if (err)
		return err;
	new.guard = sigbus_guard__new(new.map, new.map_bytes, fn, ctx);
	if (!new.guard) {
		inflight_map__close(&new);
		return -ENOMEM;
	}
	*m = new;
	return 0;
}

void inflight_map__close(struct inflight_map *m)
{
	sigbus_guard__free(m->guard);
	if (m->map)
		munmap(m->map, m->map_bytes);
	*m = (struct inflight_map){0};
}

struct inflight_log inflight_map__log(const struct inflight_map *m, unsigned queue)
{
	char *first = (char *)m->map + m->offset;

	if (queue >= m->queues)
		return (struct inflight_log){0};
	return (struct inflight_log){
		.region = (struct inflight_region *)(first + queue * region__bytes(m->size)),
		.size = m->size,
	};
}

/* --- after a restart --- */

struct resubmit {
	__u64 counter;
	__u16 head;
};

static int compare_resubmits(const void *a, const void *b)
{
	const struct resubmit *x = a, *y = b;

	if (x->counter != y->counter)
		return x->counter < y->counter ? -1 : 1;
	return x->head - y->head;
}

/* The killed server had shown these to the guest, and not noted it yet. */
static int finish_batch(struct inflight_region *r, unsigned size, __u16 used_idx)
{
	__u16 left = used_idx - READ_ONCE(r->used_idx), head = READ_ONCE(r->last_batch_head);

	if (left > size)
		left = 0; /* the guest began anew */
	for (; left; left--) {
		if (head >= size)
			return -EINVAL;
		r->entry[head].in_flight = 0;
		head = READ_ONCE(r->entry[head].next);
	}
	in_order();
	r->used_idx = used_idx;
	return 0;
}

static int collect(struct inflight_log *l, unsigned size, __u16 *heads)
{
	struct resubmit *found = calloc(size, sizeof(*found));
	const struct entry *e = l->region->entry;
	int n = 0;

	if (!found)
		return -ENOMEM;
	for (unsigned i = 0; i < size; i++)
		if (READ_ONCE(e[i].in_flight))
			found[n++] = (struct resubmit){READ_ONCE(e[i].counter), i};
	qsort(found, n, sizeof(*found), compare_resubmits);
	for (int i = 0; i < n; i++)
		heads[i] = found[i].head;
	l->counter = n ? found[n - 1].counter + 1 : 0;
	free(found);
	return n;
}

static void format(struct inflight_region *r, unsigned size, __u16 used_idx)
{
	r->size = size;
	r->used_idx = used_idx;
	in_order();
	r->version = VERSION;
}

int inflight_log__recover(struct inflight_log *l, unsigned size, __u16 used_idx, __u16 *heads,
			  bool *fresh)
{
	struct inflight_region *r = l->region;
	int err;

	*fresh = !r || !r->version;
	if (!r)
		return 0;
	if (size > l->size)
		return -EINVAL;
	if (*fresh) {
		format(r, l->size, used_idx);
		return 0;
	}
	if (READ_ONCE(r->version) != VERSION)
		return -EINVAL;
	err = finish_batch(r, size, used_idx);
	return err ? err : collect(l, size, heads);
}

/* --- while serving --- */

void inflight_log__begin(struct inflight_log *l, __u16 head)
{
	if (!l->region)
		return;
	l->region->entry[head].counter = l->counter++;
	in_order();
	l->region->entry[head].in_flight = 1;
	in_order();
}

void inflight_log__ending(struct inflight_log *l, __u16 head)
{
	if (!l->region)
		return;
	l->region->entry[head].next = l->region->last_batch_head;
	in_order();
	l->region->last_batch_head = head;
	in_order();
}

void inflight_log__ended(struct inflight_log *l, __u16 head, __u16 used_idx)
{
	if (!l->region)
		return;
	in_order();
	l->region->entry[head].in_flight = 0;
	in_order();
	l->region->used_idx = used_idx;
}
