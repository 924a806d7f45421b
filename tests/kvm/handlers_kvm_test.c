// SPDX-License-Identifier: GPL-2.0
/*
 * The programs for KVM, the host's paging and its page cache: who becomes a VM, what
 * memory it has, what leaves and comes back.
 *
 * Addresses of guest memory are the test's own: the programs look them up among
 * the current task's mappings.
 */
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../unit/skips.h"
#include "handlers.h"
#include "hvtrace.skel.h"

#define PAGES 64

/* ------------------------------------------------------------------ KVM */

static __u64 own_memory_of(int fd, __u64 offset)
{
	void *p = mmap(NULL, PAGES * PAGE_BYTES, PROT_READ | PROT_WRITE,
		       fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED, fd, offset);

	assert_ptr_not_equal(p, MAP_FAILED);
	return (__u64)p;
}

static __u64 own_memory(void)
{
	return own_memory_of(-1, 0);
}

static void give_back(__u64 hva)
{
	munmap((void *)hva, PAGES * PAGE_BYTES);
}

static __u64 fake_slot(struct handlers *h, __u64 base_gfn, __u64 npages, __u64 hva)
{
	__u64 slot = fake_kernel__make(h->kernel, "kvm_memory_slot", 1);

	fake_kernel__set(h->kernel, slot, "kvm_memory_slot", "base_gfn", base_gfn);
	fake_kernel__set(h->kernel, slot, "kvm_memory_slot", "npages", npages);
	fake_kernel__set(h->kernel, slot, "kvm_memory_slot", "userspace_addr", hva);
	return slot;
}

/* The guest frame gfn, of this slot, gets mapped. */
static void map_frame(struct handlers *h, __u64 slot, __u64 gfn)
{
	__u64 fault = fake_kernel__make(h->kernel, "kvm_page_fault", 1);

	fake_kernel__set(h->kernel, fault, "kvm_page_fault", "gfn", gfn);
	fake_kernel__set(h->kernel, fault, "kvm_page_fault", "slot", slot);
	handlers__run(h, "kvm_map_raw", fault, 0, 0);
	handlers__collect(h);
}

static void expect_slot(const struct handlers *h, int at, __u64 base_gfn, __u64 npages, __u64 hva,
			__u64 frame)
{
	const struct hv_kvm_slot *s = &h->shared->vms[VM].slots[at];

	assert_int_equal(s->base_gfn, base_gfn);
	assert_int_equal(s->npages, npages);
	assert_int_equal(s->hva, hva);
	assert_int_equal(s->frame, frame);
}

static void need_kvm(const struct handlers *h)
{
	if (!h->has_kvm)
		because("kvm is not loaded");
}

static void test_fault(void **state)
{
	struct handlers *h = *state;

	need_kvm(h);
	handlers__run(h, "kvm_fault_raw", 0, 0, 0);
	handlers__run(h, "kvm_fault_raw", 0, 0, 0);
	handlers__collect(h);
	expect_no_event(h);
	expect_counters(h, .kvm_faults = 2);
	assert_int_equal(h->shared->vms[VM].kvm, 1);
}

static void test_slot(void **state)
{
	struct handlers *h = *state;
	__u64 hva = own_memory(), slot;

	need_kvm(h);
	slot = fake_slot(h, 0x100, PAGES, hva);
	map_frame(h, slot, 0x100);
	map_frame(h, slot, 0x100 + PAGES - 1);
	expect_slot(h, 0, 0x100, PAGES, hva, hva / PAGE_BYTES);
	expect_slot(h, 1, 0, 0, 0, 0);
	expect_no_event(h); /* a first touch is no fill */
	expect_counters(h, .kvm_maps = 2);
	give_back(hva);
}

