/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The BPF programs, loaded but attached to nothing: each runs when the test says
 * so (BPF_PROG_TEST_RUN), on structures of a fake kernel, and what it tells, counts
 * and remembers is compared with what it should.
 *
 * To the programs the current task is the test, so the test's own process is the
 * VM. The process stays on one CPU.
 */
#ifndef TESTS_KVM_HANDLERS_H
#define TESTS_KVM_HANDLERS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../bpf/tables.h"
#include "fake_kernel.h"

/* VM ids: of the test's process, and of one that does not exist. */
#define VM 5
#define OTHER_VM 9
#define OTHER_TGID 5000000 /* beyond the kernel's PID_MAX_LIMIT */
#define OTHER_START 12345

#define DISK_MAJOR 8
#define DISK_MINOR 16

enum { OP_READ = 0, OP_WRITE = 1, OP_FLUSH = 2, OP_DISCARD = 3 };
enum { OP_SECURE_ERASE = 5, OP_WRITE_ZEROES = 9, OP_ZONE_RESET = 13 };

#define MAX_EVENTS 16384
#define NR_BUCKETS 1024 /* of the frame map, unless the options say else */
#define MAX_FRAMES (NR_BUCKETS * HV_FRAME_WAY)
#define RING_BYTES (64U << 10)

struct hvtrace_bpf;
struct ring_buffer;

/* What differs from the programs' usual settings. */
struct handlers_opts {
	bool only_pids;
	bool hugetlb_index_scaled;
	size_t nr_buckets; /* a power of two; 0: NR_BUCKETS */
};

struct handlers {
	struct hvtrace_bpf *skel;
	struct fake_kernel *kernel;
	struct hv_shared *shared;
	struct hv_frame_bucket *frames;
	size_t nr_buckets;
	struct hv_stage *stages;
	struct ring_buffer *ring;
	int cpu, nr_cpus;
	bool has_kvm; /* kvm is there, so are the programs for it */
	__u64 disk;   /* a block device of the fake kernel: DISK_MAJOR:DISK_MINOR */
	__u64 since;  /* ns: no event is older */

	/* What came since handlers__reset() or the last expectation. */
	struct page_event events[MAX_EVENTS];
	size_t n;
	size_t records;
};

/* Ends the test program where the host is not fit for it, with 77 unless run by root. */
struct handlers *handlers__new(const struct handlers_opts *opts);
void handlers__free(struct handlers *h);
/* All tables empty, every page sampled, the test's process entered as VM. */
void handlers__reset(struct handlers *h);

/* For cmocka: new with default options, free, reset. */
int handlers__up(void **state);
int handlers__down(void **state);
int handlers__again(void **state);
/* A test that begins with everything reset. */
#define fresh(f) cmocka_unit_test_setup(f, handlers__again)

/* Enter a process in the VM table as the tracer does; start 0 = any. */
void handlers__enter(struct handlers *h, __u32 tgid, __u64 start, __u16 vm);
/* Position of a process in the VM index if there is no other. */
__u32 handlers__index_of(__u32 tgid);

/* Run a program with a tracepoint's arguments; returns what it does. */
int handlers__run(struct handlers *h, const char *program, __u64 a, __u64 b, __u64 c);
/* Fetch what is in the ring buffer; the latter does not ask for what waits outside it. */
void handlers__collect(struct handlers *h);
void handlers__consume(struct handlers *h);

/* Run block_bio_queue's program and collect. */
void handlers__queue(struct handlers *h, __u64 bio);
/* The same with a bio of n whole pages of memory from the disk's page on; returns the bio. */
__u64 handlers__transfer(struct handlers *h, __u32 op, __u64 page, __u64 memory, size_t n);

/* --- what came of it --- */

/* The disk's id in its table, which must have it. */
__u64 handlers__disk_id(const struct handlers *h);
/* The i-th slot of the frame map's nr_buckets * HV_FRAME_WAY. */
static inline const struct hv_frame_slot *handlers__slot(const struct handlers *h, size_t i)
{
	return &h->frames[i / HV_FRAME_WAY].slot[i % HV_FRAME_WAY];
}

/* Disk page (without the disk's id) that the frame map knows in a frame, or NOTHING. */
#define NOTHING (~0ULL)
__u64 handlers__held(const struct handlers *h, __u16 vm, __u64 frame);
/* Bios whose completion is waited for. */
__u64 handlers__waiting(const struct handlers *h);
struct vm_counters handlers__counters(const struct handlers *h, __u16 vm);

/* Fails the test unless exactly these counters are what a VM has (latency apart). */
void handlers__expect_counters(const struct handlers *h, __u16 vm, const struct vm_counters *want);
#define expect_counters(h, ...)                                                                    \
	handlers__expect_counters(h, VM, &(const struct vm_counters){__VA_ARGS__})

/* Fails the test unless exactly these events came, in this order; then forgets them.
 * Times must be of the time since the last reset, and not fall. Pages of the disk are
 * given without its id. */
void handlers__expect(struct handlers *h, const struct page_event *want, size_t n);
#define expect_events(h, ...)                                                                      \
	do {                                                                                       \
		const struct page_event want_[] = {__VA_ARGS__};                                   \
		handlers__expect(h, want_, sizeof(want_) / sizeof(want_[0]));                      \
	} while (0)
#define expect_no_event(h) handlers__expect(h, NULL, 0)

static inline struct page_event event(enum page_event_kind kind, __u64 page, __u64 frame)
{
	return (struct page_event){
		.page = page, .frame = frame, .count = 1, .vm = VM, .kind = kind};
}

static inline struct page_event flagged(struct page_event e, unsigned int flags)
{
	e.flags = flags;
	return e;
}

static inline struct page_event discarded(__u64 page, __u32 count)
{
	struct page_event e = event(PAGE_DISCARD, page, PE_FRAME_NONE);

	e.count = count;
	return e;
}

static inline struct page_event mem_event(enum page_event_kind kind, __u64 frame)
{
	struct page_event e = event(kind, frame, frame);

	e.space = SPACE_MEM;
	return e;
}

/* Frame in a file (region from 1 on). */
static inline __u64 file_frame(__u64 region, __u64 index)
{
	return region << PE_FRAME_REGION_SHIFT | index;
}

#endif
