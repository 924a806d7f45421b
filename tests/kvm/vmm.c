// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/kvm.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "vmm.h"

#define HUGE_PAGE (2UL << 20)
#define PTES 512
#define PTE_PRESENT 0x1ULL
#define PTE_WRITE 0x2ULL
#define PTE_USER 0x4ULL
#define PTE_DIRTY 0x40ULL
#define TSS_IO_BITMAP_AT 102 /* where the TSS says where its bitmap is */
#define TSS_BYTES 104
#define MAX_CPUID 100
#define MAX_SEGS 1024

extern const char guest_image[], guest_image_end[];

struct vmm {
	int kvm_fd, vm_fd, vcpu_fd, memory_fd, disk_fd;
	struct vmm_opts opts;
	struct kvm_run *run;
	size_t run_bytes;

	/* Guest memory, by guest frame number: frames | own pages | TSS | page tables. */
	char *memory;
	size_t bytes;
	__u64 own_pages;
	__u64 own_gfn, tss_gfn, tables_gfn, tables_used;

	struct guest_mailbox *mailbox;
	struct guest_script *script;
	struct iovec iov[MAX_SEGS];

	__u64 pace, paced_since, paced_requests;
	volatile sig_atomic_t stop;
};

static void *page_at(const struct vmm *v, __u64 gfn)
{
	return v->memory + gfn * GUEST_PAGE;
}

/* --- guest memory --- */

static __u64 pages(__u64 bytes)
{
	return (bytes + GUEST_PAGE - 1) / GUEST_PAGE;
}

static __u64 tables_for(__u64 nr_pages)
{
	__u64 tables = (nr_pages + PTES - 1) / PTES;

	return tables + (tables + PTES - 1) / PTES;
}

/* Own pages and frames lie in different GiB, so have no page directory in common. */
__u64 vmm__table_pages(__u64 own_pages, __u64 nr_frames)
{
	return 2 + tables_for(own_pages) + tables_for(nr_frames);
}

/* The task state segment is there for its I/O bitmap alone, all zero: the guest may use every port.
 * With the I/O privilege level of 3 a CPU does not look at it, but a KVM that has no hardware
 * virtualisation runs the guest with a level of its own and then asks the bitmap. */
static __u64 tss_va(const struct vmm *v)
{
	return GUEST_OWN_VA + v->own_pages * GUEST_PAGE;
}

