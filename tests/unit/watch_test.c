// SPDX-License-Identifier: GPL-2.0
/* How live turns counters and events into lines, and what it keeps of VMs that end. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "../../analysis/size.h"
#include "../../cli/cli.h"
#include "../../cli/watch.h"

static struct tracer_vm vm_of(__u16 id, pid_t pid, const char *name)
{
	return (struct tracer_vm){.id = id,
				  .pid = pid,
				  .name = name,
				  .vmm = "qemu",
				  .kvm = true,
				  .mem_pages = 400,
				  .generation = 100 + pid};
}

static struct engine *new_engine(void)
{
	struct engine_opts opts = {.sz = sizeof(opts), .threshold = PE_SAMPLE_ALL};
	struct engine *e = engine__new(&opts);

	assert_non_null(e);
	return e;
}

/* A guest of 400 frames reads pages 0 to n - 1, over and over. */
static void loop_over(struct engine *e, __u16 vm, __u64 n, int rounds)
{
	__u64 held[400] = {0}, at = 0;

	for (__u64 i = 0; i < rounds * n; i++, at = (at + 1) % 400) {
		struct page_event events[2] = {
			{.kind = PAGE_EVICT, .count = 1, .vm = vm, .page = held[at], .frame = at},
			{.kind = PAGE_FILL, .count = 1, .vm = vm, .page = i % n, .frame = at},
		};

		assert_int_equal(engine__apply(e, events + (i < 400), 2 - (i < 400)), 0);
		held[at] = i % n;
	}
}

static void rates(void **state)
{
	struct watch_list l = {0};
	struct tracer_vm vm = vm_of(3, 77, "web");
	struct engine *e = new_engine();
	struct watch *w = watch_list__add(&l, &vm, e);
	struct vm_counters c = {.fills = 100,
				.page_ins = 20,
				.cache_adds = 4,
				.writebacks = 50,
				.evictions = 30,
				.page_outs = 6,
				.cache_drops = 2,
				.kvm_faults = 10,
				.kvm_maps = 12};
	struct table_row row;

	assert_ptr_equal(watch_list__find(&l, vm.generation), w);
	assert_null(watch_list__find(&l, 1));
	watch__account(w, &vm, &c, 1);
	watch__row(w, e, 1, 2.0, &row);
	assert_string_equal(row.name, "web");
	assert_int_equal(row.pid, 77);
	assert_true(row.mem_pages == 400 && !row.mem_estimated);
	assert_true(row.fills == 62 && row.writebacks == 25 && row.evictions == 19);
	assert_true(row.faults == 6 && row.refaults == 0 && isnan(row.p50));
	assert_true(isnan(row.change[0]));
	/* Evictions count by the rate they were sampled at; an interval begins where one ended. */
	c.evictions += 10;
	watch__account(w, &vm, &c, 1);
	c.evictions += 10;
	watch__account(w, &vm, &c, 4);
	watch__row(w, e, 4, 1.0, &row);
	assert_true(row.evictions == 50 && row.fills == 0 && row.faults == 0);
	watch_list__free(&l);
	engine__free(e);
}

/* A loop over 500 pages in 400 frames misses always; with 100 more frames, never again. */
static void changes(void **state)
{
	struct watch_list l = {0};
	struct tracer_vm vm = vm_of(3, 77, "web");
	struct engine *e = new_engine();
	struct watch *w = watch_list__add(&l, &vm, e);
	struct vm_counters c = {0};
	struct table_row row;

	loop_over(e, 3, 500, 10);
	watch__account(w, &vm, &c, 1);
	watch__row(w, e, 1, 1.0, &row);
	assert_true(row.refaults == 4500);
	assert_true(fabs(row.change[0] + 0.9) < 1e-9);
	assert_true(fabs(row.change[2] + 0.9) < 1e-9);
	/* Half of the memory, and a quarter of that is not enough; twice is. */
	vm.mem_pages = 100;
	watch__account(w, &vm, &c, 1);
	watch__row(w, e, 1, 1.0, &row);
	assert_true(row.change[0] == 0 && row.change[1] == 0);
	assert_true(fabs(row.change[2] + 0.9) < 1e-9);
	assert_true(row.refaults == 0);
	watch_list__free(&l);
	engine__free(e);
}

/* Without KVM, what is resident stands in for the guest's memory; with it, nothing does. */
static void memory(void **state)
{
	struct watch_list l = {0};
	struct tracer_vm vm = vm_of(3, 77, "tcg");
	struct engine *e = new_engine();
	struct watch *w = watch_list__add(&l, &vm, e);
	struct vm_counters c = {0};
	struct table_row row;

	loop_over(e, 3, 500, 10);
	vm.mem_pages = 0;
	vm.kvm = false;
	watch__account(w, &vm, &c, 1);
	watch__row(w, e, 1, 1.0, &row);
	assert_true(row.mem_estimated && row.mem_pages == 400);
	assert_true(fabs(row.change[0] + 0.9) < 1e-9);
	vm.kvm = true;
	watch__account(w, &vm, &c, 1);
	watch__row(w, e, 1, 1.0, &row);
	assert_true(!row.mem_estimated && isnan(row.mem_pages) && isnan(row.change[2]));
	watch_list__free(&l);
	engine__free(e);
}

