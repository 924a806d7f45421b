// SPDX-License-Identifier: GPL-2.0
/* VMs beside each other, and VMs that end: none gets another's events. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "harness.h"

#define FRAMES 512
#define DISK_PAGES 1024

struct guest {
	struct disk *disk;
	struct vm *vm;
	__u16 id;
	__u64 generation;
};

static void guest__up(struct guest *g, struct trace *t, const char *name, enum vmm_memory memory)
{
	struct vmm_opts opts = {.sz = sizeof(opts), .memory = memory, .frames = FRAMES};

	g->disk = disk__new(DISK_PAGES);
	opts.disk = disk__path(g->disk);
	g->vm = vm__start(name, &opts);
	g->id = trace__await(t, vm__pid(g->vm));
	g->generation = trace__vm(t, vm__pid(g->vm))->generation;
}

static void guest__down(struct guest *g)
{
	vm__end(g->vm);
	disk__free(g->disk);
}

/* n reads of page `first` on, each round one frame further, so that every fill but the first of
 * each frame evicts. */
static void post_reads(struct guest *g, __u64 first, __u64 n, __u64 rounds)
{
	static struct guest_script script;

	script__init(&script);
	for (__u64 i = 0; i < rounds; i++)
		script__add(&script, (struct guest_op){OP_READ, 1, first + i, 0, n, 0});
	vm__post(g->vm, &script);
}

/* All events of a guest name its disk and a frame of its memory. */
static void check_events(struct trace *t, const struct guest *g, __u64 fills, __u64 evictions)
{
	const struct page_event *e;
	size_t n;

	assert_int_equal(trace__count(t, g->id, PAGE_FILL, SPACE_DISK), fills);
	assert_int_equal(trace__count(t, g->id, PAGE_EVICT, SPACE_DISK), evictions);
	e = trace__events(t, &n);
	for (const struct page_event *end = e + n; e < end; e++) {
		if (e->vm != g->id)
			continue;
		assert_string_equal(tracer__disk_name(trace__tracer(t), e->page >> PE_DISK_SHIFT),
				    disk__name(g->disk));
		assert_in_range(frame_index(e), vm__frame_index(g->vm, 0),
				vm__frame_index(g->vm, FRAMES - 1));
		assert_int_equal(!frame_region(e), vm__is_anonymous(g->vm));
	}
}

static void test_two_at_once(void **state)
{
	struct trace *t = trace__start(NULL);
	struct guest a, b;

	guest__up(&a, t, "alpha", VMM_MEMFD);
	guest__up(&b, t, "beta", VMM_MEMFD);
	assert_int_not_equal(a.id, b.id);
	assert_string_equal(trace__vm(t, vm__pid(a.vm))->name, "alpha");
	assert_string_equal(trace__vm(t, vm__pid(b.vm))->name, "beta");
	post_reads(&a, 0, 300, 4);
	post_reads(&b, 500, 200, 3);
	assert_int_equal(vm__wait(a.vm), 0);
	assert_int_equal(vm__wait(b.vm), 0);
	trace__collect(t);
	check_events(t, &a, 1200, 900);
	check_events(t, &b, 600, 400);
	assert_int_equal(trace__counters(t, a.id).fills, 1200);
	assert_int_equal(trace__counters(t, b.id).fills, 600);
	trace__assert_no_loss(t);
	guest__down(&a);
	guest__down(&b);
	trace__end(t);
}

/* One that is new has no less of its events, and is listed ahead of them: see the harness. */
static void test_busy_at_once(void **state)
{
	struct vmm_opts opts = {.sz = sizeof(opts), .memory = VMM_MEMFD, .frames = FRAMES};
	struct trace *t = trace__start(NULL);
	struct guest g = {.disk = disk__new(DISK_PAGES)};

	opts.disk = disk__path(g.disk);
	g.vm = vm__start("busy", &opts);
	post_reads(&g, 0, 300, 2);
	assert_int_equal(vm__wait(g.vm), 0);
	/* Until its events need not be held back for their order. */
	usleep(50000);
	g.id = trace__await(t, vm__pid(g.vm));
	check_events(t, &g, 600, 300);
	guest__down(&g);
	trace__end(t);
}

