// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "backend.h"
#include "mirror.h"

#define GROUP_BYTES (MIRROR_GROUP * RAM_PAGE)
#define GROUP_SECTORS (GROUP_BYTES / SECTOR)

static const char zeroes[SECTOR];

void mirror__init(struct mirror *m, char *disk, __u64 size, unsigned queues)
{
	*m = (struct mirror){.size = size, .queues = queues};
	m->groups = size / GROUP_BYTES;
	m->shared = m->groups / 4;
	m->bytes = calloc(1, size);
	m->undefined = calloc(size / SECTOR, sizeof(*m->undefined));
	assert_true(m->bytes && m->undefined && m->groups > 2 * queues);
	for (__u64 page = 0; page < m->shared * MIRROR_GROUP; page++)
		put_pattern(m->bytes + page * RAM_PAGE, page, 1);
	memcpy(disk, m->bytes, m->shared * GROUP_BYTES);
}

void mirror__free(struct mirror *m)
{
	free(m->bytes);
	free(m->undefined);
}

/* A discarded sector is from now on what it was seen as. */
static bool sector_is_right(struct mirror *m, __u64 sector, const char *bytes)
{
	char *want = m->bytes + sector * SECTOR;

	if (!memcmp(want, bytes, SECTOR))
		return true;
	if (!m->undefined[sector] || memcmp(bytes, zeroes, SECTOR))
		return false;
	memset(want, 0, SECTOR);
	m->undefined[sector] = false;
	return true;
}

void mirror__check(const struct mirror *m, const char *disk)
{
	struct mirror copy = *m;
	__u64 wrong = 0;

	for (__u64 s = 0; s < m->size / SECTOR; s++)
		wrong += !sector_is_right(&copy, s, disk + s * SECTOR);
	assert_int_equal(wrong, 0);
}

/* --- what is asked --- */

static bool is_write(__u32 type)
{
	return type != VIRTIO_BLK_T_IN && type != VIRTIO_BLK_T_FLUSH;
}

static __u32 choose_type(struct random *r)
{
	__u64 n = random__below(r, 400);

	return n < 260	 ? VIRTIO_BLK_T_IN
	       : n < 365 ? VIRTIO_BLK_T_OUT
	       : n < 382 ? VIRTIO_BLK_T_WRITE_ZEROES
	       : n < 399 ? VIRTIO_BLK_T_DISCARD
			 : VIRTIO_BLK_T_FLUSH;
}

/* One that the request may be made to, with what is in flight there; of the first ones mostly. */
static bool choose_group(struct mirror_queue *q, struct mirror_request *r)
{
	const struct mirror *m = q->mirror;
	unsigned own = (m->groups - m->shared) / m->queues;
	unsigned n = random__below(&q->random, random__one_in(&q->random, 4) ? own : own / 3 + 1);

	r->group = m->shared + n * m->queues + q->queue;
	if (r->io.type == VIRTIO_BLK_T_IN && random__one_in(&q->random, 3))
		r->group = random__below(&q->random, m->shared);
	if (is_write(r->io.type))
		return !q->group[r->group].writer && !q->group[r->group].readers;
	return !q->group[r->group].writer;
}

/* Sectors: whole pages mostly. */
static void choose_range(struct mirror_queue *q, __u64 *sector, __u32 *sectors)
{
	struct random *r = &q->random;
	unsigned most = random__one_in(r, 8) ? MIRROR_GROUP : 8, pages, page;

	pages = 1 + random__below(r, most);
	page = random__below(r, MIRROR_GROUP - pages + 1);
	*sector = page * 8;
	*sectors = pages * 8;
	if (random__one_in(r, 6)) {
		*sector = random__below(r, GROUP_SECTORS - 1);
		*sectors =
			1 + random__below(r, GROUP_SECTORS - *sector < 64 ? GROUP_SECTORS - *sector
									  : 64);
	}
}

/* --- frames --- */

static unsigned take_frame(struct mirror_queue *q, struct mirror_request *r)
{
	unsigned frame;

	do
		frame = random__below(&q->random, q->nr_frames);
	while (q->busy[frame]);
	q->busy[frame] = true;
	q->nr_busy++;
	r->frame[r->nr_frames++] = frame;
	return frame;
}

