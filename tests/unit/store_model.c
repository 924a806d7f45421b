// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../bpf/page_event.h"
#include "../../cache/minmax.h"
#include "../../cache/store/store_policy.h"
#include "store_model.h"

#define PAGE 4096
#define WORDS (PAGE / 8)
#define NONE (~0U)

#define MUST(condition)                                                                            \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);    \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* --- contents --- */

static void write_page(void *to, __u64 content)
{
	__u64 *word = to;

	for (int i = 0; i < WORDS; i++)
		word[i] = content * WORDS + i;
}

static bool holds(const void *slot, __u64 content)
{
	const __u64 *word = slot;
	__u64 wrong = 0;

	for (int i = 0; i < WORDS; i++)
		wrong |= word[i] ^ (content * WORDS + i);
	return !wrong;
}

static struct page_digest digest_of(const struct store_model *m, __u64 content)
{
	__u64 page[WORDS];

	write_page(page, content);
	return page_digest__of(&m->secret, page);
}

/* --- lists --- */

static __u32 position(const struct model_list *l, __u32 page)
{
	__u32 i = 0;

	while (i < l->n && l->page[i] != page)
		i++;
	return i;
}

static void push(struct model_list *l, __u32 page)
{
	MUST(l->n < MODEL_CHUNKS * ARENA_SLOTS);
	memmove(l->page + 1, l->page, l->n++ * sizeof(*l->page));
	l->page[0] = page;
}

static bool pull(struct model_list *l, __u32 page)
{
	__u32 i = position(l, page);

	if (i == l->n)
		return false;
	memmove(l->page + i, l->page + i + 1, (--l->n - i) * sizeof(*l->page));
	return true;
}

/* --- what must be --- */

static __u32 slots(const struct store_model *m)
{
	__u32 n = 0;

	for (int i = 0; i < MODEL_CHUNKS; i++)
		n += m->given[i] * ARENA_SLOTS;
	return n;
}

static __u32 held(const struct store_model *m)
{
	__u32 n = 0;

	for (int i = 0; i < MODEL_HELD; i++)
		n += !!m->held[i];
	return n;
}

static __u32 in_cache(const struct store_model *m)
{
	return m->small.n + m->main.n;
}

static __u32 free_slots(const struct store_model *m)
{
	return slots(m) - in_cache(m) - held(m);
}

static __u64 max_ghosts(const struct store_model *m)
{
	if (slots(m) && m->opts.max_ghosts)
		return m->opts.max_ghosts;
	return m->opts.s3fifo ? slots(m) * 9 / 10 : slots(m);
}

static void limit_ghosts(struct store_model *m)
{
	if (m->ghosts.n > max_ghosts(m))
		m->ghosts.n = max_ghosts(m);
}

static void new_ghost(struct store_model *m, __u32 page)
{
	if (!max_ghosts(m))
		return;
	if (m->ghosts.n == max_ghosts(m))
		m->ghosts.n--;
	push(&m->ghosts, page);
}

/* It leaves a gap, which ages like the others. */
static bool no_ghost(struct store_model *m, __u32 page)
{
	__u32 i = position(&m->ghosts, page);

	if (i == m->ghosts.n)
		return false;
	m->ghosts.page[i] = NONE;
	return true;
}

static void leave_cache(struct store_model *m, __u32 page)
{
	MUST(pull(&m->small, page) || pull(&m->main, page));
	m->page[page].cached = false;
	m->page[page].standing = 0;
}

static bool from_small(const struct store_model *m)
{
	return !m->main.n || (m->small.n && m->small.n * 10 >= slots(m));
}

/* Second chances. */
static void spare(struct store_model *m)
{
	for (int i = 0; i < STORE_LOOKS && !from_small(m); i++) {
		__u32 page = m->main.page[m->main.n - 1];

		if (m->page[page].standing == STANDING_GHOST)
			break;
		m->page[page].standing--;
		pull(&m->main, page);
		push(&m->main, page);
	}
}

static void evict(struct store_model *m)
{
	bool small = from_small(m);
	const struct model_list *l = small ? &m->small : &m->main;
	__u32 page;

	spare(m);
	page = l->page[l->n - 1];
	leave_cache(m, page);
	m->evicted++;
	if (small)
		new_ghost(m, page);
}

static void enter_cache(struct store_model *m, __u32 page)
{
	struct model_page *p = &m->page[page];

	p->cached = true;
	p->resident = false;
	push(m->opts.s3fifo && p->standing >= STANDING_GHOST ? &m->main : &m->small, page);
}

