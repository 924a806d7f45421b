// SPDX-License-Identifier: GPL-2.0
/*
 * The programs: each handler once, with a thin wrapper for tp_btf (plain loads
 * through BTF pointers) and one for raw_tp (the fallback, and what
 * BPF_PROG_TEST_RUN can call). Which of them load is the loader's choice.
 */
#include "kernel_types.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include "tables.h"
#include "core_fixes.bpf.h"
#include "maps.bpf.h"
#include "vm_table.bpf.h"
#include "frame_map.bpf.h"
#include "frames.bpf.h"
#include "events.bpf.h"
#include "block.bpf.h"
#include "kvm.bpf.h"
#include "paging.bpf.h"
#include "page_cache.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* ---------------------------------------------------------------- block */

SEC("tp_btf/block_bio_queue")
int BPF_PROG(bio_queue, struct bio *bio)
{
	return block__queue_btf(ctx, bio);
}

SEC("raw_tp/block_bio_queue")
int bio_queue_raw(struct bpf_raw_tracepoint_args *ctx)
{
	return block__queue_raw(ctx, (struct bio *)ctx->args[0]);
}

/* Only the address matters here, and a raw tracepoint has it as a plain number. */
SEC("raw_tp/block_bio_complete")
int bio_complete(struct bpf_raw_tracepoint_args *ctx)
{
	return block__complete(ctx->args[1]);
}

/* (rq, error, bytes); the error was an int before 5.16, a blk_status_t since: 0 is good. */
SEC("raw_tp/block_rq_complete")
int rq_complete(struct bpf_raw_tracepoint_args *ctx)
{
	return block__complete_rq((struct request *)ctx->args[0], (__u32)ctx->args[1],
				  ctx->args[2]);
}

/* ------------------------------------------------------------------ KVM */

SEC("tp_btf/kvm_page_fault")
int BPF_PROG(kvm_fault)
{
	return kvm__fault();
}

SEC("raw_tp/kvm_page_fault")
int kvm_fault_raw(struct bpf_raw_tracepoint_args *ctx)
{
	return kvm__fault();
}

SEC("tp_btf/kvm_mmu_spte_requested")
int BPF_PROG(kvm_map, struct kvm_page_fault *fault)
{
	return kvm__map(fault);
}

SEC("raw_tp/kvm_mmu_spte_requested")
int kvm_map_raw(struct bpf_raw_tracepoint_args *ctx)
{
	return kvm__map((struct kvm_page_fault *)ctx->args[0]);
}

SEC("tp_btf/kvm_unmap_hva_range")
int BPF_PROG(kvm_unmap, unsigned long start, unsigned long end)
{
	return kvm__unmap(start, end);
}

SEC("raw_tp/kvm_unmap_hva_range")
int kvm_unmap_raw(struct bpf_raw_tracepoint_args *ctx)
{
	return kvm__unmap(ctx->args[0], ctx->args[1]);
}

/* --------------------------------------------------------------- paging */

SEC("tp_btf/mm_vmscan_write_folio")
int BPF_PROG(write_folio, struct folio *folio)
{
	return paging__write((__u64)folio);
}

/* Before 5.18 (commit 49bd2bf9679f): a page, and the other name. */
SEC("tp_btf/mm_vmscan_writepage")
int BPF_PROG(writepage, struct page *page)
{
	return paging__write((__u64)page);
}

SEC("raw_tp/mm_vmscan_write_folio")
int write_folio_raw(struct bpf_raw_tracepoint_args *ctx)
{
	return paging__write(ctx->args[0]);
}

/* ----------------------------------------------------------- page cache */

SEC("tp_btf/mm_filemap_add_to_page_cache")
int BPF_PROG(cache_add, struct folio *folio)
{
	return cache__change((__u64)folio, true);
}

SEC("raw_tp/mm_filemap_add_to_page_cache")
int cache_add_raw(struct bpf_raw_tracepoint_args *ctx)
{
	return cache__change(ctx->args[0], true);
}

SEC("tp_btf/mm_filemap_delete_from_page_cache")
int BPF_PROG(cache_drop, struct folio *folio)
{
	return cache__change((__u64)folio, false);
}

SEC("raw_tp/mm_filemap_delete_from_page_cache")
int cache_drop_raw(struct bpf_raw_tracepoint_args *ctx)
{
	return cache__change(ctx->args[0], false);
}

/* ---------------------------------------------------------------- flush */

/* Run by userspace on a CPU whose stage holds events. Returns 1 when a program
 * was interrupted in the middle of writing: try again. */
SEC("raw_tp")
int flush(struct bpf_raw_tracepoint_args *ctx)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct hv_stage *s = bpf_map_lookup_elem(&stages, &cpu);

	if (!s)
		return 0;
	if (__sync_lock_test_and_set(&s->busy, 1))
		return 1;
	stage__flush(s);
	s->busy = 0;
	return 0;
}
