// SPDX-License-Identifier: GPL-2.0
/*
 * Load on a vhost-user-blk server, as a guest without a page cache hit makes it: each queue keeps
 * a number of requests in flight, of a page each, and fills its frames in turn with pages at random
 * that none of them holds. With a range larger than the frames, each read so evicts a page, and an
 * exclusive cache of range - frames pages has all that are read.
 *
 * Prints one line of NAME=VALUE pairs; usage: see below.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../analysis/log_histogram.h"
#include "../analysis/size.h"
#include "../tests/vhost/frontend.h"

#define NONE (~0ULL)

static const char usage[] =
	"usage: vhost_load [OPTION]... SOCKET\n"
	"  -d N      requests in flight, per queue (1)\n"
	"  -q N      queues, a thread each (1)\n"
	"  -f SIZE   frames: guest memory that is read into, all queues together (4MiB)\n"
	"  -r SIZE   range of the disk that is used (all of it); more than the frames\n"
	"  -s SEC    seconds to run (5), or\n"
	"  -n N      requests to make, per queue\n"
	"  -p        prime: read all of the range once, in order, before; not counted\n"
	"  -l        loop: read the range in order instead of at random\n"
	"  -w PCT    percent of writes (0)\n"
	"  -c        check: write the range before, each page with its number; look at what is "
	"read\n"
	"  -i        wait for interrupts instead of polling\n"
	"  -S SEED   of the random numbers (1)\n";

struct options {
	struct frontend_opts front;
	__u64 depth, frames, range, requests, seed, writes;
	double seconds;
	bool prime, loop, check;
	const char *path;
};

enum phase { FILL, PRIME, RUN };

struct request {
	struct blk_io io;
	struct ring_seg seg;
	struct worker *worker;
	__u64 frame, page, start;
};

/* A queue with its part of the range and of the frames. */
struct worker {
	const struct options *o;
	struct frontend *f;
	unsigned queue;
	enum phase phase;
	__u64 base, pages, frames, memory; /* first page, counts, first frame's address */
	__u64 *page_in;			   /* a frame; NONE: nothing */
	bool *held;			   /* a page, by a frame */
	bool *busy;			   /* a frame: a request is in flight */
	__u64 next_frame, next_page, random;
	__u64 issued, limit, deadline;
	__u64 reads, writes, errors, wrong;
	struct request *request, **idle;
	unsigned nr_idle;
	struct log_histogram latency;
	__u64 began, ended;
	int err;
	pthread_t thread;
};

static __u64 now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

