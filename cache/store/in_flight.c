// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <sys/random.h>

#include "../../bpf/page_event.h"
#include "in_flight.h"

#define FIRST_ROOM 128 /* one page of memory; a power of two */
/* A token that is no epoch: of a writer that is not in the table. */
#define BLIND 1
#define FIRST_EPOCH 2

static bool in_use(const struct in_flight_page *p)
{
	return p->writers || p->readers;
}

static __u32 home(const struct in_flight *f, __u64 page)
{
	return pe_hash(page ^ f->secret, 0) & f->mask;
}

/* Where the page is, or would be. */
static struct in_flight_page *seek(const struct in_flight *f, __u64 page)
{
	__u32 i = home(f, page);

	while (in_use(&f->entry[i]) && f->entry[i].page != page)
		i = (i + 1) & f->mask;
	return &f->entry[i];
}

static int resize(struct in_flight *f, __u32 room)
{
	struct in_flight old = *f;
	int err;

	f->region = (struct region){0};
	err = region__grow(&f->region, f->memory, room * sizeof(*f->entry));
	if (err) {
		region__free(&f->region, f->memory);
		f->region = old.region;
		return err;
	}
	f->entry = f->region.base;
	f->mask = room - 1;
	for (__u32 i = 0; old.entry && i <= old.mask; i++)
		if (in_use(&old.entry[i]))
			*seek(f, old.entry[i].page) = old.entry[i];
	region__free(&old.region, f->memory);
	return 0;
}

int in_flight__init(struct in_flight *f, struct memory *m)
{
	*f = (struct in_flight){.memory = m, .epochs = FIRST_EPOCH};
	if (getrandom(&f->secret, sizeof(f->secret), GRND_NONBLOCK) != sizeof(f->secret))
		f->secret = pe_hash((__u64)(unsigned long)f, 1);
	return resize(f, FIRST_ROOM);
}

void in_flight__free(struct in_flight *f)
{
	region__free(&f->region, f->memory);
}

void in_flight__trim(struct in_flight *f)
{
	if (!f->pages && f->mask + 1 > FIRST_ROOM)
		resize(f, FIRST_ROOM);
}

/* The page's entry, a new one if need be: then it is not in use yet. NULL: no memory. */
static struct in_flight_page *enter(struct in_flight *f, __u64 page)
{
	struct in_flight_page *p = seek(f, page);

	if (in_use(p))
		return p;
	if (f->pages > f->mask / 2) {
		/* One place at least stays empty, for searches to end. */
		if (resize(f, 2 * (f->mask + 1)) && f->pages == f->mask)
			return NULL;
		p = seek(f, page);
	}
	*p = (struct in_flight_page){.page = page, .epoch = f->epochs++};
	f->pages++;
	return p;
}

/* Those behind it that it kept from their home move up (Knuth, TAOCP 6.4, algorithm R). */
static void leave(struct in_flight *f, struct in_flight_page *p)
{
	__u32 gap = p - f->entry, i = gap;

	if (in_use(p))
		return;
	f->pages--;
	for (;;) {
		i = (i + 1) & f->mask;
		if (!in_use(&f->entry[i]))
			break;
		if (((i - home(f, f->entry[i].page)) & f->mask) < ((i - gap) & f->mask))
			continue;
		f->entry[gap] = f->entry[i];
		gap = i;
	}
	f->entry[gap] = (struct in_flight_page){0};
}

static void raise(struct in_flight_page *p, unsigned standing)
{
	if (p->standing < standing)
		p->standing = standing;
}

static cache_token blind_write(struct in_flight *f)
{
	f->blind++;
	in_flight__change(f, 0, ~0ULL);
	return BLIND;
}

cache_token in_flight__read(struct in_flight *f, __u64 page, unsigned standing)
{
	struct in_flight_page *p = f->blind ? NULL : enter(f, page);

	if (!p || p->writers)
		return 0;
	p->readers++;
	raise(p, standing);
	return p->epoch;
}

cache_token in_flight__write(struct in_flight *f, __u64 page, unsigned standing)
{
	struct in_flight_page *p = enter(f, page);

	if (!p)
		return blind_write(f);
	p->epoch = f->epochs++;
	raise(p, standing);
	f->written += !p->writers;
	return p->writers++ || f->blind ? 0 : p->epoch;
}

bool in_flight__end_read(struct in_flight *f, __u64 page, cache_token t, unsigned *standing)
{
	struct in_flight_page *p = seek(f, page);
	bool known = t == p->epoch;

	if (!t)
		return false;
	*standing = p->standing;
	p->readers--;
	leave(f, p);
	return known;
}

bool in_flight__end_write(struct in_flight *f, __u64 page, cache_token t, unsigned *standing)
{
	struct in_flight_page *p = seek(f, page);
	bool known = t == p->epoch;

	if (t == BLIND) {
		f->blind--;
		return false;
	}
	*standing = p->standing;
	p->writers--;
	f->written -= !p->writers;
	leave(f, p);
	return known;
}

bool in_flight__writing(const struct in_flight *f, __u64 page)
{
	return f->blind || seek(f, page)->writers;
}

static void change(struct in_flight *f, struct in_flight_page *p)
{
	if (in_use(p))
		p->epoch = f->epochs++;
}

void in_flight__change(struct in_flight *f, __u64 page, __u64 count)
{
	if (count > f->mask) {
		for (__u32 i = 0; i <= f->mask; i++)
			if (f->entry[i].page - page < count)
				change(f, &f->entry[i]);
		return;
	}
	for (; count--; page++)
		change(f, seek(f, page));
}