/* Frames of shared memory are pages of its file, wherever it is mapped from. */
static void test_slot_of_file(void **state)
{
	struct handlers *h = *state;
	int fd = memfd_create("guest", 0);
	__u64 hva;

	need_kvm(h);
	hva = own_memory_of(fd, 16 * PAGE_BYTES);
	map_frame(h, fake_slot(h, 0x100, 40, hva + 10 * PAGE_BYTES), 0x100);
	expect_slot(h, 0, 0x100, 40, hva + 10 * PAGE_BYTES, file_frame(1, 26));
	assert_int_equal(h->shared->vms[VM].nr_files, 1);
	give_back(hva);
	close(fd);
}

/* Memory moved or resized by the VMM: what a new slot overlaps is no more. */
static void test_slot_replaced(void **state)
{
	struct handlers *h = *state;
	__u64 hva = own_memory(), frame = hva / PAGE_BYTES;

	need_kvm(h);
	map_frame(h, fake_slot(h, 0x100, 16, hva), 0x100);
	map_frame(h, fake_slot(h, 0x110, 16, hva + 16 * PAGE_BYTES), 0x110);
	map_frame(h, fake_slot(h, 0x10f, 1, hva + 40 * PAGE_BYTES), 0x10f);
	expect_slot(h, 0, 0x10f, 1, hva + 40 * PAGE_BYTES, frame + 40);
	expect_slot(h, 1, 0x110, 16, hva + 16 * PAGE_BYTES, frame + 16);
	give_back(hva);
}

/* A fault without memory (MMIO), or beside the slot. */
static void test_no_frame(void **state)
{
	struct handlers *h = *state;
	__u64 hva = own_memory();

	need_kvm(h);
	map_frame(h, 0, 0x100);
	map_frame(h, fake_slot(h, 0x100, 16, hva), 0x110);
	map_frame(h, fake_slot(h, 0x100, 16, hva), 0xff);
	expect_no_event(h);
	expect_counters(h, .kvm_maps = 3);
	give_back(hva);
}

static void test_slots_full(void **state)
{
	struct handlers *h = *state;
	__u64 hva = own_memory();

	need_kvm(h);
	for (__u64 i = 0; i < PE_VM_SLOTS + 1; i++)
		map_frame(h, fake_slot(h, i, 1, hva + i * PAGE_BYTES), i);
	for (int i = 0; i < PE_VM_SLOTS; i++)
		expect_slot(h, i, i, 1, hva + i * PAGE_BYTES, hva / PAGE_BYTES + i);
	expect_counters(h, .kvm_maps = PE_VM_SLOTS + 1);
	give_back(hva);
}

/* --------------------------------------------------------------- unmaps */

/*
 * While a program is run by bpf(), that is the system call which the test is in, not
 * one that drops memory: then the frames keep what they hold, as they do when the
 * host migrates or write-protects them. Drops by madvise() need a real VM.
 */
static void test_unmap_by_others(void **state)
{
	struct handlers *h = *state;
	__u64 hva = own_memory(), frame = hva / PAGE_BYTES;

	need_kvm(h);
	map_frame(h, fake_slot(h, 0x100, PAGES, hva), 0x100);
	handlers__transfer(h, OP_READ, 10, fake_pages(h->kernel, FAKE_ANON, frame, 1), 1);
	h->n = 0;
	handlers__run(h, "kvm_unmap_raw", hva, hva + PAGES * PAGE_BYTES, 0);
	handlers__collect(h);
	expect_no_event(h);
	expect_counters(h, .fills = 1, .kvm_maps = 1, .ios = 1, .events = 1);
	assert_int_equal(handlers__held(h, VM, frame), 10);
	give_back(hva);
}

/* --------------------------------------------------------------- paging */