static void give_up(struct store_model *m, __u32 page)
{
	if (exclusive_cache__is_resident(m->cache, page, NULL))
		return;
	m->page[page].resident = false;
	m->page[page].standing = 0;
}

/* Which residents are given up where their number is bounded is not said: ask. */
static void follow_residents(struct store_model *m)
{
	__u64 n = 0;

	for (__u32 i = 0; m->opts.max_resident && i < MODEL_PAGES; i++)
		n += m->page[i].resident;
	for (__u32 i = 0; n > m->opts.max_resident && i < MODEL_PAGES; i++)
		if (m->page[i].resident)
			give_up(m, i);
}

static void remember(struct store_model *m, __u32 page, __u32 frame, __u64 content,
		     unsigned standing)
{
	struct model_page *p = &m->page[page];

	if (p->cached)
		leave_cache(m, page);
	p->standing = standing;
	p->resident = true;
	p->frame = frame;
	p->known = content;
	/* The whole point: what is known is what the disk holds. */
	MUST(content == p->content);
	follow_residents(m);
}

/* --- requests --- */

static void void_requests(struct store_model *m, __u32 page)
{
	for (int i = 0; i < MODEL_REQUESTS; i++)
		if (m->request[i].page == page)
			m->request[i].known = false;
}

static void change(struct store_model *m, __u32 page)
{
	struct model_page *p = &m->page[page];

	void_requests(m, page);
	no_ghost(m, page);
	if (p->cached)
		leave_cache(m, page);
	p->resident = false;
	p->standing = 0;
}

static struct model_request *new_request(struct store_model *m)
{
	for (int i = 0; i < MODEL_REQUESTS; i++)
		if (!m->request[i].used)
			return &m->request[i];
	return NULL;
}

static struct model_request *some_request(struct store_model *m, __u32 n)
{
	for (__u32 i = 0; i < MODEL_REQUESTS; i++) {
		struct model_request *r = &m->request[(n + i) % MODEL_REQUESTS];

		if (r->used)
			return r;
	}
	return NULL;
}

/* What its frame was seen with last is captured, if it is still that. */
static void capture(struct store_model *m, __u32 frame, bool with_slot)
{
	struct model_frame *f = &m->frame[frame];
	struct model_page *p = &m->page[f->hint ? f->hint - 1 : 0];
	bool expected = p->resident && p->frame == frame;
	enum capture want = CAPTURED, got;
	struct page_digest digest = {0};
	void *slot = NULL;

	if (!f->hint)
		return;
	got = exclusive_cache__expects(m->cache, f->hint - 1, frame);
	MUST(got == (expected ? CAPTURED : p->writers ? CAPTURE_WRITING : CAPTURE_UNKNOWN));
	if (!expected)
		return;
	if (with_slot) {
		bool full = !free_slots(m);

		slot = exclusive_cache__slot(m->cache);
		MUST(!slot == (full && !in_cache(m)));
		if (slot && full)
			evict(m);
	}
	if (slot) {
		write_page(slot, f->content);
		digest = digest_of(m, f->content);
	}
	if (!slot)
		want = CAPTURE_NO_ROOM;
	else if (f->content != p->known)
		want = CAPTURE_CHANGED;
	got = exclusive_cache__capture(m->cache, f->hint - 1, frame, slot, &digest);
	MUST(got == want);
	p->resident = false;
	if (want != CAPTURED)
		p->standing = 0;
	if (want == CAPTURED)
		enter_cache(m, f->hint - 1);
	m->captured += want == CAPTURED;
}

static bool take(struct store_model *m, __u32 page, void **slot, struct page_digest *digest)
{
	const struct model_page *p = &m->page[page];
	__u64 frame;

	*slot = exclusive_cache__take(m->cache, page, digest, &frame);
	MUST(!*slot == !p->cached);
	MUST(frame == (p->resident ? p->frame : PE_FRAME_NONE));
	if (!*slot)
		return false;
	MUST(!m->page[page].writers);
	MUST(holds(*slot, m->page[page].content));
	leave_cache(m, page);
	return true;
}

static unsigned raised(unsigned standing)
{
	return standing < STANDING_MOST ? standing + 1 : standing;
}

/* After it is wanted. */
static unsigned standing_of(const struct model_page *p)
{
	return p->cached ? raised(p->standing) : p->standing;
}

