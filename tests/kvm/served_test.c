// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that a VMM gives up, from its system call to the cache: the kernel tells of it where KVM
 * has the memory of a VM, and the server forgets what the frames held. VMM, server and front end
 * are this one process.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../loader/foreign.h"
#include "../unit/skips.h"
#include "../vhost/backend.h"
#include "../vhost/rig.h"

#define FRAMES 16

static struct rig rig;
static struct frontend f;
static struct foreign *foreign;
static __u64 memory;
static int kvm, vm;

static void on_written(void *ctx, __u16 id, __u64 page, __u64 count)
{
}

static void on_unmapped(void *ctx, pid_t vmm, __u64 hva, __u64 bytes)
{
	rig__unmapped(&rig, vmm, (void *)(uintptr_t)hva, bytes);
}

static void on_lost(void *ctx, __u64 n)
{
	fail_msg("%llu events were lost", n);
}

static const struct foreign_ops ops = {on_written, on_unmapped, on_lost, on_lost};

/* The guest's memory is a VM's. */
static void make_vm(void)
{
	const struct ram_region *r = &f.ram.region[0];
	struct kvm_userspace_memory_region slot = {.guest_phys_addr = r->gpa,
						   .memory_size = r->bytes,
						   .userspace_addr = (uintptr_t)r->base};

	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	assert_true(vm >= 0);
	assert_int_equal(ioctl(vm, KVM_SET_USER_MEMORY_REGION, &slot), 0);
}

static void *frame(unsigned i)
{
	return ram__at(&f.ram, memory + i * RAM_PAGE, RAM_PAGE);
}

/* Into frames from 0 on. */
static void read_pages(unsigned first, unsigned nr)
{
	for (unsigned i = 0; i < nr; i++) {
		assert_int_equal(frontend__rw(&f, 0, VIRTIO_BLK_T_IN, (first + i) * (__u64)RAM_PAGE,
					      memory + i * RAM_PAGE, RAM_PAGE),
				 0);
		assert_true(has_pattern(frame(i), first + i, 1));
	}
}

static void set_up(void)
{
	char why[256] = "";

	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (geteuid() || kvm < 0)
		because("needs root and /dev/kvm");
	rig = (struct rig){.audit = 1};
	rig__start(&rig);
	for (__u64 i = 0; i < 256; i++)
		put_pattern(rig.disk + i * RAM_PAGE, i, 1);
	assert_int_equal(msync(rig.disk, rig.bytes, MS_SYNC), 0);
	rig__open(&rig, &f, NULL);
	memory = ram__alloc(&f.ram, FRAMES * RAM_PAGE, RAM_PAGE);
	make_vm();
	if (foreign__new(&foreign, &ops, NULL, why, sizeof(why)) ||
	    foreign__add_vmm(foreign, getpid(), why, sizeof(why)))
		fail_msg("%s", why);
}

static void tear_down(void)
{
	foreign__free(foreign);
	close(vm);
	close(kvm);
	frontend__free(&f);
	rig__end(&rig);
}

/* As QEMU's balloon does. */
static void punch(unsigned first, unsigned nr)
{
	const struct ram_region *r = &f.ram.region[0];
	off_t at = r->offset + ((char *)frame(first) - r->base);

	assert_int_equal(fallocate(r->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at,
				   (off_t)nr * RAM_PAGE),
			 0);
}

static void expect_gone(unsigned n)
{
	foreign__poll(foreign);
	assert_int_equal(rig__disk(&rig).counts.gone, n);
	for (unsigned i = 0; i < 5000 && rig__disk(&rig).cache.resident != FRAMES - n; i++)
		usleep(1000);
	assert_int_equal(rig__disk(&rig).cache.resident, FRAMES - n);
}

static void test_given_up(void **state)
{
	struct served_counts c;

	set_up();
	read_pages(20, FRAMES);
	expect_gone(0);
	punch(4, 4);
	expect_gone(4);
	assert_int_equal(madvise(frame(10), 2 * RAM_PAGE, MADV_REMOVE), 0);
	expect_gone(6);
	/* What is left of the pages is captured, and only that. */
	read_pages(100, FRAMES);
	c = rig__disk(&rig).counts;
	assert_int_equal(c.capture[CAPTURED], FRAMES - 6);
	assert_int_equal(c.capture[CAPTURE_CHANGED], 0);
	read_pages(20, FRAMES);
	c = rig__disk(&rig).counts;
	assert_int_equal(c.hits, FRAMES - 6);
	assert_int_equal(c.audited, FRAMES - 6);
	assert_int_equal(c.audit_failed, 0);
	tear_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_given_up)};

	return skips__status(cmocka_run_group_tests(tests, NULL, NULL));
}