static void lay_out(struct vmm *v)
{
	__u64 heap = GUEST_HEAP_VA - GUEST_OWN_VA;

	v->own_pages = pages(heap) + v->opts.heap_pages;
	v->own_gfn = v->opts.frames;
	v->tss_gfn = v->own_gfn + v->own_pages;
	v->tables_gfn = v->tss_gfn + 1;
	v->bytes =
		(v->tables_gfn + vmm__table_pages(v->own_pages + 1, v->opts.frames)) * GUEST_PAGE;
	if (v->opts.memory == VMM_HUGETLB || v->opts.memory == VMM_THP)
		v->bytes = (v->bytes + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
}

/* Anonymous memory at a huge page's boundary. */
static int map_anonymous(struct vmm *v)
{
	size_t room = v->bytes + HUGE_PAGE;
	char *p = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t before;

	if (p == MAP_FAILED)
		return -errno;
	before = -(uintptr_t)p & (HUGE_PAGE - 1);
	if (before)
		munmap(p, before);
	munmap(p + before + v->bytes, room - before - v->bytes);
	v->memory = p + before;
	if (madvise(v->memory, v->bytes,
		    v->opts.memory == VMM_THP ? MADV_HUGEPAGE : MADV_NOHUGEPAGE))
		return -errno;
	return 0;
}

static int map_file(struct vmm *v)
{
	unsigned int flags = MFD_CLOEXEC | (v->opts.memory == VMM_HUGETLB ? MFD_HUGETLB : 0);
	void *p;

	v->memory_fd = memfd_create("guest", flags);
	if (v->memory_fd < 0 || ftruncate(v->memory_fd, v->bytes))
		return -errno;
	p = mmap(NULL, v->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, v->memory_fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	v->memory = p;
	return 0;
}

static int map_memory(struct vmm *v)
{
	const __u16 bitmap = TSS_BYTES;
	bool anonymous = v->opts.memory == VMM_ANON || v->opts.memory == VMM_THP;
	int err;

	lay_out(v);
	err = anonymous ? map_anonymous(v) : map_file(v);
	if (err)
		return err;
	if (v->opts.populate || v->opts.memory == VMM_THP)
		memset(v->memory, 0, v->bytes);
	v->mailbox = page_at(v, v->own_gfn + GUEST_CODE_PAGES);
	v->script = page_at(v, v->own_gfn + GUEST_CODE_PAGES + 1);
	memcpy(page_at(v, v->own_gfn), guest_image, guest_image_end - guest_image);
	memcpy((char *)page_at(v, v->tss_gfn) + TSS_IO_BITMAP_AT, &bitmap, sizeof(bitmap));
	v->mailbox->own_pages = v->own_pages;
	return 0;
}

/* Dirty from the start, so that a read maps a page for writing, too, and each page
 * faults once. Not accessed: KVM's shadow MMU maps neighbours of a faulting page
 * ahead when they are marked accessed (FNAME(prefetch_gpte) in mmu/paging_tmpl.h). */
static void map_page(struct vmm *v, __u64 va, __u64 gfn)
{
	__u64 *table = page_at(v, v->tables_gfn);

	for (int shift = 39; shift > 12; shift -= 9) {
		__u64 *entry = &table[va >> shift & (PTES - 1)];

		if (!*entry)
			*entry = (v->tables_gfn + v->tables_used++) * GUEST_PAGE | PTE_PRESENT |
				 PTE_WRITE | PTE_USER;
		table = page_at(v, *entry / GUEST_PAGE);
	}
	table[va >> 12 & (PTES - 1)] =
		gfn * GUEST_PAGE | PTE_PRESENT | PTE_WRITE | PTE_USER | PTE_DIRTY;
}

static void build_tables(struct vmm *v)
{
	v->tables_used = 1;
	for (__u64 i = 0; i < v->own_pages; i++)
		map_page(v, GUEST_OWN_VA + i * GUEST_PAGE, v->own_gfn + i);
	map_page(v, tss_va(v), v->tss_gfn);
	for (__u64 i = 0; i < v->opts.frames; i++)
		map_page(v, GUEST_FRAMES_VA + i * GUEST_PAGE, i);
}

/* --- the virtual machine --- */

static int create_vm(struct vmm *v)
{
	struct kvm_userspace_memory_region slot = {
		.memory_size = v->bytes,
		.userspace_addr = (uintptr_t)v->memory,
	};

	v->kvm_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (v->kvm_fd < 0)
		return -errno;
	v->vm_fd = ioctl(v->kvm_fd, KVM_CREATE_VM, 0);
	if (v->vm_fd < 0 || ioctl(v->vm_fd, KVM_SET_USER_MEMORY_REGION, &slot))
		return -errno;
	v->vcpu_fd = ioctl(v->vm_fd, KVM_CREATE_VCPU, 0);
	if (v->vcpu_fd < 0)
		return -errno;
	v->run_bytes = ioctl(v->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	v->run = mmap(NULL, v->run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, v->vcpu_fd, 0);
	if (v->run == MAP_FAILED) {
		v->run = NULL;
		return -errno;
	}
	return 0;
}

static int set_cpuid(struct vmm *v)
{
	struct kvm_cpuid2 *cpuid;
	int err = 0;

	cpuid = calloc(1, sizeof(*cpuid) + MAX_CPUID * sizeof(cpuid->entries[0]));
	if (!cpuid)
		return -ENOMEM;
	cpuid->nent = MAX_CPUID;
	if (ioctl(v->kvm_fd, KVM_GET_SUPPORTED_CPUID, cpuid) ||
	    ioctl(v->vcpu_fd, KVM_SET_CPUID2, cpuid))
		err = -errno;
	free(cpuid);
	return err;
}

/* 64-bit mode at CPL 3 from the first instruction: where KVM has no hardware
 * virtualisation it emulates kernel mode, and emulated code makes no page faults
 * of the guest's. No interrupts, no kernel: nothing ever leaves CPL 3. */
static int set_registers(struct vmm *v)
{
	struct kvm_segment data = {
		.limit = ~0U,
		.selector = 0x2b,
		.type = 3,
		.present = 1,
		.dpl = 3,
		.db = 1,
		.s = 1,
		.g = 1,
	};
	struct kvm_segment code = data, task;
	struct kvm_regs regs = {
		.rip = GUEST_OWN_VA,
		/* As after a call: the ABI wants rsp + 8 on a boundary of 16. */
		.rsp = GUEST_MAILBOX_VA + GUEST_PAGE - 8,
		.rflags = 2 | 3 << 12, /* I/O privilege level 3: ports are allowed */
	};
	struct kvm_sregs sregs;

	task = data;
	task.base = tss_va(v);
	task.limit = GUEST_PAGE - 1;
	task.selector = 0x40;
	task.type = 11;
	task.dpl = task.db = task.s = task.g = 0;
	code.selector = 0x33;
	code.type = 11;
	code.db = 0;
	code.l = 1;
	if (ioctl(v->vcpu_fd, KVM_GET_SREGS, &sregs))
		return -errno;
	sregs.cs = code;
	sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = data;
	sregs.tr = task;
	sregs.cr0 = 0x80010033; /* PG WP NE ET MP PE */
	sregs.cr3 = v->tables_gfn * GUEST_PAGE;
	sregs.cr4 = 0x20;   /* PAE */
	sregs.efer = 0xd01; /* NXE LMA LME SCE */
	if (ioctl(v->vcpu_fd, KVM_SET_SREGS, &sregs) || ioctl(v->vcpu_fd, KVM_SET_REGS, &regs))
		return -errno;
	return 0;
}

/* --- what the guest asks for --- */

static int transfer_vector(struct vmm *v, bool write, __u64 at, struct iovec *iov, int n)
{
	size_t want = 0;
	ssize_t done;

	for (int i = 0; i < n; i++)
		want += iov[i].iov_len;
	done = write ? pwritev(v->disk_fd, iov, n, at) : preadv(v->disk_fd, iov, n, at);
	if (done < 0)
		return -errno;
	return (size_t)done == want ? 0 : -EIO;
}

static int transfer_pages(struct vmm *v, bool write, const struct guest_op *op)
{
	v->iov[0].iov_base = page_at(v, op->frame);
	v->iov[0].iov_len = op->count * GUEST_PAGE;
	return transfer_vector(v, write, op->page * GUEST_PAGE, v->iov, 1);
}

static int transfer_segs(struct vmm *v, bool write, const struct guest_op *op)
{
	if (op->count > MAX_SEGS || op->frame + op->count > v->script->nr_segs)
		return -EINVAL;
	for (__u64 i = 0; i < op->count; i++) {
		const struct guest_seg *seg = &v->script->segs[op->frame + i];

		v->iov[i].iov_base = (char *)page_at(v, seg->frame) + seg->offset;
		v->iov[i].iov_len = seg->bytes;
	}
	return transfer_vector(v, write, op->page, v->iov, op->count);
}

static int discard(struct vmm *v, const struct guest_op *op)
{
	__u64 range[2] = {op->page * GUEST_PAGE, op->count * GUEST_PAGE};

	return ioctl(v->disk_fd, BLKDISCARD, range) ? -errno : 0;
}

static int drop(struct vmm *v, const struct guest_op *op)
{
	if (v->memory_fd >= 0)
		return fallocate(v->memory_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				 op->frame * GUEST_PAGE, op->count * GUEST_PAGE)
			       ? -errno
			       : 0;
	return madvise(page_at(v, op->frame), op->count * GUEST_PAGE, MADV_DONTNEED) ? -errno : 0;
}

/* Pages of a range that are mapped to memory now; -errno. */
static long mapped_pages(const struct vmm *v, __u64 gfn, __u64 count)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	__u64 entry, first = (uintptr_t)page_at(v, gfn) / GUEST_PAGE;
	long mapped = 0;

	if (fd < 0)
		return -errno;
	for (__u64 i = 0; i < count; i++) {
		if (pread(fd, &entry, sizeof(entry), (first + i) * sizeof(entry)) !=
		    sizeof(entry)) {
			mapped = -EIO;
			break;
		}
		mapped += entry >> 63;
	}
	close(fd);
	return mapped;
}

/* A page that was faulted in or used lately waits in a CPU's batch for its place on the LRU
 * lists. There it has one reference too many: reclaim does not see it, or unmaps it and then
 * does not write it. madvise() drains the batches of the CPU it runs on (lru_add_drain in
 * madvise_cold and madvise_pageout), so call it on each. */
static int on_each_cpu(void *at, size_t bytes, int advice)
{
	cpu_set_t all, one;
	int err = 0;

	if (sched_getaffinity(0, sizeof(all), &all))
		return -errno;
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &all))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		if (sched_setaffinity(0, sizeof(one), &one) || madvise(at, bytes, advice))
			err = -errno;
	}
	sched_setaffinity(0, sizeof(all), &all);
	return err;
}