/* splitmix64 (Steele et al., OOPSLA '14). */
static __u64 next_random(struct worker *w)
{
	__u64 z = w->random += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

static __u64 choose_page(struct worker *w)
{
	__u64 page;

	do
		page = w->phase != RUN || w->o->loop ? w->next_page++ % w->pages
						     : next_random(w) % w->pages;
	while (w->phase == RUN && w->held[page]);
	return page;
}

/* The one filled longest ago. Its page is given up only now: the server sees that as we do. */
static __u64 choose_frame(struct worker *w)
{
	__u64 frame;

	do
		frame = w->next_frame++ % w->frames;
	while (w->busy[frame]);
	if (w->page_in[frame] != NONE)
		w->held[w->page_in[frame]] = false;
	return frame;
}

static __u64 *frame_at(struct worker *w, __u64 frame)
{
	return ram__at(&w->f->ram, w->memory + frame * RAM_PAGE, RAM_PAGE);
}

static bool is_write(struct worker *w)
{
	if (w->phase == RUN)
		return w->o->writes && next_random(w) % 100 < w->o->writes;
	return w->phase == FILL;
}

static void finished(struct blk_io *io)
{
	struct request *r = io->ctx;
	struct worker *w = r->worker;
	__u64 ns = now() - r->start;

	w->idle[w->nr_idle++] = r;
	w->busy[r->frame] = false;
	w->errors += io->status != VIRTIO_BLK_S_OK;
	if (io->type == VIRTIO_BLK_T_IN && w->o->check)
		w->wrong += *frame_at(w, r->frame) != w->base + r->page;
	if (w->phase != RUN)
		return;
	w->reads += io->type == VIRTIO_BLK_T_IN;
	w->writes += io->type == VIRTIO_BLK_T_OUT;
	if (log_histogram__add(&w->latency, ns, 1))
		w->err = -ENOMEM;
}

static void issue(struct worker *w)
{
	struct request *r = w->idle[--w->nr_idle];
	bool write = is_write(w);

	r->frame = choose_frame(w);
	r->page = choose_page(w);
	w->busy[r->frame] = true;
	w->page_in[r->frame] = r->page;
	w->held[r->page] = true;
	if (write)
		*frame_at(w, r->frame) = w->base + r->page;
	r->seg = (struct ring_seg){w->memory + r->frame * RAM_PAGE, RAM_PAGE};
	r->io = (struct blk_io){.type = write ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN,
				.sector = (w->base + r->page) * (RAM_PAGE / SECTOR),
				.seg = &r->seg,
				.nr = 1,
				.fn = finished,
				.ctx = r};
	r->start = now();
	w->issued++;
	w->err = frontend__queue(w->f, w->queue, &r->io);
}

static bool is_over(const struct worker *w)
{
	return w->err || w->issued >= w->limit || (w->deadline && now() >= w->deadline);
}

static int wait_for_some(struct worker *w)
{
	int n = frontend__wait_some(w->f, w->queue);

	return n < 0 ? n : 0;
}

/* The phase ends with nothing in flight. */
static void run_phase(struct worker *w, enum phase phase, __u64 limit, __u64 deadline)
{
	w->phase = phase;
	w->next_page = 0;
	w->issued = 0;
	w->limit = limit;
	w->deadline = deadline;
	while (!is_over(w)) {
		while (w->nr_idle && !is_over(w))
			issue(w);
		frontend__publish(w->f, w->queue);
		if (!w->err && w->nr_idle < w->o->depth)
			w->err = wait_for_some(w);
	}
	if (!w->err)
		w->err = frontend__wait_all(w->f, w->queue);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	const struct options *o = w->o;

	if (o->check)
		run_phase(w, FILL, w->pages, 0);
	if (o->prime && !w->err)
		run_phase(w, PRIME, w->pages, 0);
	w->began = now();
	if (!w->err)
		run_phase(w, RUN, o->requests ?: NONE,
			  o->requests ? 0 : w->began + (__u64)(o->seconds * 1e9));
	w->ended = now();
	return NULL;
}

/* --- set-up --- */

static int share_out(struct worker *w, const struct options *o, struct frontend *f, unsigned queue)
{
	__u64 range = o->range ?: f->config.capacity / (RAM_PAGE / SECTOR);

	w->o = o;
	w->f = f;
	w->queue = queue;
	w->pages = range / o->front.queues;
	w->base = queue * w->pages;
	w->frames = o->frames / o->front.queues;
	w->random = o->seed + queue;
	w->latency.bits = 6;
	if (range > f->config.capacity / (RAM_PAGE / SECTOR)) {
		fprintf(stderr,
			"vhost_load: the disk is smaller than the range: make -r smaller\n");
		return -EINVAL;
	}
	if (w->frames < o->depth || w->pages <= w->frames) {
		fprintf(stderr,
			"vhost_load: each queue needs at least as many frames (-f) as requests "
			"in flight (-d), and more pages (-r) than frames\n");
		return -EINVAL;
	}
	return 0;
}

static int alloc_worker(struct worker *w)
{
	w->memory = ram__alloc(&w->f->ram, w->frames * RAM_PAGE, RAM_PAGE);
	w->page_in = malloc(w->frames * sizeof(*w->page_in));
	w->held = calloc(w->pages, sizeof(*w->held));
	w->busy = calloc(w->frames, sizeof(*w->busy));
	w->request = calloc(w->o->depth, sizeof(*w->request));
	w->idle = calloc(w->o->depth, sizeof(*w->idle));
	if (!w->memory || !w->page_in || !w->held || !w->busy || !w->request || !w->idle) {
		fprintf(stderr, "vhost_load: out of memory: make the frames (-f) fewer\n");
		return -ENOMEM;
	}
	memset(w->page_in, 0xff, w->frames * sizeof(*w->page_in));
	for (; w->nr_idle < w->o->depth; w->nr_idle++) {
		w->request[w->nr_idle].worker = w;
		w->idle[w->nr_idle] = &w->request[w->nr_idle];
	}
	return 0;
}

static void free_worker(struct worker *w)
{
	free(w->page_in);
	free(w->held);
	free(w->busy);
	free(w->request);
	free(w->idle);
	log_histogram__clear(&w->latency);
}

/* --- result --- */

struct result {
	__u64 reads, writes, errors, wrong;
	double seconds;
	const struct worker *worker;
	unsigned n;
};

static double count_from(const struct result *r, double ns)
{
	double sum = 0;

	for (unsigned i = 0; i < r->n; i++)
		sum += log_histogram__from(&r->worker[i].latency, ns);
	return sum;
}

/* The latency that so many of the requests took at most, in microseconds. */
static double percentile(const struct result *r, double share)
{
	double low = 0, high = 1e12, above = (r->reads + r->writes) * (1 - share);

	while (high - low > 1 + low * 1e-3) {
		double mid = (low + high) / 2;

		if (count_from(r, mid) > above)
			low = mid;
		else
			high = mid;
	}
	return high / 1e3;
}

static void add_up(struct result *r, const struct worker *w, unsigned n)
{
	*r = (struct result){.worker = w, .n = n};
	for (unsigned i = 0; i < n; i++) {
		double seconds = (w[i].ended - w[i].began) * 1e-9;

		r->reads += w[i].reads;
		r->writes += w[i].writes;
		r->errors += w[i].errors;
		r->wrong += w[i].wrong;
		if (seconds > r->seconds)
			r->seconds = seconds;
	}
}

static int print_result(const struct worker *w, unsigned n)
{
	struct result r;

	add_up(&r, w, n);
	printf("iops=%.0f p50_us=%.1f p90_us=%.1f p99_us=%.1f p999_us=%.1f reads=%llu writes=%llu "
	       "seconds=%.3f errors=%llu wrong=%llu\n",
	       (r.reads + r.writes) / r.seconds, percentile(&r, 0.5), percentile(&r, 0.9),
	       percentile(&r, 0.99), percentile(&r, 0.999), r.reads, r.writes, r.seconds, r.errors,
	       r.wrong);
	return r.errors || r.wrong ? 1 : 0;
}

static int run_workers(struct worker *w, unsigned n)
{
	unsigned started = 0;
	int err = 0;

	for (; started < n && !err; started += !err)
		err = -pthread_create(&w[started].thread, NULL, work, &w[started]);
	while (started--) {
		pthread_join(w[started].thread, NULL);
		err = err ?: w[started].err;
	}
	if (err)
		fprintf(stderr, "vhost_load: %s\n",
			err == -ECONNRESET ? "the server went away" : strerror(-err));
	return err;
}

static int run(const struct options *o)
{
	static struct frontend f;
	struct worker *w = calloc(o->front.queues, sizeof(*w));
	int err = w ? frontend__open(&f, &o->front) : -ENOMEM;

	if (err)
		fprintf(stderr, "vhost_load: %s: %s\n", o->path, f.why);
	for (unsigned q = 0; q < o->front.queues && !err; q++)
		err = share_out(&w[q], o, &f, q) ?: alloc_worker(&w[q]);
	if (!err)
		err = run_workers(w, o->front.queues);
	if (!err)
		err = print_result(w, o->front.queues);
	for (unsigned q = 0; w && q < o->front.queues; q++)
		free_worker(&w[q]);
	free(w);
	frontend__free(&f);
	return err ? 1 : 0;
}

static bool take_number(__u64 *out, __u64 max)
{
	char *end;

	errno = 0;
	*out = strtoull(optarg, &end, 0);
	return !errno && end != optarg && !*end && *out <= max;
}

static bool take_seconds(double *out)
{
	char *end;

	*out = strtod(optarg, &end);
	return end != optarg && !*end && *out > 0 && *out < 1e6;
}

static bool take_option(struct options *o, int opt)
{
	__u64 n;

	switch (opt) {
	case 'd':
		return take_number(&o->depth, 1024) && o->depth;
	case 'q':
		return take_number(&n, FRONTEND_QUEUES) && (o->front.queues = n);
	case 'f':
		return !size__parse(optarg, &o->frames);
	case 'r':
		return !size__parse(optarg, &o->range);
	case 's':
		return take_seconds(&o->seconds);
	case 'n':
		return take_number(&o->requests, NONE) && o->requests;
	case 'w':
		return take_number(&o->writes, 100);
	case 'S':
		return take_number(&o->seed, NONE);
	}
	o->prime |= opt == 'p';
	o->loop |= opt == 'l';
	o->check |= opt == 'c';
	o->front.polling &= opt != 'i';
	return strchr("plci", opt);
}

static int parse(struct options *o, int argc, char **argv)
{
	__u64 size = 2;
	int opt;

	while ((opt = getopt(argc, argv, "d:q:f:r:s:n:w:S:plci")) != -1)
		if (opt == '?' || !take_option(o, opt))
			return -EINVAL;
	if (optind + 1 != argc)
		return -EINVAL;
	while (size < o->depth * 4)
		size *= 2;
	o->path = o->front.path = argv[optind];
	/* Without indirect descriptors a request takes three. */
	o->front.size = size < 128 ? 128 : size;
	o->front.memory = o->frames * RAM_PAGE +
			  (__u64)o->front.queues * (o->front.size * 2 + 64) * RAM_PAGE + (1 << 20);
	return 0;
}

int main(int argc, char **argv)
{
	struct options o = {.front = {.patience = 10, .queues = 1, .polling = true},
			    .depth = 1,
			    .frames = 1024,
			    .seed = 1,
			    .seconds = 5};

	if (parse(&o, argc, argv)) {
		fputs(usage, stderr);
		return 2;
	}
	return run(&o);
}