static bool hit(struct store_model *m, __u32 page, __u32 frame)
{
	unsigned standing = raised(m->page[page].standing);
	struct page_digest digest;
	void *slot;

	if (!take(m, page, &slot, &digest))
		return false;
	/* It takes a slot that is not free while the frame is captured. */
	MUST(!m->held[MODEL_HELD - 1]);
	m->held[MODEL_HELD - 1] = slot;
	capture(m, frame, true);
	MUST(holds(slot, m->page[page].content));
	m->held[MODEL_HELD - 1] = NULL;
	m->frame[frame] = (struct model_frame){m->page[page].content, page + 1};
	exclusive_cache__release_slot(m->cache, slot);
	exclusive_cache__hit_end(m->cache, page, frame, &digest);
	remember(m, page, frame, m->page[page].content, standing);
	m->hits++;
	return true;
}

static struct model_request *begin_read(struct store_model *m, __u32 page, __u32 frame)
{
	struct model_request *r = new_request(m);
	struct model_page *p = &m->page[page];
	bool ghost;

	if (!r)
		return NULL;
	capture(m, frame, true);
	ghost = no_ghost(m, page);
	m->ghost_hits += ghost;
	*r = (struct model_request){.used = true, .page = page, .frame = frame};
	r->token = exclusive_cache__read_begin(m->cache, page);
	MUST(!r->token == !!p->writers);
	r->known = !p->writers;
	if (r->known) {
		p->readers++;
		p->request_standing = larger(p->request_standing, ghost ? STANDING_GHOST : 0);
	}
	return r;
}

static void perform(struct store_model *m, struct model_request *r)
{
	if (r->done)
		return;
	r->done = true;
	if (r->write)
		m->page[r->page].content = r->content;
	else
		r->content = m->page[r->page].content;
}

static void end_read(struct store_model *m, struct model_request *r, bool good)
{
	struct page_digest digest = digest_of(m, r->content);
	struct model_page *p = &m->page[r->page];
	unsigned standing = 0;

	m->frame[r->frame] = (struct model_frame){r->content, r->page + 1};
	MUST(exclusive_cache__read_end(m->cache, r->page, r->token, r->frame,
				       good ? &digest : NULL) == r->known);
	if (r->known && good) {
		standing = larger(standing_of(p), p->request_standing);
		if (no_ghost(m, r->page))
			standing = larger(standing, STANDING_GHOST);
		remember(m, r->page, r->frame, r->content, standing);
	}
	p->readers -= !!r->token;
}

static void end_write(struct store_model *m, struct model_request *r, bool good)
{
	struct page_digest digest = digest_of(m, r->content);
	struct model_page *p = &m->page[r->page];

	m->frame[r->frame].hint = r->page + 1;
	exclusive_cache__write_end(m->cache, r->page, r->token, r->frame, good ? &digest : NULL);
	if (r->known && good)
		remember(m, r->page, r->frame, r->content,
			 larger(p->standing, p->request_standing));
	p->writers--;
}

static void end_request(struct store_model *m, struct model_request *r, bool good)
{
	struct model_page *p = &m->page[r->page];

	perform(m, r);
	r->used = false;
	if (r->write)
		end_write(m, r, good);
	else
		end_read(m, r, good);
	if (!p->writers && !p->readers)
		p->request_standing = 0;
	r->known = false;
}

static void begin_write(struct store_model *m, __u32 page, __u32 frame)
{
	struct model_request *r = new_request(m);
	struct model_page *p = &m->page[page];
	unsigned standing = standing_of(p);

	if (!r)
		return;
	void_requests(m, page);
	if (no_ghost(m, page))
		standing = larger(standing, STANDING_GHOST);
	if (p->cached)
		leave_cache(m, page);
	p->resident = false;
	p->standing = 0;
	*r = (struct model_request){.used = true, .write = true, .page = page, .frame = frame};
	r->content = m->frame[frame].content;
	r->known = !p->writers++;
	p->request_standing = larger(p->request_standing, standing);
	r->token = exclusive_cache__write_begin(m->cache, page);
}

bool store_model__read(struct store_model *m, __u32 page, __u32 frame)
{
	struct model_request *r;

	if (hit(m, page, frame))
		return true;
	r = begin_read(m, page, frame);
	if (r)
		end_request(m, r, true);
	m->misses++;
	return false;
}

/* --- chunks and slots --- */