static int page_out(struct vmm *v, const struct guest_op *op)
{
	void *at = page_at(v, op->frame);
	long left;
	int err;

	err = on_each_cpu(page_at(v, v->own_gfn), GUEST_PAGE, MADV_COLD);
	if (err)
		return err;
	if (madvise(at, op->count * GUEST_PAGE, MADV_PAGEOUT))
		return -errno;
	left = mapped_pages(v, op->frame, op->count);
	if (left < 0)
		return left;
	return left ? -EBUSY : 0;
}

static int serve(struct vmm *v, const struct guest_op *op)
{
	switch (op->kind) {
	case OP_READ:
	case OP_WRITE:
		return transfer_pages(v, op->kind == OP_WRITE, op);
	case OP_READV:
	case OP_WRITEV:
		return transfer_segs(v, op->kind == OP_WRITEV, op);
	case OP_DISCARD:
		return discard(v, op);
	case OP_FLUSH:
		return fdatasync(v->disk_fd) ? -errno : 0;
	case OP_PAGEOUT:
		return page_out(v, op);
	case OP_DROP:
		return drop(v, op);
	default:
		return -EINVAL;
	}
}

static __u64 now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

static void keep_pace(struct vmm *v)
{
	__u64 due, now = now_ns();
	struct timespec wait;

	if (!v->pace)
		return;
	due = v->paced_since + v->paced_requests++ * 1000000000ULL / v->pace;
	/* Shorter sleeps would cost more than they wait. */
	if (due < now + 1000000)
		return;
	wait.tv_sec = (due - now) / 1000000000;
	wait.tv_nsec = (due - now) % 1000000000;
	nanosleep(&wait, NULL);
}