/* page->mapping of anonymous memory of a process that does not exist. */
static __u64 fake_owner(struct handlers *h, __u32 tgid, __u64 start)
{
	struct fake_kernel *k = h->kernel;
	__u64 av = fake_kernel__make(k, "anon_vma", 1), mm = fake_kernel__make(k, "mm_struct", 1);
	__u64 avc = fake_kernel__make(k, "anon_vma_chain", 1);
	__u64 vma = fake_kernel__make(k, "vm_area_struct", 1);
	__u64 task = fake_kernel__make(k, "task_struct", 1);
	__u64 node = avc + fake_kernel__offset(k, "anon_vma_chain", "rb");

	fake_kernel__set(k, av, "anon_vma", "rb_root.rb_root.rb_node", node);
	fake_kernel__set(k, avc, "anon_vma_chain", "vma", vma);
	fake_kernel__set(k, vma, "vm_area_struct", "vm_mm", mm);
	fake_kernel__set(k, mm, "mm_struct", "owner", task);
	fake_kernel__set(k, task, "task_struct", "tgid", tgid);
	fake_kernel__set(k, task, "task_struct", "group_leader", task);
	fake_kernel__set(k, task, "task_struct", "start_time", start);
	return av | 1;
}

static void page_out(struct handlers *h, __u64 folio)
{
	handlers__run(h, "write_folio_raw", folio, 0, 0);
	handlers__collect(h);
}

static struct page_event of_other(struct page_event e)
{
	e.vm = OTHER_VM;
	return e;
}

/* Reclaim is another process' doing: the page says whose it was. */
static void test_page_out(void **state)
{
	struct handlers *h = *state;
	__u64 owner = fake_owner(h, OTHER_TGID, OTHER_START);

	handlers__enter(h, OTHER_TGID, OTHER_START, OTHER_VM);
	page_out(h, fake_pages(h->kernel, owner, 0x7000, 1));
	page_out(h, fake_huge_page(h->kernel, owner, 0x8000, 4));
	expect_events(
		h, of_other(mem_event(PAGE_EVICT, 0x7000)), of_other(mem_event(PAGE_EVICT, 0x8000)),
		of_other(mem_event(PAGE_EVICT, 0x8001)), of_other(mem_event(PAGE_EVICT, 0x8002)),
		of_other(mem_event(PAGE_EVICT, 0x8003)));
	expect_counters(h, .fills = 0);
	handlers__expect_counters(h, OTHER_VM, &(struct vm_counters){.page_outs = 5, .events = 5});
}

static void test_page_out_of_nobody(void **state)
{
	struct handlers *h = *state;
	__u64 empty = fake_kernel__make(h->kernel, "anon_vma", 1) | 1;

	handlers__enter(h, OTHER_TGID, OTHER_START, OTHER_VM);
	page_out(h, fake_pages(h->kernel, empty, 0x7000, 1));
	page_out(h, fake_pages(h->kernel, fake_owner(h, OTHER_TGID + 1, OTHER_START), 0x7000, 1));
	/* The same pid, but an earlier process. */
	page_out(h, fake_pages(h->kernel, fake_owner(h, OTHER_TGID, OTHER_START - 1), 0x7000, 1));
	expect_no_event(h);
	expect_counters(h, .fills = 0);
	handlers__expect_counters(h, OTHER_VM, &(struct vm_counters){.page_outs = 0});
}

/* Out, and in again by the guest's next fault; once. */
static void test_way_back(void **state)
{
	struct handlers *h = *state;
	__u64 hva = own_memory(), frame = hva / PAGE_BYTES, slot, owner;

	need_kvm(h);
	slot = fake_slot(h, 0x100, PAGES, hva);
	map_frame(h, slot, 0x103); /* the start time of this process is known now */
	owner = fake_owner(h, getpid(), h->shared->index[handlers__index_of(getpid())].start);
	page_out(h, fake_pages(h->kernel, owner, frame + 3, 1));
	map_frame(h, slot, 0x102);
	map_frame(h, slot, 0x103);
	map_frame(h, slot, 0x103);
	expect_events(h, mem_event(PAGE_EVICT, frame + 3), mem_event(PAGE_FILL, frame + 3));
	expect_counters(h, .kvm_maps = 4, .page_outs = 1, .page_ins = 1, .events = 2);
	give_back(hva);
}