bool store_model__add_chunk(struct store_model *m, __u32 n)
{
	n %= MODEL_CHUNKS;
	if (m->given[n])
		return false;
	MUST(!exclusive_cache__add_chunk(m->cache, m->chunk[n]));
	m->given[n] = true;
	return true;
}

static bool holds_slot_of(const struct store_model *m, int chunk)
{
	for (int i = 0; i < MODEL_HELD; i++)
		if ((size_t)((char *)m->held[i] - (char *)m->chunk[chunk]) < ARENA_CHUNK)
			return true;
	return false;
}

static void take_chunk(struct store_model *m)
{
	int can = 0, n = 0;
	void *chunk;

	for (int i = 0; i < MODEL_CHUNKS; i++)
		can += m->given[i] && !holds_slot_of(m, i);
	while (can && free_slots(m) < ARENA_SLOTS)
		evict(m);
	while (exclusive_cache__work(m->cache))
		;
	chunk = exclusive_cache__take_chunk(m->cache);
	MUST(!chunk == !can);
	while (chunk && m->chunk[n] != chunk)
		n++;
	if (!chunk)
		return;
	MUST(m->given[n] && !holds_slot_of(m, n));
	m->given[n] = false;
	memset(chunk, 0xee, ARENA_CHUNK);
	limit_ghosts(m);
}

/* One of the slots that are held meanwhile comes or goes. */
static void hold(struct store_model *m, __u32 n, bool of_hit)
{
	void **at = &m->held[n % (MODEL_HELD - 1)], *slot;
	struct page_digest digest;
	bool full = !free_slots(m);

	if (*at) {
		exclusive_cache__release_slot(m->cache, *at);
		*at = NULL;
	} else if (of_hit) {
		if (take(m, n % MODEL_PAGES, &slot, &digest))
			*at = slot;
	} else {
		slot = exclusive_cache__slot(m->cache);
		MUST(!slot == (full && !in_cache(m)));
		if (slot && full)
			evict(m);
		*at = slot;
	}
}

/* --- operations --- */

static void invalidate(struct store_model *m, __u32 page, __u32 n, bool all)
{
	__u32 before = in_cache(m), first = all ? 0 : page;
	__u64 count = all ? ~0ULL : n;

	for (__u32 i = first; i < MODEL_PAGES && i - first < count; i++) {
		change(m, i);
		m->page[i].content = ++m->contents;
	}
	if (all)
		MUST(exclusive_cache__clear(m->cache) == before - in_cache(m));
	else
		MUST(exclusive_cache__invalidate(m->cache, page, n) == before - in_cache(m));
}

static void forget_residents(struct store_model *m)
{
	exclusive_cache__forget_residents(m->cache, m->opts.max_resident);
	for (__u32 i = 0; i < MODEL_PAGES; i++) {
		void_requests(m, i);
		if (m->page[i].resident)
			m->page[i].standing = 0;
		m->page[i].resident = false;
	}
}

static void scan(struct store_model *m, __u32 page, __u32 frame, __u32 n)
{
	for (__u32 i = 0; i < n; i++)
		store_model__read(m, (page + i) % MODEL_PAGES, (frame + i) % MODEL_FRAMES);
}

/* A capture that names a frame where the page is not, or no slot. */
static void odd_capture(struct store_model *m, __u32 page, __u32 frame, bool unknown)
{
	struct model_page *p = &m->page[page];
	struct page_digest digest = {0};
	enum capture got;

	if (!unknown) {
		capture(m, frame, false);
		return;
	}
	if (p->resident && p->frame == frame)
		return;
	got = exclusive_cache__capture(m->cache, page, frame, NULL, &digest);
	MUST(got == (p->writers ? CAPTURE_WRITING : CAPTURE_UNKNOWN));
}

static void rare(struct store_model *m, const struct model_op *op)
{
	switch (op->how % 8) {
	case 0:
		invalidate(m, op->page, 0, true);
		break;
	case 1:
		forget_residents(m);
		break;
	case 2:
	case 3:
		take_chunk(m);
		break;
	case 4:
	case 5:
		store_model__add_chunk(m, op->n);
		break;
	default:
		invalidate(m, op->page, op->n % MODEL_PAGES, false);
	}
}