/* Until the guest says READY, DONE or FAILED: returns which, or -errno. */
static int run_guest(struct vmm *v)
{
	for (;;) {
		struct guest_op *op = &v->mailbox->request;

		if (v->stop)
			return -EINTR;
		if (ioctl(v->vcpu_fd, KVM_RUN, 0)) {
			if (errno == EINTR || errno == EAGAIN)
				continue;
			return -errno;
		}
		if (v->run->exit_reason != KVM_EXIT_IO || v->run->io.port != GUEST_PORT)
			return -ENOEXEC;
		if (op->kind >= OP_READY)
			return op->kind;
		keep_pace(v);
		v->mailbox->result = serve(v, op);
	}
}

/* --- the object --- */

static int open_disk(struct vmm *v)
{
	if (!v->opts.disk)
		return 0;
	v->disk_fd = open(v->opts.disk, O_RDWR | O_CLOEXEC | (v->opts.buffered ? 0 : O_DIRECT));
	return v->disk_fd < 0 ? -errno : 0;
}

static int boot(struct vmm *v)
{
	int state = run_guest(v);

	if (state < 0)
		return state;
	return state == OP_READY ? 0 : -ENOEXEC;
}

struct vmm *vmm__new(const struct vmm_opts *opts, int *err)
{
	struct vmm *v;