static void kill_in_the_middle(struct trace *t, struct guest *g)
{
	post_reads(g, 0, 500, 300);
	while (!trace__count(t, g->id, PAGE_FILL, SPACE_DISK))
		trace__collect(t);
	vm__kill(g->vm);
}

static void test_one_dies(void **state)
{
	struct trace *t = trace__start(NULL);
	struct guest a, b, c;
	__u64 of_b;

	guest__up(&a, t, "stays", VMM_ANON);
	guest__up(&b, t, "dies", VMM_MEMFD);
	post_reads(&a, 0, 300, 10);
	kill_in_the_middle(t, &b);
	trace__await_end(t, b.generation);
	assert_int_equal(vm__wait(a.vm), 0);
	trace__collect(t);
	check_events(t, &a, 3000, 2700);
	of_b = trace__count(t, b.id, PAGE_FILL, SPACE_DISK);
	assert_in_range(of_b, 1, 500 * 300 - 1);

	/* The end is told once; then the slot is another's, with nothing of the past. */
	trace__collect(t);
	trace__clear(t);
	guest__up(&c, t, "comes", VMM_MEMFD);
	assert_int_equal(c.id, b.id);
	assert_true(c.generation != b.generation);
	assert_int_equal(trace__counters(t, c.id).fills, 0);
	post_reads(&c, 0, 100, 2);
	assert_int_equal(vm__wait(c.vm), 0);
	trace__collect(t);
	check_events(t, &c, 200, 100);
	assert_string_equal(trace__vm(t, vm__pid(c.vm))->name, "comes");
	assert_int_equal(trace__counters(t, a.id).fills, 3000);
	trace__assert_no_loss(t);
	guest__down(&a);
	guest__down(&b);
	guest__down(&c);
	trace__end(t);
}

/* VMs that are gone before anybody could read who they were. */
static void test_gone_at_once(void **state)
{
	const struct vmm_opts opts = {.sz = sizeof(opts), .frames = 10};
	struct trace *t = trace__start(NULL);
	struct guest a;

	for (int i = 0; i < 30; i++) {
		vm__end(vm__start("brief", &opts));
		if (i % 10 == 9)
			trace__collect(t);
	}
	guest__up(&a, t, "stays", VMM_ANON);
	post_reads(&a, 0, 100, 2);
	assert_int_equal(vm__wait(a.vm), 0);
	trace__collect(t);
	trace__collect(t);
	check_events(t, &a, 200, 100);
	/* The ended ones are no longer listed: one VM is left. */
	assert_int_equal(tracer__nr_vms(trace__tracer(t)), 1);
	trace__assert_no_loss(t);
	guest__down(&a);
	trace__end(t);
}

/* -p of a process that is gone, or ends meanwhile, is no reason to fail for the others. */
static void test_pid_exits_at_once(void **state)
{
	struct tracer_opts opts = {.only_pids = true, .nr_pids = 1};
	struct trace *t;
	pid_t pid = fork();

	if (!pid) {
		usleep(300000);
		_exit(0);
	}
	opts.pids = &pid;
	t = trace__start(&opts);
	trace__await(t, pid);
	assert_int_equal(trace__vm(t, pid)->kvm, false);
	waitpid(pid, NULL, 0);
	trace__await_end(t, trace__vm(t, pid)->generation);
	trace__collect(t);
	trace__collect(t);
	assert_int_equal(tracer__nr_vms(trace__tracer(t)), 0);
	trace__end(t);
}

/* only_pids: nobody else is traced, KVM or not. */
static void test_only_pids(void **state)
{
	pid_t self = getpid();
	const struct tracer_opts opts = {.only_pids = true, .nr_pids = 1, .pids = &self};
	const struct vmm_opts vm_opts = {.sz = sizeof(vm_opts), .frames = 10};
	struct trace *t = trace__start(&opts);
	struct vm *vm = vm__start("other", &vm_opts);

	trace__await(t, self);
	trace__collect(t);
	assert_null(trace__vm(t, vm__pid(vm)));
	assert_int_equal(tracer__nr_vms(trace__tracer(t)), 1);
	vm__end(vm);
	trace__end(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_at_once),	  cmocka_unit_test(test_busy_at_once),
		cmocka_unit_test(test_one_dies),	  cmocka_unit_test(test_gone_at_once),
		cmocka_unit_test(test_pid_exits_at_once), cmocka_unit_test(test_only_pids),
	};

	host__require_kvm();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
