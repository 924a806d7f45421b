// SPDX-License-Identifier: GPL-2.0
/*
 * Single pages read through the page cache at a steady pace, whatever a read takes: the same work
 * in the same time with any memory.
 *
 *   paced loop|uniform FILE FIRST PAGES RATE SECONDS SEED
 *
 * RATE x SECONDS pages in all; a page that is late is read at once. Says how many, and how many
 * seconds it took.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096UL
/* As often as a tick lets it sleep. */
#define SLICE_NS 10000000L

/* xorshift64*: the same pages for the same seed, everywhere. */
static uint64_t next(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dULL;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void wait_a_slice(void)
{
	const struct timespec t = {.tv_nsec = SLICE_NS};

	nanosleep(&t, NULL);
}

struct pace {
	int fd, loop;
	uint64_t first, pages, seed;
};

static int read_page(struct pace *p, uint64_t i)
{
	uint64_t page = p->first + (p->loop ? i : next(&p->seed)) % p->pages;
	static char buf[PAGE];

	return pread(p->fd, buf, PAGE, page * PAGE) == (ssize_t)PAGE ? 0 : -1;
}

static int run(struct pace *p, double rate, uint64_t count)
{
	double began = now();

	for (uint64_t i = 0; i < count; i++) {
		while (i > (now() - began) * rate)
			wait_a_slice();
		if (read_page(p, i)) {
			fprintf(stderr, "paced: read: %s\n", strerror(errno));
			return 1;
		}
	}
	printf("%lu pages in %.1f s\n", (unsigned long)count, now() - began);
	return 0;
}

int main(int argc, char **argv)
{
	struct pace p = {0};
	double rate;

	if (argc != 8 || (strcmp(argv[1], "loop") && strcmp(argv[1], "uniform"))) {
		fprintf(stderr, "usage: paced loop|uniform FILE FIRST PAGES RATE SECONDS SEED\n");
		return 2;
	}
	p.loop = !strcmp(argv[1], "loop");
	p.first = strtoull(argv[3], NULL, 0);
	p.pages = strtoull(argv[4], NULL, 0);
	rate = strtod(argv[5], NULL);
	p.seed = strtoull(argv[7], NULL, 0);
	p.fd = open(argv[2], O_RDONLY);
	if (p.fd < 0 || !p.pages || !p.seed || !(rate > 0)) {
		fprintf(stderr, "paced: cannot read %s so\n", argv[2]);
		return 1;
	}
	/* What is asked for is all that is read. */
	posix_fadvise(p.fd, 0, 0, POSIX_FADV_RANDOM);
	return run(&p, rate, rate * strtod(argv[6], NULL));
}