	*err = -EINVAL;
	if (opts->sz != sizeof(*opts))
		return NULL;
	*err = -ENOMEM;
	v = calloc(1, sizeof(*v));
	if (!v)
		return NULL;
	v->opts = *opts;
	v->kvm_fd = v->vm_fd = v->vcpu_fd = v->memory_fd = v->disk_fd = -1;
	if ((*err = open_disk(v)) || (*err = map_memory(v)) || (*err = create_vm(v)) ||
	    (*err = set_cpuid(v)))
		goto fail;
	build_tables(v);
	if ((*err = set_registers(v)) || (*err = boot(v)))
		goto fail;
	return v;
fail:
	vmm__free(v);
	return NULL;
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

void vmm__free(struct vmm *v)
{
	if (!v)
		return;
	if (v->run)
		munmap(v->run, v->run_bytes);
	close_fd(v->vcpu_fd);
	close_fd(v->vm_fd);
	close_fd(v->kvm_fd);
	if (v->memory)
		munmap(v->memory, v->bytes);
	close_fd(v->memory_fd);
	close_fd(v->disk_fd);
	free(v);
}

int vmm__run(struct vmm *v, const struct guest_script *script)
{
	int state;

	memcpy(v->script, script, sizeof(*script));
	state = run_guest(v);
	if (state < 0)
		return state;
	return state == OP_DONE ? 0 : -EILSEQ;
}

void vmm__stop(struct vmm *v)
{
	v->stop = 1;
}

void vmm__set_pace(struct vmm *v, __u64 requests_per_second)
{
	v->pace = requests_per_second;
	v->paced_since = now_ns();
	v->paced_requests = 0;
}

const struct guest_mailbox *vmm__mailbox(const struct vmm *v)
{
	return v->mailbox;
}

__u64 vmm__mem_pages(const struct vmm *v)
{
	return v->bytes / GUEST_PAGE;
}

__u64 vmm__own_pages(const struct vmm *v)
{
	return v->own_pages;
}

void *vmm__base(const struct vmm *v)
{
	return v->memory;
}

/* --- scripts --- */

void script__init(struct guest_script *s)
{
	memset(s, 0, sizeof(*s));
}

void script__add(struct guest_script *s, struct guest_op op)
{
	if (s->nr_ops == GUEST_MAX_OPS) {
		fprintf(stderr, "a script has room for %d operations\n", GUEST_MAX_OPS);
		abort();
	}
	s->ops[s->nr_ops++] = op;
}

void script__add_vector(struct guest_script *s, enum guest_op_kind kind, __u64 disk_byte,
			const struct guest_seg *segs, size_t n)
{
	struct guest_op op = {.kind = kind, .page = disk_byte, .frame = s->nr_segs, .count = n};

	if (s->nr_segs + n > GUEST_MAX_SEGS) {
		fprintf(stderr, "a script has room for %d segments\n", GUEST_MAX_SEGS);
		abort();
	}
	memcpy(&s->segs[s->nr_segs], segs, n * sizeof(*segs));
	s->nr_segs += n;
	script__add(s, op);
}
