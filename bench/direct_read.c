// SPDX-License-Identifier: GPL-2.0
/*
 * direct_read DEVICE SECONDS [THREADS]: 4 KiB direct random reads as fast as they
 * go, the load to measure tracing against. Prints reads a second.
 *
 * Prints its pid first and waits for a line on standard input when WAIT is set in
 * the environment, so that a tracer can be started for it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096
#define BUFFERS 64 /* a thread's frames: reads go round them */
#define MAX_THREADS 64

struct load {
	int fd;
	uint64_t pages;
	atomic_bool stop;
	atomic_int err;
};

struct reader {
	struct load *load;
	uint64_t random, reads;
	pthread_t thread;
};

/* xorshift64 (Marsaglia, 2003). */
static uint64_t next_random(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

static void *read_pages(void *arg)
{
	struct reader *r = arg;
	struct load *l = r->load;
	char *buf = aligned_alloc(PAGE, BUFFERS * PAGE);

	while (buf && !l->stop) {
		off_t at = next_random(&r->random) % l->pages * PAGE;

		if (pread(l->fd, buf + r->reads % BUFFERS * PAGE, PAGE, at) != PAGE) {
			l->err = errno ? errno : EIO;
			break;
		}
		r->reads++;
	}
	if (!buf)
		l->err = ENOMEM;
	free(buf);
	return NULL;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static int open_device(struct load *l, const char *path)
{
	off_t size;

	l->fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (l->fd < 0)
		return errno;
	size = lseek(l->fd, 0, SEEK_END);
	l->pages = size / PAGE;
	return size < PAGE ? EINVAL : 0;
}

static void wait_for_line(void)
{
	printf("%d\n", getpid());
	fflush(stdout);
	while (getchar() != '\n' && !feof(stdin))
		;
}

static double measure(struct load *l, unsigned int threads, double seconds)
{
	struct reader readers[MAX_THREADS];
	uint64_t reads = 0;
	double start = now();
	unsigned int n;

	for (n = 0; n < threads; n++) {
		readers[n] = (struct reader){.load = l, .random = n + 1};
		l->err = pthread_create(&readers[n].thread, NULL, read_pages, &readers[n]);
		if (l->err)
			break;
	}
	if (!l->err)
		nanosleep(&(struct timespec){seconds, (seconds - (long)seconds) * 1e9}, NULL);
	l->stop = true;
	while (n--) {
		pthread_join(readers[n].thread, NULL);
		reads += readers[n].reads;
	}
	return reads / (now() - start);
}

int main(int argc, char **argv)
{
	double seconds = argc > 2 ? strtod(argv[2], NULL) : 0, rate = 0;
	unsigned int threads = argc > 3 ? strtoul(argv[3], NULL, 10) : 1;
	struct load l = {.fd = -1};

	if (argc < 3 || argc > 4 || !(seconds > 0) || !threads || threads > MAX_THREADS) {
		fprintf(stderr, "usage: direct_read DEVICE SECONDS [THREADS]\n");
		return 2;
	}
	l.err = open_device(&l, argv[1]);
	if (!l.err) {
		if (getenv("WAIT"))
			wait_for_line();
		rate = measure(&l, threads, seconds);
	}
	if (l.err) {
		fprintf(stderr, "direct_read: %s: %s\n", argv[1], strerror(l.err));
		return 1;
	}
	printf("%.0f\n", rate);
	return 0;
}
