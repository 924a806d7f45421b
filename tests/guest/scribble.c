// SPDX-License-Identifier: GPL-2.0
/*
 * A guest that changes its memory while the disk reads and writes it.
 *
 *   scribble DISK FIRST PAGES COUNT SEED
 *
 * What a write leaves on the disk is anyone's guess then, but it has to be the same each time it is
 * read; and what others read must not depend on what was scribbled over a read's buffer.
 */
#define _GNU_SOURCE
#include "sectors.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <unistd.h>

#define FRAMES 8

static char *buffer;
static atomic_bool done;

static void *scribble(void *seed)
{
	uint64_t rng = seeded((uintptr_t)seed, 1);

	while (!done) {
		uint64_t x = next(&rng);
		volatile uint64_t *at = (volatile uint64_t *)(buffer + x % (FRAMES * PAGE / 8) * 8);

		*at = x;
	}
	return NULL;
}

static int disturbed(int fd, uint64_t first, uint64_t pages, uint64_t count, uint64_t seed)
{
	uint64_t rng = seeded(seed, 2);

	while (count--) {
		char *at = buffer + below(&rng, FRAMES) * PAGE;
		off_t page = (first + below(&rng, pages)) * PAGE;
		ssize_t n = below(&rng, 3) ? pread(fd, at, PAGE, page) : pwrite(fd, at, PAGE, page);

		if (n != (ssize_t)PAGE)
			return failed("direct I/O");
	}
	return 0;
}

/* Into frames that the other pages leave, again and again, so that they come from the cache. */
static int calm(int fd, uint64_t first, uint64_t pages, char *seen)
{
	for (uint64_t round = 0; round < 4; round++) {
		for (uint64_t p = 0; p < pages; p++) {
			char *at = buffer + (p + round) % FRAMES * PAGE;

			if (pread(fd, at, PAGE, (first + p) * PAGE) != (ssize_t)PAGE)
				return failed("direct I/O");
			if (!round)
				memcpy(seen + p * PAGE, at, PAGE);
			if (!memcmp(seen + p * PAGE, at, PAGE))
				continue;
			fprintf(stderr, "page %lu is another each time\n", first + p);
			return 1;
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	uint64_t first, pages, count, seed;
	pthread_t thread;
	char *seen;
	int fd, err;

	if (argc != 6) {
		fprintf(stderr, "usage: scribble DISK FIRST PAGES COUNT SEED\n");
		return 2;
	}
	first = number(argv[2]), pages = number(argv[3]);
	count = number(argv[4]), seed = number(argv[5]);
	fd = open(argv[1], O_RDWR | O_DIRECT);
	seen = malloc(pages * PAGE);
	if (fd < 0 || !seen || posix_memalign((void **)&buffer, PAGE, FRAMES * PAGE) ||
	    pthread_create(&thread, NULL, scribble, (void *)(uintptr_t)seed))
		return failed(argv[1]);
	err = disturbed(fd, first, pages, count, seed);
	done = true;
	pthread_join(thread, NULL);
	if (!err)
		err = calm(fd, first, pages, seen);
	free(seen);
	return err;
}