/* Paged out is not reused: the frame map knows both of a frame, apart. */
static void test_disk_page_stays(void **state)
{
	struct handlers *h = *state;
	__u64 owner, frame = 0x7000;

	handlers__transfer(h, OP_READ, 10, fake_pages(h->kernel, FAKE_ANON, frame, 1), 1);
	owner = fake_owner(h, getpid(), h->shared->index[handlers__index_of(getpid())].start);
	page_out(h, fake_pages(h->kernel, owner, frame, 1));
	assert_int_equal(handlers__held(h, VM, frame), 10);
	handlers__transfer(h, OP_READ, 11, fake_pages(h->kernel, FAKE_ANON, frame, 1), 1);
	expect_events(h, event(PAGE_FILL, 10, frame), mem_event(PAGE_EVICT, frame),
		      event(PAGE_EVICT, 10, frame), event(PAGE_FILL, 11, frame));
}

/* This thread, in reclaim, unmapped a page of the VM from the guest. */
static void unmapped(struct handlers *h, __u64 hva)
{
	__u64 thread = (__u64)getpid() << 32 | syscall(SYS_gettid);

	h->shared->unmapped[hv_hash32(thread) % HV_UNMAPPED] =
		(struct hv_unmapped){.thread = thread, .page = hva / PAGE_BYTES};
}

static void add_slot(struct handlers *h, __u16 vm, __u64 hva, __u64 npages, __u64 frame)
{
	h->shared->vms[vm].used = 1;
	h->shared->vms[vm].slots[3] =
		(struct hv_kvm_slot){.npages = npages, .hva = hva, .frame = frame};
}

/* A page of shared memory has left its file by the time it is written. */
static void test_shared_page_out(void **state)
{
	const __u64 hva = 0x7f0000000000;
	struct handlers *h = *state;

	add_slot(h, OTHER_VM, hva, 100, file_frame(2, 1000));
	unmapped(h, hva + 7 * PAGE_BYTES);
	page_out(h, fake_pages(h->kernel, 0, 1007, 1));
	expect_events(h, of_other(mem_event(PAGE_EVICT, file_frame(2, 1007))));
	/* One page is written for each that was unmapped. */
	page_out(h, fake_pages(h->kernel, 0, 1007, 1));
	expect_no_event(h);
	/* Amid a large folio. */
	unmapped(h, hva + 18 * PAGE_BYTES);
	page_out(h, fake_huge_page(h->kernel, 0, 1016, 4));
	expect_events(h, of_other(mem_event(PAGE_EVICT, file_frame(2, 1016))),
		      of_other(mem_event(PAGE_EVICT, file_frame(2, 1017))),
		      of_other(mem_event(PAGE_EVICT, file_frame(2, 1018))),
		      of_other(mem_event(PAGE_EVICT, file_frame(2, 1019))));
	handlers__expect_counters(h, OTHER_VM, &(struct vm_counters){.page_outs = 5, .events = 5});
}

/* Some other page of shared memory is written: not that index, or not of guest memory. */
static void test_shared_page_of_nobody(void **state)
{
	const __u64 hva = 0x7f0000000000;
	struct handlers *h = *state;

	add_slot(h, OTHER_VM, hva, 100, file_frame(2, 1000));
	page_out(h, fake_pages(h->kernel, 0, 1007, 1));
	unmapped(h, hva + 7 * PAGE_BYTES);
	page_out(h, fake_pages(h->kernel, 0, 1008, 1));
	unmapped(h, hva + 100 * PAGE_BYTES);
	page_out(h, fake_pages(h->kernel, 0, 1100, 1));
	/* Anonymous guest memory is never told of in this way. */
	add_slot(h, OTHER_VM, hva, 100, 1000);
	unmapped(h, hva + 7 * PAGE_BYTES);
	page_out(h, fake_pages(h->kernel, 0, 1007, 1));
	expect_no_event(h);
	handlers__expect_counters(h, OTHER_VM, &(struct vm_counters){.page_outs = 0});
}

/* ----------------------------------------------------------- page cache */

#define IMAGE_DEV (8 << 20 | 1)
#define IMAGE_DISK 44