static void ordinary(struct store_model *m, const struct model_op *op)
{
	struct model_request *r = some_request(m, op->n);

	switch (op->kind % 16) {
	case 0 ... 3:
		if (!hit(m, op->page, op->frame))
			begin_read(m, op->page, op->frame);
		break;
	case 4 ... 7:
		if (r)
			end_request(m, r, op->how % 8);
		break;
	case 8:
		if (r)
			perform(m, r);
		break;
	case 9:
	case 10:
		begin_write(m, op->page, op->frame);
		break;
	case 11:
		m->frame[op->frame].content = ++m->contents;
		break;
	case 12:
		hold(m, op->n, op->how % 2);
		break;
	case 13:
		invalidate(m, op->page, op->n % 4, false);
		break;
	case 14:
		odd_capture(m, op->page, op->frame, op->how % 2);
		break;
	default:
		scan(m, op->page, op->frame, op->n % 64);
	}
}

void store_model__do(struct store_model *m, struct model_op op)
{
	if (op.how % 16 == 5)
		exclusive_cache__work(m->cache);
	op.page %= MODEL_PAGES;
	op.frame %= MODEL_FRAMES;
	if (op.kind >= 254)
		rare(m, &op);
	else if (op.kind == 253)
		scan(m, op.page, op.frame, op.n % (3 * ARENA_SLOTS / 2));
	else
		ordinary(m, &op);
}

/* --- a model --- */

/* The same for all models, one after the other: memory is slow to come by. */
static void *chunk_of_memory(int i)
{
	static void *chunk[MODEL_CHUNKS];

	if (!chunk[i])
		chunk[i] = aligned_alloc(ARENA_CHUNK, ARENA_CHUNK);
	MUST(chunk[i]);
	return chunk[i];
}

struct store_model *store_model__new(const struct model_opts *o)
{
	struct store_model *m = calloc(1, sizeof(*m));
	struct exclusive_cache_opts opts = {
		.sz = sizeof(opts),
		.policy = o->s3fifo ? "s3fifo" : NULL,
		.max_resident = o->max_resident,
		.max_ghosts = o->max_ghosts,
	};

	MUST(m);
	m->opts = *o;
	memory__init(&m->memory, 0);
	opts.memory = &m->memory;
	m->cache = exclusive_cache__new(&opts);
	MUST(m->cache && !cache_secret__init(&m->secret));
	for (int i = 0; i < MODEL_CHUNKS; i++)
		m->chunk[i] = chunk_of_memory(i);
	for (__u32 i = 0; i < MODEL_PAGES; i++)
		m->page[i].content = ++m->contents;
	return m;
}

void store_model__free(struct store_model *m)
{
	exclusive_cache__free(m->cache);
	MUST(!m->memory.used);
	free(m);
}

static void check_list(const struct store_model *m)
{
	static __u64 pages[MODEL_PAGES];
	size_t n = exclusive_cache__list(m->cache, pages, MODEL_PAGES);

	MUST(n == in_cache(m));
	while (n--)
		MUST(pages[n] < MODEL_PAGES && m->page[pages[n]].cached);
}

static void check_pages(const struct store_model *m)
{
	__u64 frame;

	for (__u32 i = 0; i < MODEL_PAGES; i++) {
		const struct model_page *p = &m->page[i];

		MUST(!(p->cached && p->resident));
		MUST(exclusive_cache__is_cached(m->cache, i) == p->cached);
		MUST(exclusive_cache__is_resident(m->cache, i, &frame) == p->resident);
		MUST(!p->resident || frame == p->frame);
		MUST(!p->cached || !p->writers);
		MUST(!p->resident || !p->writers);
	}
}

void store_model__check(const struct store_model *m)
{
	struct exclusive_cache_counts n;
	__u64 resident = 0, ghosts = 0, writing = 0;

	exclusive_cache__counts(m->cache, &n);
	for (__u32 i = 0; i < MODEL_PAGES; i++) {
		resident += m->page[i].resident;
		writing += !!m->page[i].writers;
	}
	for (__u32 i = 0; i < m->ghosts.n; i++)
		ghosts += m->ghosts.page[i] != NONE;
	MUST(n.cached == in_cache(m) && n.resident == resident && n.ghosts == ghosts);
	MUST(n.slots == slots(m) && n.free_slots == free_slots(m));
	MUST(n.evicted == m->evicted && n.ghost_hits == m->ghost_hits && n.writing == writing);
	MUST(!m->opts.max_resident || n.resident <= m->opts.max_resident);
	MUST(exclusive_cache__chunks(m->cache) == slots(m) / ARENA_SLOTS);
	check_pages(m);
	check_list(m);
}
