// SPDX-License-Identifier: GPL-2.0
/*
 * storage-io [-r] [-t] [-p SECONDS] IMAGE: drives cache/storage/ by hand. -r: read-only; -t: with
 * threads, not io_uring; -p: patience with locks. It says "open" and what it found, or why not
 * (status 1). Then requests from stdin, one a line; all that were given are under way at once:
 *
 *   write OFFSET BYTES CHARACTER
 *   read OFFSET BYTES      answers with the character they all are, or "mixed"
 *   discard, zero, unmap OFFSET BYTES
 *   flush
 *   quit                   when all have ended; so does the end of stdin
 *
 * Each ends with a line: its number (the first is 1), "ok" or the error, what was read.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../cache/storage/storage.h"

#define BUFFER_ALIGN 4096

struct request {
	struct storage_io io;
	unsigned number;
};

static void answer_read(const struct storage_io *io)
{
	const char *b = io->buffer;

	for (__u64 i = 1; i < io->bytes; i++) {
		if (b[i] == b[0])
			continue;
		printf(" mixed\n");
		return;
	}
	printf(b[0] ? " %c\n" : " zero\n", b[0]);
}

static void done(struct storage_io *io, int err)
{
	struct request *r = (struct request *)io;

	printf("%u %s", r->number, err ? strerrorname_np(-err) : "ok");
	if (io->op == STORAGE_READ && !err)
		answer_read(io);
	else
		printf("\n");
	fflush(stdout);
	free(io->buffer);
	free(r);
}

static bool parse(const char *line, struct storage_io *io, char *fill)
{
	static const struct {
		const char *name;
		enum storage_op op;
		bool unmap;
	} ops[] = {
		{"read", STORAGE_READ, false}, {"write", STORAGE_WRITE, false},
		{"zero", STORAGE_ZERO, false}, {"discard", STORAGE_DISCARD, false},
		{"unmap", STORAGE_ZERO, true}, {"flush", STORAGE_FLUSH, false},
	};
	char name[16];
	int n = sscanf(line, "%15s %llu %llu %c", name, &io->offset, &io->bytes, fill);

	for (unsigned i = 0; n > 0 && i < sizeof(ops) / sizeof(*ops); i++) {
		if (strcmp(name, ops[i].name))
			continue;
		io->op = ops[i].op;
		io->unmap = ops[i].unmap;
		return n >= (io->op == STORAGE_FLUSH ? 1 : io->op == STORAGE_WRITE ? 4 : 3);
	}
	return false;
}

static void give_request(struct storage_queue *q, const char *line)
{
	static unsigned number;
	struct request *r = calloc(1, sizeof(*r));
	char fill = 0;

	if (!r || !parse(line, &r->io, &fill)) {
		fprintf(stderr, "storage-io: no request: %s", line);
		exit(2);
	}
	r->number = ++number;
	r->io.done = done;
	if (r->io.op == STORAGE_READ || r->io.op == STORAGE_WRITE) {
		r->io.buffer = aligned_alloc(BUFFER_ALIGN, (r->io.bytes | 4095) + 1);
		memset(r->io.buffer, fill, r->io.bytes);
	}
	storage_queue__add(q, &r->io);
	storage_queue__submit(q);
}

/* Lines that came; false: no more of them. */
static bool read_requests(struct storage_queue *q)
{
	static char text[65536];
	static size_t bytes;
	ssize_t n = read(0, text + bytes, sizeof(text) - 1 - bytes);
	char *end, line[256];

	if (n <= 0)
		return false;
	bytes += n;
	text[bytes] = '\0';
	while ((end = strchr(text, '\n'))) {
		snprintf(line, sizeof(line), "%.*s", (int)(end + 1 - text), text);
		if (!strcmp(line, "quit\n"))
			return false;
		give_request(q, line);
		bytes -= end + 1 - text;
		memmove(text, end + 1, bytes + 1);
	}
	return true;
}

static void run(struct storage_queue *q)
{
	struct pollfd p[2] = {{.fd = storage_queue__fd(q), .events = POLLIN},
			      {.fd = 0, .events = POLLIN}};

	while (p[1].fd >= 0 || storage_queue__in_flight(q)) {
		if (storage_queue__reap(q) || storage_queue__arm(q))
			continue;
		poll(p, 2, -1);
		if (p[1].revents && !read_requests(q))
			p[1].fd = -1;
	}
}

static struct storage *open_storage(struct storage_opts *o)
{
	struct storage *s;
	const struct storage_info *info;
	char why[512];

	if (storage__open(&s, o, why, sizeof(why))) {
		fprintf(stderr, "%s\n", why);
		exit(1);
	}
	info = storage__info(s);
	printf("open bytes=%llu block=%u direct=%d discard=%d locked=%d\n", info->bytes,
	       info->block_bytes, info->direct, info->discard, info->locked);
	fflush(stdout);
	return s;
}

int main(int argc, char **argv)
{
	struct storage_opts o = {.sz = sizeof(o)};
	struct storage_queue_opts qo = {.sz = sizeof(qo), .engine = STORAGE_URING};
	struct storage_queue *q;
	struct storage *s;
	int c;

	while ((c = getopt(argc, argv, "rtp:")) != -1) {
		if (c == '?')
			return 2;
		o.read_only |= c == 'r';
		qo.engine = c == 't' ? STORAGE_THREADS : qo.engine;
		o.patience = c == 'p' ? atof(optarg) : o.patience;
	}
	if (optind + 1 != argc)
		return 2;
	o.path = argv[optind];
	s = open_storage(&o);
	if (storage_queue__new(&q, s, &qo))
		return 3;
	run(q);
	storage_queue__free(q);
	storage__close(s);
	return 0;
}