static void add_image(struct handlers *h, __u64 dev, __u64 ino)
{
	struct hv_image_key key = {.dev = dev, .ino = ino};
	struct hv_image image = {.vm = VM, .disk = IMAGE_DISK};

	assert_int_equal(
		bpf_map_update_elem(bpf_map__fd(h->skel->maps.images), &key, &image, BPF_ANY), 0);
}

static void cache_change(struct handlers *h, const char *program, __u64 folio)
{
	handlers__run(h, program, folio, 0, 0);
	handlers__collect(h);
}

static struct page_event cached(enum page_event_kind kind, __u64 page)
{
	return flagged(event(kind, page, file_frame(HV_REGION_IMAGE, page)), PE_HOST_CACHE);
}

static void test_image(void **state)
{
	struct handlers *h = *state;
	__u64 file = fake_file(h->kernel, EXT4_MAGIC, IMAGE_DEV, 100), page;

	add_image(h, IMAGE_DEV, 100);
	page = fake_pages(h->kernel, file, 10, 1);
	cache_change(h, "cache_add_raw", page);
	cache_change(h, "cache_drop_raw", page);
	assert_int_equal(h->n, 2);
	assert_int_equal(h->events[0].page, pe_page(IMAGE_DISK, 10));
	expect_events(h, cached(PAGE_FILL, 10), cached(PAGE_EVICT, 10));
	expect_counters(h, .cache_adds = 1, .cache_drops = 1, .events = 2);
}

static void test_image_large_folio(void **state)
{
	struct handlers *h = *state;
	__u64 file = fake_file(h->kernel, EXT4_MAGIC, IMAGE_DEV, 100);

	add_image(h, IMAGE_DEV, 100);
	cache_change(h, "cache_add_raw", fake_huge_page(h->kernel, file, 32, 4));
	expect_events(h, cached(PAGE_FILL, 32), cached(PAGE_FILL, 33), cached(PAGE_FILL, 34),
		      cached(PAGE_FILL, 35));
	expect_counters(h, .cache_adds = 4, .events = 4);
}

/* A block device's pages belong to an inode of bdev's own file system. */
static void test_image_device(void **state)
{
	struct handlers *h = *state;
	__u64 device = fake_file(h->kernel, BDEV_MAGIC, IMAGE_DEV, 100);

	add_image(h, IMAGE_DEV, 0);
	cache_change(h, "cache_add_raw", fake_pages(h->kernel, device, 10, 1));
	expect_events(h, cached(PAGE_FILL, 10));
}

static void test_no_image(void **state)
{
	struct handlers *h = *state;
	struct fake_kernel *k = h->kernel;

	add_image(h, IMAGE_DEV, 100);
	cache_change(h, "cache_add_raw",
		     fake_pages(k, fake_file(k, EXT4_MAGIC, IMAGE_DEV, 101), 10, 1));
	cache_change(h, "cache_add_raw",
		     fake_pages(k, fake_file(k, EXT4_MAGIC, IMAGE_DEV + 1, 100), 10, 1));
	cache_change(h, "cache_add_raw",
		     fake_pages(k, fake_file(k, BDEV_MAGIC, IMAGE_DEV, 100), 10, 1));
	cache_change(h, "cache_add_raw", fake_pages(k, FAKE_ANON, 10, 1));
	cache_change(h, "cache_add_raw", fake_pages(k, 0, 10, 1));
	expect_no_event(h);
	expect_counters(h, .cache_adds = 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fresh(test_fault),
		fresh(test_slot),
		fresh(test_slot_of_file),
		fresh(test_slot_replaced),
		fresh(test_no_frame),
		fresh(test_slots_full),
		fresh(test_unmap_by_others),
		fresh(test_page_out),
		fresh(test_page_out_of_nobody),
		fresh(test_way_back),
		fresh(test_disk_page_stays),
		fresh(test_shared_page_out),
		fresh(test_shared_page_of_nobody),
		fresh(test_image),
		fresh(test_image_large_folio),
		fresh(test_image_device),
		fresh(test_no_image),
	};

	return skips__status(cmocka_run_group_tests(tests, handlers__up, handlers__down));
}
