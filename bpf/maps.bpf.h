/* SPDX-License-Identifier: GPL-2.0 */
/* The maps, and what every source asks of them. */
#ifndef HVTRACE_MAPS_BPF_H
#define HVTRACE_MAPS_BPF_H

/* Set by the loader. */
const volatile bool only_pids = false; /* do not notice VMs by their KVM events */
const volatile __u32 wakeup_bytes = 0; /* wake userspace when so much waits */

struct hv_shared shared;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* set by the loader: frame_buckets */
	__type(key, __u32);
	__type(value, struct hv_frame_bucket);
} frames SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* set by the loader: possible CPUs */
	__type(key, __u32);
	__type(value, struct hv_stage);
} stages SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, PE_MAX_VMS);
	__type(key, __u32);
	__type(value, struct vm_counters);
} counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PE_MAX_DISKS);
	__type(key, struct hv_image_key);
	__type(value, struct hv_image);
} images SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096); /* set by the loader */
} ring SEC(".maps");

/* A global function: the verifier checks it once, for any arguments, and not at
 * each place that calls it. Pointers may be NULL to it. */
#define __global __attribute__((noinline))

#define lost(what) __sync_fetch_and_add(&shared.what, 1)

static __always_inline bool sampled(__u64 page, __u64 space)
{
	return pe_lot(page, space) <= *(volatile __u64 *)&shared.threshold;
}

static __always_inline struct vm_counters *vm_counters__of(__u32 vm)
{
	return bpf_map_lookup_elem(&counters, &vm);
}

#endif
