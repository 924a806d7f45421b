// SPDX-License-Identifier: GPL-2.0
/*
 * Random reads, writes, flushes, discards and zeroing of a part of a disk, of random sizes, against
 * a model of what every sector has to hold.
 *
 *   model direct|buffered DISK FIRST SECTORS COUNT SEED
 *
 * Parts of different runs may share pages with "direct", whose requests are of whole sectors, not
 * with "buffered". Ends with a check of everything, and says how much it did.
 */
#define _GNU_SOURCE
#include "sectors.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define MOST 256 /* sectors a request */

/* A discard leaves a sector as it was or zeroes it: which, is known when it is read. */
#define MAYBE_ZERO (UINT64_C(1) << 63)

struct model {
	int fd;
	const char *disk;
	bool direct;
	uint64_t first, sectors, seed;
	uint64_t version; /* the last one written */
	uint64_t *is;	  /* a sector's version; MAYBE_ZERO beside */
	char *buffer;
	uint64_t done[6];
};

enum { READ, WRITE, FLUSH, DISCARD, ZERO, DROP };
static const char *const names[] = {"reads", "writes", "flushes", "discards", "zeroed", "drops"};

static int wrong(const struct model *m, uint64_t i, uint64_t found)
{
	if (found == UINT64_MAX)
		fprintf(stderr, "%s: sector %lu, version %lu, holds something else\n", m->disk,
			m->first + i, m->is[i] & ~MAYBE_ZERO);
	else
		fprintf(stderr, "%s: sector %lu is of version %lu, not %lu\n", m->disk,
			m->first + i, found, m->is[i] & ~MAYBE_ZERO);
	return 1;
}

static int check(struct model *m, uint64_t at, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++) {
		uint64_t v = sector_version(m->buffer + i * SECTOR, m->first + at + i);

		if (v != (m->is[at + i] & ~MAYBE_ZERO) && (v || !(m->is[at + i] & MAYBE_ZERO)))
			return wrong(m, at + i, v);
		m->is[at + i] = v;
	}
	return 0;
}

static int read_some(struct model *m, uint64_t at, uint64_t n)
{
	if (pread(m->fd, m->buffer, n * SECTOR, (m->first + at) * SECTOR) != (ssize_t)(n * SECTOR))
		return failed("read");
	return check(m, at, n);
}

static int write_some(struct model *m, uint64_t at, uint64_t n)
{
	m->version++;
	for (uint64_t i = 0; i < n; i++) {
		sector_fill(m->buffer + i * SECTOR, m->first + at + i, m->version);
		m->is[at + i] = m->version;
	}
	if (pwrite(m->fd, m->buffer, n * SECTOR, (m->first + at) * SECTOR) != (ssize_t)(n * SECTOR))
		return failed("write");
	return 0;
}

/* The kernel drops what its page cache has of the range, too. */
static int clear_some(struct model *m, unsigned long request, uint64_t at, uint64_t n)
{
	uint64_t range[2] = {(m->first + at) * SECTOR, n * SECTOR};

	if (ioctl(m->fd, request, range))
		return failed(request == BLKDISCARD ? "discard" : "zero");
	for (uint64_t i = 0; i < n; i++)
		m->is[at + i] = request == BLKDISCARD ? m->is[at + i] | MAYBE_ZERO : 0;
	return 0;
}

static int drop(const struct model *m, uint64_t at, uint64_t n)
{
	if (fdatasync(m->fd))
		return failed("fdatasync");
	posix_fadvise(m->fd, (m->first + at) * SECTOR, n * SECTOR, POSIX_FADV_DONTNEED);
	return 0;
}

/* Of a hundred. */
static int choose(uint64_t *rng)
{
	uint64_t x = below(rng, 100);

	return x < 55	? READ
	       : x < 90 ? WRITE
	       : x < 93 ? FLUSH
	       : x < 95 ? DISCARD
	       : x < 97 ? ZERO
			: DROP;
}

/* Half of all requests are of whole pages, as most of a guest's are; a page cache's all are. */
static void place(const struct model *m, uint64_t *rng, int what, uint64_t *at, uint64_t *n)
{
	bool pages = !(next(rng) >> 63) || (!m->direct && what >= DISCARD);
	uint64_t unit = pages ? PAGE / SECTOR : 1;

	*n = 1 + below(rng, below(rng, 4) ? 16 : MOST);
	*n = (*n + unit - 1) / unit * unit;
	*at = below(rng, m->sectors - *n + 1);
	if (pages && *at >= (m->first + *at) % unit)
		*at -= (m->first + *at) % unit;
}

static int step(struct model *m, uint64_t *rng)
{
	int what = choose(rng);
	uint64_t at, n;

	place(m, rng, what, &at, &n);
	m->done[what]++;
	switch (what) {
	case READ:
		return read_some(m, at, n);
	case WRITE:
		return write_some(m, at, n);
	case FLUSH:
		return fdatasync(m->fd) ? failed("fdatasync") : 0;
	case DISCARD:
		return clear_some(m, BLKDISCARD, at, n);
	case ZERO:
		return clear_some(m, BLKZEROOUT, at, n);
	default:
		return drop(m, at, n);
	}
}

static int check_all(struct model *m)
{
	int err = drop(m, 0, m->sectors);

	for (uint64_t at = 0; !err && at < m->sectors; at += MOST)
		err = read_some(m, at, m->sectors - at < MOST ? m->sectors - at : MOST);
	return err;
}

/* Whatever was there before is not known: all is written once. */
static int run(struct model *m, uint64_t count)
{
	uint64_t rng = seeded(m->seed, m->first);
	int err = 0;

	for (uint64_t at = 0; !err && at < m->sectors; at += MOST)
		err = write_some(m, at, m->sectors - at < MOST ? m->sectors - at : MOST);
	while (!err && count--)
		err = step(m, &rng);
	return err ? err : check_all(m);
}

static int start(struct model *m, char **argv)
{
	m->direct = !strcmp(argv[1], "direct");
	m->disk = argv[2];
	m->first = number(argv[3]);
	m->sectors = number(argv[4]);
	m->seed = number(argv[6]);
	if (m->sectors < 2 * MOST || (!m->direct && strcmp(argv[1], "buffered"))) {
		fprintf(stderr, "model: %s of %lu sectors: no\n", argv[1], m->sectors);
		return 2;
	}
	m->is = calloc(m->sectors, sizeof(*m->is));
	if (!m->is || posix_memalign((void **)&m->buffer, PAGE, (MOST + 8) * SECTOR))
		return failed("memory");
	m->fd = open(m->disk, O_RDWR | (m->direct ? O_DIRECT : 0));
	return m->fd < 0 ? failed(m->disk) : 0;
}

int main(int argc, char **argv)
{
	struct model m = {0};
	int err;

	if (argc != 7) {
		fprintf(stderr, "usage: model direct|buffered DISK FIRST SECTORS COUNT SEED\n");
		return 2;
	}
	err = start(&m, argv);
	if (!err)
		err = run(&m, number(argv[5]));
	for (int i = READ; !err && i <= DROP; i++)
		printf("%s %lu%s", names[i], m.done[i], i < DROP ? ", " : "\n");
	return err;
}
