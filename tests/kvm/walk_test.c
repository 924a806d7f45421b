// SPDX-License-Identifier: GPL-2.0
/* KVM's faults: one for each frame that the guest touches first, and no other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "harness.h"

#define FRAMES 2000

static struct guest_script script;

static int walk(struct trace *t, struct vm *vm, enum guest_op_kind how, __u64 first, __u64 count,
		__u64 stride)
{
	script__init(&script);
	script__add(
		&script,
		(struct guest_op){.kind = how, .frame = first, .count = count, .stride = stride});
	return trace__run(t, vm, &script);
}

/* Under nested paging the page tables are memory that the guest touches, too. */
static __u64 expected_maps(struct vm *vm, const struct vm_counters *c, __u64 frames)
{
	__u64 tables = c->kvm_faults ? vmm__table_pages(vm__own_pages(vm), frames) : 0;

	return vm__own_pages(vm) + frames + tables;
}

static void check_maps(struct trace *t, struct vm *vm, __u16 id, __u64 frames)
{
	struct vm_counters c = trace__counters(t, id);

	assert_int_equal(c.kvm_maps, expected_maps(vm, &c, frames));
	if (c.kvm_faults)
		assert_int_equal(c.kvm_faults, c.kvm_maps);
}

static void check_walks(enum vmm_memory memory)
{
	const struct vmm_opts opts = {
		.sz = sizeof(opts), .memory = memory, .frames = FRAMES, .populate = true};
	struct trace *t = trace__start(NULL);
	struct vm *vm = vm__start("walker", &opts);
	__u16 id = trace__await(t, vm__pid(vm));

	check_maps(t, vm, id, 0);
	assert_int_equal(walk(t, vm, OP_TOUCH_WRITE, 0, 1, 1), 0);
	check_maps(t, vm, id, 1);
	assert_int_equal(walk(t, vm, OP_TOUCH_WRITE, 0, 64, 1), 0);
	check_maps(t, vm, id, 64);
	/* Every frame from the top down to 64, in three interleaved walks; reading is touching. */
	for (__u64 i = 0; i < 3; i++)
		assert_int_equal(walk(t, vm, OP_TOUCH_READ, 64 + i, (FRAMES - 64 - i + 2) / 3, 3),
				 0);
	check_maps(t, vm, id, FRAMES);
	/* What is mapped does not fault again. */
	assert_int_equal(walk(t, vm, OP_TOUCH_WRITE, 0, FRAMES, 1), 0);
	check_maps(t, vm, id, FRAMES);
	trace__assert_no_loss(t);
	vm__end(vm);
	trace__end(t);
}

static void test_anonymous(void **state)
{
	check_walks(VMM_ANON);
}

static void test_memfd(void **state)
{
	check_walks(VMM_MEMFD);
}

static void test_identity(void **state)
{
	const struct vmm_opts opts = {.sz = sizeof(opts), .frames = 10};
	struct trace *t = trace__start(NULL);
	struct vm *vm = vm__start("web-1", &opts);
	const struct tracer_vm *seen;

	trace__await(t, vm__pid(vm));
	seen = trace__vm(t, vm__pid(vm));
	assert_string_equal(seen->name, "web-1");
	assert_string_equal(seen->vmm, "kvm");
	assert_true(seen->kvm);
	assert_int_equal(seen->mem_pages, vm__mem_pages(vm));
	vm__end(vm);
	trace__end(t);
}

/* No page of a disk moved: a walk is none of the engine's business. */
static void test_no_events(void **state)
{
	const struct vmm_opts opts = {.sz = sizeof(opts), .frames = 100};
	struct trace *t = trace__start(NULL);
	struct vm *vm = vm__start("walker", &opts);
	size_t n;

	trace__await(t, vm__pid(vm));
	assert_int_equal(walk(t, vm, OP_TOUCH_WRITE, 0, 100, 1), 0);
	trace__events(t, &n);
	if (n)
		trace__dump(t);
	assert_int_equal(n, 0);
	vm__end(vm);
	trace__end(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_anonymous),
		cmocka_unit_test(test_memfd),
		cmocka_unit_test(test_identity),
		cmocka_unit_test(test_no_events),
	};

	host__require_kvm();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