/* Pieces for so many bytes: a frame each, or, now and then, odd parts of frames. */
static void choose_memory(struct mirror_queue *q, struct mirror_request *r, __u32 bytes)
{
	bool odd = random__one_in(&q->random, 6);

	r->io.nr = r->nr_frames = 0;
	for (__u32 left = bytes; left;) {
		__u32 n = left < RAM_PAGE ? left : RAM_PAGE;
		__u64 gpa = q->memory + (__u64)take_frame(q, r) * RAM_PAGE;
		/* Whole frames are enough for all of the rest, cut as it may be. */
		__u32 cut = odd && n > 1 ? 1 + random__below(&q->random, n - 1) : 0;

		if (cut)
			r->seg[r->io.nr++] = (struct ring_seg){gpa, cut};
		r->seg[r->io.nr++] = (struct ring_seg){gpa + cut, n - cut};
		left -= n;
	}
	r->io.seg = r->seg;
}

static void give_frames(struct mirror_queue *q, struct mirror_request *r)
{
	q->nr_busy -= r->nr_frames;
	while (r->nr_frames)
		q->busy[r->frame[--r->nr_frames]] = false;
}

/* --- requests --- */

static char *model_of(const struct mirror_request *r)
{
	return r->queue->mirror->bytes + r->io.sector * SECTOR;
}

/* Pieces are not whole sectors: gather them. */
static void gather(const struct mirror_request *r, char *out)
{
	for (unsigned i = 0; i < r->io.nr; i++) {
		memcpy(out, ram__at(&r->queue->f->ram, r->seg[i].gpa, r->seg[i].bytes),
		       r->seg[i].bytes);
		out += r->seg[i].bytes;
	}
}

static __u32 bytes_of(const struct mirror_request *r)
{
	__u32 n = 0;

	for (unsigned i = 0; i < r->io.nr; i++)
		n += r->seg[i].bytes;
	return n;
}

static void check_read(struct mirror_request *r)
{
	char got[GROUP_BYTES];
	__u32 bytes = bytes_of(r);
	bool wrong = r->io.written != bytes + 1;

	gather(r, got);
	for (__u32 at = 0; at < bytes; at += SECTOR)
		wrong |= !sector_is_right(r->queue->mirror, r->io.sector + at / SECTOR, got + at);
	r->queue->wrong += wrong;
}

static void set_defined(struct mirror *m, __u64 sector, __u32 sectors, bool defined)
{
	for (__u64 s = sector; s < sector + sectors; s++)
		m->undefined[s] = !defined;
}

static void apply(struct mirror_request *r)
{
	struct mirror *m = r->queue->mirror;

	switch (r->io.type) {
	case VIRTIO_BLK_T_IN:
		check_read(r);
		break;
	case VIRTIO_BLK_T_OUT:
		gather(r, model_of(r));
		set_defined(m, r->io.sector, bytes_of(r) / SECTOR, true);
		break;
	case VIRTIO_BLK_T_WRITE_ZEROES:
		memset(m->bytes + r->range.sector * SECTOR, 0, r->range.num_sectors * SECTOR);
		set_defined(m, r->range.sector, r->range.num_sectors, true);
		break;
	case VIRTIO_BLK_T_DISCARD:
		set_defined(m, r->range.sector, r->range.num_sectors, false);
		break;
	}
}

static void finished(struct blk_io *io)
{
	struct mirror_request *r = io->ctx;
	struct mirror_queue *q = r->queue;

	q->in_flight--;
	q->failed += io->status != VIRTIO_BLK_S_OK;
	apply(r);
	give_frames(q, r);
	if (io->type == VIRTIO_BLK_T_FLUSH)
		return;
	if (is_write(io->type))
		q->group[r->group].writer = false;
	else
		q->group[r->group].readers--;
}

