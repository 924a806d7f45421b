/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What tests of a live host need: devices that vanish with the test, VMs that are
 * processes of their own, and a tracer that collects what they lead to.
 *
 * Errors that are not what is tested end the test program with a message.
 */
#ifndef TESTS_KVM_HARNESS_H
#define TESTS_KVM_HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "../../loader/tracer.h"
#include "reference.h"
#include "vmm.h"

/* --- the host --- */

/* Ends the program with status 77 and the reason unless it is root and has KVM. */
void host__require_kvm(void);
/* What these two change is undone when the program ends, however it ends. They
 * return false, with the reason printed, where the host can't. */
bool host__add_swap(__u64 pages);
bool host__add_huge_pages(unsigned int nr);

/* A block device (loop, over memory) of 512-byte sectors whose page n begins with
 * the stamp n. Gone with the program, or when freed. */
struct disk;
struct disk *disk__new(__u64 pages);
void disk__free(struct disk *d);
const char *disk__path(const struct disk *d); /* "/dev/loop8" */
const char *disk__name(const struct disk *d); /* "loop8" */
/* The stamp that page n has now. */
__u64 disk__stamp(const struct disk *d, __u64 n);
/* From now on each write to it fails; reads go on. */
void disk__fail_writes(struct disk *d);

/* An image: a file of stamped pages in /var/tmp, for VMs
 * with a buffered disk. Nothing of it is in the page cache. Removed by free. */
struct image;
struct image *image__new(__u64 pages);
void image__free(struct image *i);
const char *image__path(const struct image *i);
/* Write the image out and drop its pages from the page cache. */
void image__drop_cache(const struct image *i);
/* cached[n] = 1 for each page n that is in the page cache. */
void image__cached(const struct image *i, unsigned char *cached);

/* --- VMs --- */

struct vm;
/* The guest is READY when this returns. */
struct vm *vm__start(const char *name, const struct vmm_opts *opts);
/* As vm__start, but NULL with *err where the VM could not be made. */
struct vm *vm__try_start(const char *name, const struct vmm_opts *opts, int *err);
/* Ends the VM and waits for its process. */
void vm__end(struct vm *vm);
/* SIGKILL; the process is waited for. Call vm__end as well. */
void vm__kill(struct vm *vm);
/* Run a script: post it, wait for its end. The latter returns what vmm__run did. */
void vm__post(struct vm *vm, const struct guest_script *script);
int vm__wait(struct vm *vm);
/* Readable when the script has ended. */
int vm__control_fd(const struct vm *vm);

pid_t vm__pid(const struct vm *vm);
__u64 vm__mem_pages(const struct vm *vm);
__u64 vm__own_pages(const struct vm *vm);
/* Index part of page_event.frame of a frame, and whether its region is 0. */
__u64 vm__frame_index(const struct vm *vm, __u64 frame);
bool vm__is_anonymous(const struct vm *vm);

/* --- tracing --- */

struct trace;
/* Sampling: all pages. opts: NULL, or what shall differ (sz, threshold, warn are set here). */
struct trace *trace__start(const struct tracer_opts *opts);
void trace__end(struct trace *t);
struct tracer *trace__tracer(struct trace *t);
/* Poll until the process is listed and return its VM id. */
__u16 trace__await(struct trace *t, pid_t pid);
/* The same for its end, as tracer_vm.ended tells it. */
void trace__await_end(struct trace *t, __u64 generation);
/* What the tracer lists of a VM that is listed now; NULL if it is not. */
const struct tracer_vm *trace__vm(struct trace *t, pid_t pid);
/* Run a script while events are collected, then collect those that are held back. */
int trace__run(struct trace *t, struct vm *vm, const struct guest_script *script);
void trace__collect(struct trace *t);
/* Forget the events so far. */
void trace__clear(struct trace *t);

const struct page_event *trace__events(const struct trace *t, size_t *n);
/* Pages (of ranges: all) in events of one VM. */
__u64 trace__count(const struct trace *t, __u16 vm, enum page_event_kind kind,
		   enum page_space space);
/* The i-th event of one VM and kind and space; NULL past the end. */
const struct page_event *trace__nth(const struct trace *t, __u16 vm, enum page_event_kind kind,
				    enum page_space space, size_t i);
struct vm_counters trace__counters(struct trace *t, __u16 vm);
/* Fails the test unless nothing was lost: ring, frame map, VM table. */
void trace__assert_no_loss(struct trace *t);
/* All collected events, to stderr: for a test that is about to fail. */
void trace__dump(const struct trace *t);

/* --- a tracer, a VM and its disk: what most tests begin with --- */

struct rig {
	struct disk *disk; /* NULL without one */
	struct trace *trace;
	struct vm *vm;
	__u16 id;		    /* page_event.vm */
	struct guest_script script; /* to be filled, then run */
};

/* disk_pages: 0 = as opts->disk says. The VM is listed, no event is kept of its start. */
void rig__up(struct rig *r, const struct vmm_opts *opts, __u64 disk_pages);
/* Checks that nothing was lost on the way. */
void rig__down(struct rig *r);
void rig__add(struct rig *r, struct guest_op op);
/* Run the script, which must succeed; it is empty again then. Events add up. */
void rig__run(struct rig *r);
__u64 rig__count(const struct rig *r, enum page_event_kind kind, enum page_space space);
/* The i-th event of a kind and space, which must exist, has this page number, frame and flags. */
void rig__expect(const struct rig *r, enum page_event_kind kind, enum page_space space, size_t i,
		 __u64 page, __u64 frame, unsigned int flags);
/* For a test that names no frame: PE_FRAME_NONE is expected in its place. */
#define NO_FRAME PE_FRAME_NONE

/* Page number without the disk's id. */
static inline __u64 page_number(const struct page_event *e)
{
	return e->page & ((1ULL << PE_DISK_SHIFT) - 1);
}

static inline __u64 frame_index(const struct page_event *e)
{
	return e->frame & ((1ULL << PE_FRAME_REGION_SHIFT) - 1);
}

static inline __u64 frame_region(const struct page_event *e)
{
	return e->frame >> PE_FRAME_REGION_SHIFT;
}

#endif
