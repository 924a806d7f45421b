// SPDX-License-Identifier: GPL-2.0
/*
 * Any bytes as page events. The first byte chooses the bound, each group of 8 after it is an
 * event, few of which use wide numbers, so that pages and frames meet again.
 */
#include <math.h>

#include "../../analysis/engine.h"
#include "fuzz.h"

#define VMS 3
#define SIZES 6

static __u64 wide(uint8_t how, uint8_t v)
{
	switch (how & 7) {
	case 0:
		return pe_page(v, v) << (v & 15);
	case 1:
		return ~0ULL - v;
	default:
		return v;
	}
}

static struct page_event event_of(const uint8_t *d)
{
	return (struct page_event){
		.page = wide(d[0], d[1]),
		.frame = d[2] ? wide(d[2] >> 5, d[3]) : PE_FRAME_NONE,
		.count = d[0] & 8 ? 1U << (d[4] & 31) : d[4],
		.vm = d[5] == 255 ? PE_MAX_VMS : d[5] % VMS,
		.kind = d[6] % (PAGE_EVENT_KINDS + 1),
		.space = d[6] >> 7,
		.flags = d[7],
	};
}

static bool well_formed(const struct page_event *ev)
{
	return ev->vm < PE_MAX_VMS && ev->kind < PAGE_EVENT_KINDS;
}

static __u64 tracked_in_all(const struct engine *e)
{
	__u64 sum = 0;

	for (__u16 vm = 0; vm < VMS; vm++)
		for (int space = 0; space < PAGE_SPACES; space++) {
			struct engine_counts c;

			engine__counts(e, vm, space, &c);
			sum += c.tracked;
		}
	return sum;
}

static void check_curve(const struct engine *e, __u16 vm, enum page_space space,
			const struct engine_counts *c)
{
	__u64 max = engine__max_distance(e, vm, space);
	const __u64 sizes[SIZES] = {0, 1, max / 3, max, max + 1, ~0ULL};
	struct curve_point p[SIZES];

	check(!engine__curve(e, vm, space, sizes, SIZES, p));
	for (int i = 0; i < SIZES; i++) {
		check(p[i].error >= 0 && p[i].error <= 1);
		check(p[i].misses >= -1e-6 && p[i].misses <= p[i].accesses * (1 + 1e-9));
		check(fabs(p[i].accesses - c->fills) <= 0.5 + 1e-9 * c->fills);
		if (i && sizes[i] >= sizes[i - 1])
			check(p[i].misses <= p[i - 1].misses + 1e-6);
	}
	check(p[0].misses == p[0].accesses);
	check(p[SIZES - 1].misses <= c->cold + c->unseen / 2.0 + 1);
}

static void check_space(const struct engine *e, __u16 vm, enum page_space space)
{
	struct engine_counts c;

	if (!engine__counts(e, vm, space, &c))
		return;
	/* Each is rounded on its own when the rate is no power of two; here it is one. */
	check(c.cold + c.refaults + c.unseen == c.fills);
	check(c.access_ordered <= c.fills);
	check(c.uncaptured <= c.evictions);
	check(c.ghosts <= c.tracked);
	check(engine__reuse(e, vm, space, 0, ~0ULL) == c.refaults);
	check_curve(e, vm, space, &c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct engine_opts opts = {.sz = sizeof(opts), .threshold = PE_SAMPLE_ALL};
	struct engine *e;

	if (!size)
		return 0;
	opts.max_pages = data[0] & 1 ? 1 + data[0] / 8 : 0;
	opts.threshold >>= data[0] & 2 ? 1 : 0;
	e = engine__new(&opts);
	check(e);
	data++;
	size--;
	for (; size >= 8; data += 8, size -= 8) {
		struct page_event ev = event_of(data);

		check(engine__apply(e, &ev, 1) == (well_formed(&ev) ? 0 : -22));
		check(!opts.max_pages || tracked_in_all(e) <= opts.max_pages);
		if (data[7] == 128)
			engine__forget(e, ev.vm);
		if (data[7] == 129 && opts.threshold >> 33)
			opts.threshold >>= 1;
		if (data[7] == 129)
			check(!engine__set_threshold(e, opts.threshold));
	}
	for (__u16 vm = 0; vm < VMS; vm++)
		for (int space = 0; space < PAGE_SPACES; space++)
			check_space(e, vm, space);
	engine__free(e);
	return 0;
}
