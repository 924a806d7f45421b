// SPDX-License-Identifier: GPL-2.0
/*
 * Pages of a disk, read through the page cache or into a pool of the program's own.
 *
 *   pages stamp DISK PAGES VERSION                    write all of them
 *   pages PATTERN cached DISK PAGES COUNT SEED [VERSION]   read single pages through the page cache
 *   pages PATTERN FRAMES DISK PAGES COUNT SEED [VERSION]   the same into a pool of so many frames,
 *                                                     from which the least recently used page goes
 *   pages PATTERN list PAGES COUNT SEED               only tell which pages these are, u64 each
 *   pages resident DISK                               ranges that the page cache holds: see there
 *
 * PATTERN is loop, uniform, zipf or mixed. What is read must be what stamp wrote, in that version,
 * or in any that is the same for all.
 */
#define _GNU_SOURCE
#include "sectors.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <math.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define STAMP 16 /* pages at once */

static int check(const char *page, uint64_t number, uint64_t *version)
{
	for (uint64_t i = 0; i < PAGE / SECTOR; i++) {
		uint64_t v = sector_version(page + i * SECTOR, number * (PAGE / SECTOR) + i);

		if (!*version)
			*version = v;
		if (v && v != UINT64_MAX && v == *version)
			continue;
		fprintf(stderr, "page %lu, sector %lu: version %ld, not %lu\n", number, i, (long)v,
			*version);
		return 1;
	}
	return 0;
}