static void fill_frames(struct mirror_request *r)
{
	char page[RAM_PAGE];

	for (unsigned i = 0; i < r->io.nr; i++) {
		put_pattern(page, random__next(&r->queue->random), 3);
		memcpy(ram__at(&r->queue->f->ram, r->seg[i].gpa, r->seg[i].bytes), page,
		       r->seg[i].bytes);
	}
}

static void fill_in_range(struct mirror_queue *q, struct mirror_request *r)
{
	__u64 base = (__u64)r->group * GROUP_SECTORS, sector;
	__u32 sectors;

	choose_range(q, &sector, &sectors);
	if (r->io.type == VIRTIO_BLK_T_IN || r->io.type == VIRTIO_BLK_T_OUT) {
		r->io.sector = base + sector;
		choose_memory(q, r, sectors * SECTOR);
		if (r->io.type == VIRTIO_BLK_T_OUT)
			fill_frames(r);
		return;
	}
	r->range = (struct virtio_blk_discard_write_zeroes){base + sector, sectors, 0};
	if (r->io.type == VIRTIO_BLK_T_WRITE_ZEROES && random__one_in(&q->random, 2))
		r->range.flags = VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP;
	r->io.range = &r->range;
	r->io.nr_ranges = 1;
}

/* False: not now. */
static bool make_request(struct mirror_queue *q, struct mirror_request *r)
{
	r->io = (struct blk_io){
		.type = choose_type(&q->random), .fn = finished, .ctx = r, .done = true};
	r->queue = q;
	r->nr_frames = 0;
	if (r->io.type == VIRTIO_BLK_T_FLUSH)
		return true;
	/* Frames for the longest one, or wait for them. */
	if (q->nr_frames - q->nr_busy < MIRROR_GROUP || !choose_group(q, r))
		return false;
	fill_in_range(q, r);
	if (is_write(r->io.type))
		q->group[r->group].writer = true;
	else
		q->group[r->group].readers++;
	return true;
}

static unsigned submit_idle(struct mirror_queue *q)
{
	unsigned n = 0;

	for (unsigned i = 0; i < MIRROR_DEPTH && !q->err; i++) {
		struct mirror_request *r = &q->request[i];

		if ((r->queue && !r->io.done) || random__one_in(&q->random, 3) ||
		    !make_request(q, r))
			continue;
		q->err = frontend__queue(q->f, q->queue, &r->io);
		q->in_flight++;
		n++;
	}
	frontend__publish(q->f, q->queue);
	return n;
}

static void *run(void *arg)
{
	struct mirror_queue *q = arg;

	for (unsigned made = 0; made < q->limit && !q->err; made += submit_idle(q)) {
		int n = q->in_flight ? frontend__wait_some(q->f, q->queue) : 0;

		if (n < 0)
			q->err = n;
	}
	if (!q->err)
		q->err = frontend__wait_all(q->f, q->queue);
	q->over = true;
	return NULL;
}

/* --- a queue --- */

void mirror_queue__init(struct mirror_queue *q, struct mirror *m, struct frontend *f,
			unsigned queue, unsigned frames, __u64 seed)
{
	*q = (struct mirror_queue){.mirror = m, .f = f, .queue = queue, .nr_frames = frames};
	q->random.state = seed * 64 + queue;
	q->memory = ram__alloc(&f->ram, (__u64)frames * RAM_PAGE, RAM_PAGE);
	q->busy = calloc(frames, sizeof(*q->busy));
	q->group = calloc(m->groups, sizeof(*q->group));
	q->request = calloc(MIRROR_DEPTH, sizeof(*q->request));
	assert_true(q->memory && q->busy && q->group && q->request);
}

void mirror_queue__free(struct mirror_queue *q)
{
	free(q->busy);
	free(q->group);
	free(q->request);
}

void mirror_queue__start(struct mirror_queue *q, unsigned requests)
{
	q->limit = requests;
	q->over = false;
	assert_int_equal(pthread_create(&q->thread, NULL, run, q), 0);
}

void mirror_queue__join(struct mirror_queue *q)
{
	assert_int_equal(pthread_join(q->thread, NULL), 0);
	assert_int_equal(q->err, 0);
	assert_int_equal(q->failed, 0);
	assert_int_equal(q->wrong, 0);
}
