// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <linux/magic.h>

#include "given_fd.h"
#include "memory.h"

/* --- mapping --- */

static void on_broken(void *ctx)
{
	struct guest_memory *m = ctx;

	if (!atomic_exchange(&m->is_broken, true) && m->broke)
		m->broke(m);
}

/* What the file's offsets and lengths are mapped in: huge pages cannot be mapped in part. */
static int region__find_file(struct guest_region *r, int fd, __u64 *block)
{
	struct statfs fs;
	struct stat s;

	if (!given_fd__is_memory(fd))
		return -EMEDIUMTYPE;
	if (fstat(fd, &s) || fstatfs(fd, &fs))
		return -errno;
	if (!S_ISREG(s.st_mode) || (__u64)s.st_size < r->offset + r->bytes)
		return -EINVAL;
	r->dev = s.st_dev;
	r->ino = s.st_ino;
	if (fs.f_type == HUGETLBFS_MAGIC)
		*block = s.st_blksize;
	return 0;
}

/* The file's same pages twice: frames that take no memory could be any number of them. */
static bool is_alias(const struct guest_memory *m, const struct guest_region *r)
{
	for (const struct guest_region *o = m->region; o < m->region + m->nr; o++)
		if (o->dev == r->dev && o->ino == r->ino && o->offset < r->offset + r->bytes &&
		    r->offset < o->offset + o->bytes)
			return true;
	return false;
}

static int region__map_file(struct guest_region *r, const struct guest_memory *m, int fd)
{
	__u64 block = GUEST_PAGE, before;
	int err = region__find_file(r, fd, &block);

	if (err)
		return err;
	if (is_alias(m, r))
		return -EINVAL;
	before = r->offset % block;
	r->map_bytes = (before + r->bytes + block - 1) / block * block;
	r->map = mmap(NULL, r->map_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd,
		      r->offset - before);
	if (r->map == MAP_FAILED)
		return -errno;
	r->base = (char *)r->map + before;
	/* The guest's data do not belong into a core dump of ours. */
	madvise(r->map, r->map_bytes, MADV_DONTDUMP);
	return 0;
}

static size_t region__hint_bytes(const struct guest_region *r)
{
	return r->bytes / GUEST_PAGE * sizeof(*r->hint);
}

/* Zeroed, and only what is used is there. */
static int region__map_hints(struct guest_region *r)
{
	void *p = mmap(NULL, region__hint_bytes(r), PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return -errno;
	r->hint = p;
	return 0;
}

static void region__unmap(struct guest_region *r)
{
	sigbus_guard__free(r->guard);
	if (r->hint)
		munmap((void *)r->hint, region__hint_bytes(r));
	if (r->base)
		munmap(r->map, r->map_bytes);
}

static int region__map(struct guest_region *r, struct guest_memory *m, int fd)
{
	int err = region__map_file(r, m, fd);

	if (!err)
		err = region__map_hints(r);
	if (!err) {
		r->guard = sigbus_guard__new(r->map, r->map_bytes, on_broken, m);
		err = r->guard ? 0 : -ENOMEM;
	}
	if (err)
		region__unmap(r);
	return err;
}

/* --- the table --- */

static bool wraps(__u64 start, __u64 bytes)
{
	return start + bytes < start;
}

static bool is_sane(__u64 gpa, __u64 bytes, __u64 hva, __u64 offset)
{
	if (!bytes || (gpa | bytes | hva | offset) % GUEST_PAGE)
		return false;
	return !wraps(gpa, bytes) && !wraps(hva, bytes) && !wraps(offset, bytes);
}

/* Index of the first region that ends behind gpa. */
static unsigned find(const struct guest_memory *m, __u64 gpa)
{
	unsigned low = 0, high = m->nr;

	while (low < high) {
		unsigned mid = (low + high) / 2;

		if (m->region[mid].gpa + m->region[mid].bytes <= gpa)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static int may_add(const struct guest_memory *m, __u64 gpa, __u64 bytes)
{
	unsigned at = find(m, gpa);

	if (at < m->nr && m->region[at].gpa < gpa + bytes)
		return -EINVAL;
	if (m->nr == GUEST_REGIONS)
		return -ENOSPC;
	if (bytes > GUEST_MAX_BYTES - guest_memory__pages(m) * GUEST_PAGE)
		return -ENOSPC;
	return 0;
}

static void insert(struct guest_memory *m, const struct guest_region *r)
{
	unsigned at = find(m, r->gpa);

	memmove(&m->region[at + 1], &m->region[at], (m->nr - at) * sizeof(*r));
	m->region[at] = *r;
	m->nr++;
}

int guest_memory__add(struct guest_memory *m, __u64 gpa, __u64 bytes, __u64 hva, __u64 offset,
		      int fd)
{
	struct guest_region r = {.gpa = gpa, .bytes = bytes, .hva = hva, .offset = offset};
	int err = is_sane(gpa, bytes, hva, offset) ? may_add(m, gpa, bytes) : -EINVAL;

	if (!err)
		err = region__map(&r, m, fd);
	if (!err)
		insert(m, &r);
	return err;
}

int guest_memory__remove(struct guest_memory *m, __u64 gpa, __u64 bytes, __u64 hva)
{
	unsigned at = find(m, gpa);
	struct guest_region *r = &m->region[at];

	if (at == m->nr || r->gpa != gpa || r->bytes != bytes || r->hva != hva)
		return -ENOENT;
	region__unmap(r);
	m->nr--;
	memmove(r, r + 1, (m->nr - at) * sizeof(*r));
	return 0;
}

void guest_memory__clear(struct guest_memory *m)
{
	while (m->nr)
		region__unmap(&m->region[--m->nr]);
	atomic_store(&m->is_broken, false);
}

/* --- looking up --- */

void *guest_memory__at(const struct guest_memory *m, __u64 gpa, __u64 *bytes)
{
	unsigned at = find(m, gpa);
	const struct guest_region *r = &m->region[at];
	__u64 inside;

	if (at == m->nr || gpa < r->gpa)
		return NULL;
	inside = gpa - r->gpa;
	if (*bytes > r->bytes - inside)
		*bytes = r->bytes - inside;
	return r->base + inside;
}

void *guest_memory__at_hva(const struct guest_memory *m, __u64 hva, __u64 *bytes)
{
	for (const struct guest_region *r = m->region; r < m->region + m->nr; r++) {
		__u64 inside = hva - r->hva;

		if (hva < r->hva || inside >= r->bytes)
			continue;
		if (*bytes > r->bytes - inside)
			*bytes = r->bytes - inside;
		return r->base + inside;
	}
	return NULL;
}

_Atomic __u64 *guest_memory__hint(const struct guest_memory *m, __u64 gpa)
{
	unsigned at = find(m, gpa);
	const struct guest_region *r = &m->region[at];

	if (at == m->nr || gpa < r->gpa)
		return NULL;
	return &r->hint[(gpa - r->gpa) / GUEST_PAGE];
}

bool guest_memory__broken(const struct guest_memory *m)
{
	/* What was read before may come from another thread's replacement. */
	atomic_thread_fence(memory_order_acquire);
	return atomic_load(&m->is_broken);
}

__u64 guest_memory__pages(const struct guest_memory *m)
{
	__u64 pages = 0;

	for (unsigned i = 0; i < m->nr; i++)
		pages += m->region[i].bytes / GUEST_PAGE;
	return pages;
}