static char *frames(uint64_t n)
{
	void *p = mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static int stamp(int fd, uint64_t pages, uint64_t version)
{
	char *buffer = frames(STAMP);

	for (uint64_t p = 0; buffer && p < pages; p += STAMP) {
		uint64_t n = pages - p < STAMP ? pages - p : STAMP;

		for (uint64_t i = 0; i < n * PAGE / SECTOR; i++)
			sector_fill(buffer + i * SECTOR, p * (PAGE / SECTOR) + i, version);
		if (pwrite(fd, buffer, n * PAGE, p * PAGE) != (ssize_t)(n * PAGE))
			return failed("write");
	}
	return !buffer || fsync(fd) ? failed("stamp") : 0;
}

/* --- which page comes next --- */

struct pattern {
	enum { LOOP, UNIFORM, ZIPF, MIXED } is;
	uint64_t pages, rng, at;
	uint64_t scan; /* of MIXED: pages left of a scan */
	double *below; /* of ZIPF: chances of the first i + 1 ranks together */
};

static bool pattern_init(struct pattern *p, const char *name, uint64_t pages, uint64_t seed)
{
	static const char *const names[] = {"loop", "uniform", "zipf", "mixed"};
	double sum = 0;

	*p = (struct pattern){.pages = pages, .rng = seeded(seed, 0)};
	while (p->is <= MIXED && strcmp(names[p->is], name))
		p->is++;
	if (p->is < ZIPF)
		return true;
	p->below = malloc(pages * sizeof(*p->below));
	for (uint64_t i = 0; p->below && i < pages; i++)
		p->below[i] = sum += pow(i + 1, -0.9);
	return p->is <= MIXED && p->below;
}

/* Ranks lie all over the disk: a multiple of an odd number that shares no factor with it. */
static uint64_t spread(const struct pattern *p, uint64_t rank)
{
	uint64_t step = p->pages * 618 / 1000 | 1, a = step, b = p->pages;

	while (b) {
		uint64_t r = a % b;

		a = b, b = r;
	}
	return a == 1 ? rank * step % p->pages : rank;
}

static uint64_t zipf(struct pattern *p)
{
	double x = (next(&p->rng) >> 11) * 0x1p-53 * p->below[p->pages - 1];
	uint64_t low = 0, high = p->pages - 1;

	while (low < high) {
		uint64_t mid = (low + high) / 2;

		if (p->below[mid] > x)
			high = mid;
		else
			low = mid + 1;
	}
	return spread(p, low);
}

static uint64_t in_order(struct pattern *p)
{
	return p->at++ % p->pages;
}

/* Zipf with a scan of an eighth of the disk now and then. */
static uint64_t mixed(struct pattern *p)
{
	if (!p->scan && !below(&p->rng, p->pages / 4))
		p->scan = p->pages / 8;
	if (!p->scan)
		return zipf(p);
	p->scan--;
	return in_order(p);
}

static uint64_t pattern_next(struct pattern *p)
{
	switch (p->is) {
	case LOOP:
		return in_order(p);
	case UNIFORM:
		return below(&p->rng, p->pages);
	case ZIPF:
		return zipf(p);
	default:
		return mixed(p);
	}
}

/* --- a pool of frames: the guest as the exclusive cache would like it to be --- */

struct frame {
	uint64_t page; /* UINT64_MAX: none */
	uint32_t newer, older;
};

/* frame[n] is where the ring of all frames, by use, begins and ends. */
struct pool {
	uint64_t n;
	struct frame *frame;
	uint32_t *where; /* of a page: its frame + 1 */
	char *memory;
};

static bool pool_init(struct pool *p, uint64_t n, uint64_t pages)
{
	*p = (struct pool){.n = n, .frame = malloc((n + 1) * sizeof(*p->frame))};
	p->where = calloc(pages, sizeof(*p->where));
	p->memory = frames(n);
	for (uint64_t i = 0; p->frame && i <= n; i++)
		p->frame[i] = (struct frame){UINT64_MAX, (i + n) % (n + 1), (i + 1) % (n + 1)};
	return p->frame && p->where && p->memory;
}

static void pool_used(struct pool *p, uint32_t i)
{
	struct frame *f = p->frame;

	f[f[i].newer].older = f[i].older;
	f[f[i].older].newer = f[i].newer;
	f[i].newer = p->n;
	f[i].older = f[p->n].older;
	f[f[p->n].older].newer = i;
	f[p->n].older = i;
}

/* The page's frame; *fill: it was another's. */
static uint32_t pool_frame(struct pool *p, uint64_t page, bool *fill)
{
	uint32_t i = p->where[page] ? p->where[page] - 1 : p->frame[p->n].newer;

	*fill = !p->where[page];
	if (*fill) {
		if (p->frame[i].page != UINT64_MAX)
			p->where[p->frame[i].page] = 0;
		p->frame[i].page = page;
		p->where[page] = i + 1;
	}
	pool_used(p, i);
	return i;
}

/* --- work --- */

static int read_pool(int fd, struct pool *pool, struct pattern *p, uint64_t count, uint64_t version)
{
	uint64_t reads = 0;

	for (; count; count--) {
		uint64_t page = pattern_next(p);
		bool fill;
		char *at = pool->memory + pool_frame(pool, page, &fill) * PAGE;

		reads += fill;
		if (fill && pread(fd, at, PAGE, page * PAGE) != (ssize_t)PAGE)
			return failed("read");
		if (fill && check(at, page, &version))
			return 1;
	}
	printf("reads %lu\n", reads);
	return 0;
}

static int read_cached(int fd, struct pattern *p, uint64_t count, uint64_t version)
{
	char *buffer = frames(1);

	/* No read-ahead: what is asked for is all that is read. */
	posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
	for (; buffer && count; count--) {
		uint64_t page = pattern_next(p);

		if (pread(fd, buffer, PAGE, page * PAGE) != (ssize_t)PAGE)
			return failed("read");
		if (check(buffer, page, &version))
			return 1;
	}
	return buffer ? 0 : failed("memory");
}

static int list(char **argv)
{
	uint64_t count = number(argv[4]);
	struct pattern pattern;

	if (!pattern_init(&pattern, argv[1], number(argv[3]), number(argv[5]))) {
		fprintf(stderr, "pages: no such pattern, or no memory: %s\n", argv[1]);
		return 2;
	}
	for (; count; count--) {
		uint64_t page = pattern_next(&pattern);

		if (fwrite(&page, sizeof(page), 1, stdout) != 1)
			return failed("write");
	}
	return fflush(stdout) ? failed("write") : 0;
}

/* Lines "FIRST PAGES", then "end": what the page cache holds of a disk. */
static int resident(int fd)
{
	uint64_t bytes, pages, first = 0;
	unsigned char *in;
	void *map;

	if (ioctl(fd, BLKGETSIZE64, &bytes))
		return failed("BLKGETSIZE64");
	pages = bytes / PAGE;
	map = mmap(NULL, pages * PAGE, PROT_READ, MAP_SHARED, fd, 0);
	in = calloc(pages + 1, 1);
	if (map == MAP_FAILED || !in || mincore(map, pages * PAGE, in))
		return failed("mincore");
	for (uint64_t p = 0; p <= pages; p++) {
		if (p && (in[p - 1] & 1) && !(in[p] & 1))
			printf("%lu %lu\n", first, p - first);
		if (!p || !(in[p - 1] & 1))
			first = p;
	}
	printf("end\n");
	return 0;
}

static int work(int fd, char **argv)
{
	uint64_t pages = number(argv[4]), count = number(argv[5]), seed = number(argv[6]);
	uint64_t version = argv[7] ? number(argv[7]) : 0;
	struct pattern pattern;
	struct pool pool;

	if (!pattern_init(&pattern, argv[1], pages, seed)) {
		fprintf(stderr, "pages: no such pattern, or no memory: %s\n", argv[1]);
		return 2;
	}
	if (!strcmp(argv[2], "cached"))
		return read_cached(fd, &pattern, count, version);
	if (!pool_init(&pool, number(argv[2]), pages))
		return failed("memory");
	return read_pool(fd, &pool, &pattern, count, version);
}

static int on_disk(const char *disk, int flags)
{
	int fd = open(disk, flags);

	return fd < 0 ? failed(disk), exit(1), -1 : fd;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "resident"))
		return resident(on_disk(argv[2], O_RDONLY));
	if (argc == 5 && !strcmp(argv[1], "stamp"))
		return stamp(on_disk(argv[2], O_RDWR), number(argv[3]), number(argv[4]));
	if (argc == 6 && !strcmp(argv[2], "list"))
		return list(argv);
	if (argc == 7 || argc == 8)
		return work(on_disk(argv[3],
				    strcmp(argv[2], "cached") ? O_RDONLY | O_DIRECT : O_RDONLY),
			    argv);
	fprintf(stderr, "usage: pages stamp|resident|loop|uniform|zipf|mixed ...\n");
	return 2;
}