static void report_outlives(void **state)
{
	struct watch_list l = {0};
	struct tracer_vm vm = vm_of(3, 77, "web");
	struct engine *e = new_engine();
	struct watch *w = watch_list__add(&l, &vm, e);
	struct vm_counters c = {.fills = 5000};

	loop_over(e, 3, 500, 10);
	watch__account(w, &vm, &c, 1);
	assert_int_equal(watch__end(w, e), 0);
	engine__forget(e, 3);
	/* The slot's next holder is another VM. */
	loop_over(e, 3, 450, 2);
	assert_true(w->ended);
	assert_int_equal(w->report->counters.fills, 5000);
	assert_int_equal(w->report->space[SPACE_DISK].counts.fills, 5000);
	assert_int_equal(w->report->space[SPACE_DISK].counts.cold, 500);
	assert_false(w->report->space[SPACE_MEM].seen);
	watch_list__free(&l);
	engine__free(e);
}

/* --- the recent past --- */

static int apply_to(void *engine, const struct page_event *events, size_t n)
{
	return engine__apply(engine, events, n);
}

/* A guest of 400 frames reads pages 0 to n - 1, over and over, and ends at a time in ns. */
static void loop_until(struct vm_recent *v, __u64 n, int rounds, __u64 end)
{
	__u64 at = 0;

	for (__u64 i = 0; i < rounds * n; i++, at = (at + 1) % 400) {
		const __u64 time = end - (rounds * n - i) * 1000;
		const struct page_event events[2] = {
			{.kind = PAGE_EVICT, .count = 1, .page = (i + n - 400) % n, .time = time},
			{.kind = PAGE_FILL, .count = 1, .page = i % n, .frame = at, .time = time},
		};
		struct page_event evict = events[0];

		evict.frame = at;
		if (i >= 400)
			assert_int_equal(vm_recent__apply(v, &evict, 1), 0);
		assert_int_equal(vm_recent__apply(v, &events[1], 1), 0);
	}
}

static __u64 now_ns(void)
{
	return cli__now() * 1e9;
}

/* When the host was booted a loop over 1000 pages, and now one over 480: 100 frames more are of no
 * use to the first, and all that the second one needs. What was seen in all says nothing of the
 * kind. The window is shorter than any host has been up when tests run. */
static void changes_now(void **state)
{
	const struct past past = {.window.n = 10000000000ULL};
	__u64 sizes[2 + 8 * 20];
	struct watch_list l = {0};
	struct tracer_vm vm = vm_of(0, 77, "web");
	struct engine *e = new_engine();
	const struct vm_recent_opts opts = {
		.past = past,
		.sizes = sizes,
		.nr_sizes = size__grid(8, 20, sizes),
		.apply = apply_to,
		.ctx = e,
	};
	struct vm_recent *recent = vm_recent__new(&opts, e);
	struct watch *w = watch_list__add(&l, &vm, e);
	struct vm_counters c = {0};
	struct table_row all, now;

	assert_non_null(recent);
	w->recent = recent;
	watch__account(w, &vm, &c, 1);
	watch__row(w, e, 1, 1.0, &now);
	assert_true(isnan(now.change[0]));
	loop_until(recent, 1000, 10, 10000000);
	loop_until(recent, 480, 4, now_ns());
	watch__row(w, e, 1, 1.0, &now);
	w->recent = NULL;
	watch__row(w, e, 1, 1.0, &all);
	assert_true(all.change[0] > -0.3);
	assert_true(now.change[0] < -0.6);
	assert_true(now.change[2] <= now.change[0]);
	w->recent = recent;
	assert_int_equal(watch__end(w, e), 0);
	assert_int_equal(w->report->space[SPACE_DISK].past.window.n, past.window.n);
	assert_int_equal(w->report->space[SPACE_DISK].counts.fills, 11920);
	assert_true(w->report->space[SPACE_DISK].curve[0].accesses == 1920);
	assert_false(past__limited(&w->report->space[SPACE_MEM].past));
	watch_list__free(&l);
	vm_recent__free(recent);
	engine__free(e);
}

static void labels(void **state)
{
	struct tracer_vm a = vm_of(1, 10, "web"), b = vm_of(2, 20, "db"), c = vm_of(3, 30, "web");
	struct watch_list l = {0};
	struct engine *e = new_engine();
	struct watch *first = watch_list__add(&l, &a, e), *second = watch_list__add(&l, &b, e);
	char buf[WATCH_LABEL];

	assert_string_equal(watch_list__label(&l, first, buf), "web");
	watch_list__add(&l, &c, e);
	assert_string_equal(watch_list__label(&l, first, buf), "web:10");
	assert_string_equal(watch_list__label(&l, second, buf), "db");
	watch_list__free(&l);
	engine__free(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rates),  cmocka_unit_test(changes),
		cmocka_unit_test(memory), cmocka_unit_test(report_outlives),
		cmocka_unit_test(labels), cmocka_unit_test(changes_now),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
