// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ram.h"

static int make_file(__u64 bytes, bool hugetlb)
{
	int fd = memfd_create("ram", MFD_CLOEXEC | MFD_ALLOW_SEALING | (hugetlb ? MFD_HUGETLB : 0));

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, bytes)) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

int ram__add(struct ram *m, __u64 gpa, __u64 bytes, __u64 offset, bool hugetlb)
{
	struct ram_region r = {.gpa = gpa, .bytes = bytes, .offset = offset};

	if (m->nr == RAM_REGIONS)
		return -ENOSPC;
	r.fd = make_file(offset + bytes, hugetlb);
	if (r.fd < 0)
		return r.fd;
	r.base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, r.fd, offset);
	if (r.base == MAP_FAILED) {
		int err = -errno;

		close(r.fd);
		return err;
	}
	/* So that 0 is no address that ram__alloc() gives. */
	r.used = gpa ? 0 : RAM_PAGE;
	m->region[m->nr++] = r;
	return 0;
}

void ram__remove(struct ram *m, unsigned i)
{
	munmap(m->region[i].base, m->region[i].bytes);
	close(m->region[i].fd);
	m->nr--;
	memmove(&m->region[i], &m->region[i + 1], (m->nr - i) * sizeof(m->region[0]));
}

void ram__free(struct ram *m)
{
	while (m->nr)
		ram__remove(m, m->nr - 1);
}

void *ram__at(const struct ram *m, __u64 gpa, __u64 bytes)
{
	for (unsigned i = 0; i < m->nr; i++) {
		const struct ram_region *r = &m->region[i];

		if (gpa >= r->gpa && gpa - r->gpa < r->bytes && bytes <= r->bytes - (gpa - r->gpa))
			return r->base + (gpa - r->gpa);
	}
	return NULL;
}

__u64 ram__alloc(struct ram *m, __u64 bytes, __u64 align)
{
	for (unsigned i = 0; i < m->nr; i++) {
		struct ram_region *r = &m->region[i];
		__u64 at = (r->used + align - 1) / align * align;

		if (at + bytes <= r->bytes) {
			r->used = at + bytes;
			return r->gpa + at;
		}
	}
	return 0;
}
