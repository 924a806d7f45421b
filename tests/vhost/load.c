// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "backend.h"
#include "load.h"

static void *frame_of(struct load_request *r)
{
	return ram__at(&r->load->f->ram, r->seg.gpa, RAM_PAGE);
}

static bool is_zero(const void *page)
{
	static const char zero[RAM_PAGE];

	return !memcmp(page, zero, RAM_PAGE);
}

static bool is_right(const struct load *l, __u64 page, const void *bytes)
{
	return l->version[page] ? has_pattern(bytes, l->first + page, l->version[page])
				: is_zero(bytes);
}

static void finished(struct blk_io *io)
{
	struct load_request *r = io->ctx;
	struct load *l = r->load;

	l->failed += io->status != VIRTIO_BLK_S_OK;
	if (io->type == VIRTIO_BLK_T_IN)
		l->wrong += !is_right(l, r->page, frame_of(r));
	l->busy[r->page] = false;
	l->done++;
}

/* A page that no request is about; a write of its next version, or a read. */
static void fill_in(struct load_request *r)
{
	struct load *l = r->load;
	bool write = random__one_in(&l->random, 2);

	do
		r->page = random__below(&l->random, LOAD_PAGES);
	while (l->busy[r->page]);
	l->busy[r->page] = true;
	r->io.type = write ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN;
	r->io.sector = (l->first + r->page) * (RAM_PAGE / SECTOR);
	if (write)
		put_pattern(frame_of(r), l->first + r->page, ++l->version[r->page]);
	else
		memset(frame_of(r), 0xee, RAM_PAGE);
}

static void submit_idle(struct load *l)
{
	for (unsigned i = 0; i < LOAD_DEPTH && !l->err; i++) {
		struct load_request *r = &l->request[i];

		if (!r->io.done || random__one_in(&l->random, 3))
			continue;
		fill_in(r);
		l->err = frontend__queue(l->f, l->queue, &r->io);
	}
	frontend__publish(l->f, l->queue);
}

static bool any_in_flight(const struct load *l)
{
	for (unsigned i = 0; i < LOAD_DEPTH; i++)
		if (!l->request[i].io.done)
			return true;
	return false;
}

static void *run(void *arg)
{
	struct load *l = arg;

	while (!l->stop && !l->err) {
		int n = 1;

		submit_idle(l);
		if (!l->err && any_in_flight(l))
			n = frontend__wait_some(l->f, l->queue);
		if (n < 0)
			l->err = n;
	}
	return NULL;
}

void load__go_on(struct load *l)
{
	l->stop = false;
	assert_int_equal(pthread_create(&l->thread, NULL, run, l), 0);
}

void load__start(struct load *l, struct frontend *f, unsigned queue, __u64 seed)
{
	memset(l, 0, sizeof(*l));
	l->f = f;
	l->queue = queue;
	l->first = queue * LOAD_PAGES;
	l->random.state = seed + queue;
	l->memory = ram__alloc(&f->ram, LOAD_DEPTH * RAM_PAGE, RAM_PAGE);
	assert_int_not_equal(l->memory, 0);
	for (unsigned i = 0; i < LOAD_DEPTH; i++) {
		struct load_request *r = &l->request[i];

		r->load = l;
		r->seg = (struct ring_seg){l->memory + i * RAM_PAGE, RAM_PAGE};
		r->io = (struct blk_io){
			.seg = &r->seg, .nr = 1, .fn = finished, .ctx = r, .done = true};
	}
	load__go_on(l);
}

void load__await(struct load *l, unsigned done)
{
	await(&l->done, done);
}

void load__pause(struct load *l)
{
	l->stop = true;
	assert_int_equal(pthread_join(l->thread, NULL), 0);
}

void load__settle(struct load *l)
{
	if (!l->err)
		l->err = frontend__wait_all(l->f, l->queue);
	assert_int_equal(l->err, 0);
}

void load__end(struct load *l)
{
	load__pause(l);
	load__settle(l);
	assert_int_equal(l->failed, 0);
	assert_int_equal(l->wrong, 0);
	for (unsigned i = 0; i < LOAD_DEPTH; i++)
		assert_true(l->request[i].io.done && l->request[i].io.times <= 1);
}

void load__check(struct load *l, const char *disk)
{
	for (unsigned i = 0; i < LOAD_PAGES; i++)
		assert_true(is_right(l, i, disk + (l->first + i) * RAM_PAGE));
}
