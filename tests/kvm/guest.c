// SPDX-License-Identifier: GPL-2.0
/*
 * The guest: a freestanding program at CPL 3 that interprets a script. Linked to
 * GUEST_OWN_VA as a flat image, without data sections: its state is in the
 * mailbox and in the heap.
 */
#include "guest_abi.h"

static struct guest_mailbox *const mailbox = (void *)GUEST_MAILBOX_VA;
static const struct guest_script *const script = (void *)GUEST_SCRIPT_VA;
static struct guest_cache *const cache = (void *)GUEST_HEAP_VA;

static inline volatile __u64 *frame_words(__u64 frame)
{
	return (volatile __u64 *)(GUEST_FRAMES_VA + frame * GUEST_PAGE);
}

/* The VMM has done it when OUT returns. */
static __s64 request(const struct guest_op *op)
{
	mailbox->request = *op;
	asm volatile("outl %0, %1" : : "a"(op->kind), "Nd"((__u16)GUEST_PORT) : "memory");
	return mailbox->result;
}

static void tell(__u32 kind)
{
	const struct guest_op op = {.kind = kind};

	request(&op);
}

static __attribute__((noreturn)) void fail(__u64 at)
{
	mailbox->fault_at = at;
	for (;;)
		tell(OP_FAILED);
}

static void must(const struct guest_op *op)
{
	if (request(op) < 0)
		fail(op->page);
}

static void touch(const struct guest_op *op, int write)
{
	for (__u64 i = 0; i < op->count; i++) {
		volatile __u64 *words = frame_words(op->frame + i * op->stride);

		/* The first word is the stamp; leave it alone. */
		if (write)
			words[1] = i;
		else
			mailbox->sum += words[1];
	}
}

static void check(__u64 frame, __u64 page)
{
	if (frame_words(frame)[0] != page)
		fail(page);
}

static void in_batches(const struct guest_op *op)
{
	struct guest_op part = *op;
	__u64 left = op->count;

	part.batch = 0;
	while (left) {
		part.count = op->batch && op->batch < left ? op->batch : left;
		must(&part);
		part.page += part.count;
		part.frame += part.count;
		left -= part.count;
	}
}

/* --- an LRU page cache --- */

static __u32 *slot_of(__u64 page)
{
	return (__u32 *)&cache->slot[cache->frames] + page;
}

static void cache_start(const struct guest_op *op)
{
	const struct workload *w = &script->workload;

	if (cache->seed == w->seed && cache->frames == op->count &&
	    cache->disk_pages == w->disk_pages)
		return;
	cache->seed = w->seed;
	cache->frames = op->count;
	cache->disk_pages = w->disk_pages;
	cache->used = 0;
	workload__start(w, &cache->state);
	mailbox->steps = 0;
	for (__u64 i = 0; i < w->disk_pages; i++)
		*slot_of(i) = 0;
}

static void slot_unlink(__u32 s)
{
	struct guest_slot *slot = &cache->slot[s];

	if (s == cache->newest)
		cache->newest = slot->older;
	else
		cache->slot[slot->newer].older = slot->older;
	if (s == cache->oldest)
		cache->oldest = slot->newer;
	else
		cache->slot[slot->older].newer = slot->newer;
}

/* first: the list is empty. */
static void slot_push(__u32 s, int first)
{
	if (first)
		cache->oldest = s;
	else
		cache->slot[cache->newest].newer = s;
	cache->slot[s].older = cache->newest;
	cache->newest = s;
}

static void transfer(__u32 kind, __u64 page, __u64 frame)
{
	const struct guest_op op = {.kind = kind, .page = page, .frame = frame, .count = 1};

	must(&op);
}

/* A slot for a new page: an unused one, else the least recently used. */
static __u32 slot_take(__u64 base)
{
	struct guest_slot *slot;
	__u32 s;

	if (cache->used < cache->frames) {
		slot_push(cache->used, cache->used == 0);
		return cache->used++;
	}
	s = cache->oldest;
	slot = &cache->slot[s];
	if (slot->dirty)
		transfer(OP_WRITE, slot->page, base + s);
	*slot_of(slot->page) = 0;
	if (cache->used > 1) {
		slot_unlink(s);
		slot_push(s, 0);
	}
	return s;
}

static void cache_access(struct workload_access a, __u64 base)
{
	__u32 s = *slot_of(a.page);

	if (s--) {
		if (s != cache->newest) {
			slot_unlink(s);
			slot_push(s, 0);
		}
	} else {
		s = slot_take(base);
		cache->slot[s].page = a.page;
		cache->slot[s].dirty = 0;
		transfer(OP_READ, a.page, base + s);
		*slot_of(a.page) = s + 1;
	}
	check(base + s, a.page);
	if (a.write) {
		frame_words(base + s)[1]++;
		cache->slot[s].dirty = 1;
	}
}

static void cache_run(const struct guest_op *op)
{
	cache_start(op);
	for (__u64 i = 0; i < op->stride; i++) {
		cache_access(workload__next(&script->workload, &cache->state), op->frame);
		mailbox->steps++;
	}
}

static void run(const struct guest_op *op)
{
	switch (op->kind) {
	case OP_TOUCH_READ:
	case OP_TOUCH_WRITE:
		touch(op, op->kind == OP_TOUCH_WRITE);
		break;
	case OP_CHECK:
		for (__u64 i = 0; i < op->count; i++)
			check(op->frame + i, op->page + i);
		break;
	case OP_CACHE:
		cache_run(op);
		break;
	case OP_READ:
	case OP_WRITE:
		in_batches(op);
		break;
	default:
		must(op);
	}
}

__attribute__((noreturn, section(".text.entry"))) void guest_main(void)
{
	/* Written, not read: a page that was only read may fault once more when written. The code's
	 * page is mapped since the first instruction. */
	for (__u64 i = GUEST_CODE_PAGES; i < mailbox->own_pages; i++)
		((volatile __u64 *)(GUEST_OWN_VA + i * GUEST_PAGE))[GUEST_PAGE / 16] = 0;
	tell(OP_READY);
	for (;;) {
		for (__u64 i = 0; i < script->nr_ops; i++)
			run(&script->ops[i]);
		tell(OP_DONE);
	}
}
