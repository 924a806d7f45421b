/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The block layer: what a VM's process reads and writes, page by page.
 *
 * With direct I/O the pages of a bio are guest memory, so each page read is a
 * fill of a known frame, and the frame map tells which page the frame held
 * before: that one is evicted.
 */
#ifndef HVTRACE_BLOCK_BPF_H
#define HVTRACE_BLOCK_BPF_H

enum {
	OP_READ = 0, /* enum req_op of blk_types.h: the same values since 4.8 */
	OP_WRITE = 1,
	OP_DISCARD = 3,
	OP_SECURE_ERASE = 5,
	OP_WRITE_ZEROES = 9,
	OP_MASK = 0xff,
	SECTOR_SHIFT = 9,
	MAX_CHUNKS = 1 << 20,
};

/* A bio as both kinds of program see it. */
struct bio_view {
	void *ctx; /* the tracepoint's: its first word is the bio's address, as a plain number */
	__u64 vec; /* first bio_vec to be done */
	__u64 pos; /* on the disk, bytes */
	__u32 size;
	__u32 done; /* bytes of the first bio_vec already done */
	__u32 opf;
	__u32 dev;
};

static __always_inline __u32 dev__make(int major, int minor)
{
	return (__u32)major << 20 | minor;
}

/* Slot of a disk in the disk table, entered at first sight; or negative. */
__global int disk__id(__u32 dev)
{
	__u64 key = HV_DISK_USED | dev;
	__u32 at = hv_hash32(key);

	for (int i = 0; i < HV_PROBES; i++) {
		__u32 id = (at + i) % PE_MAX_DISKS;
		__u64 was = shared.disks[id].key;

		if (!was)
			was = __sync_val_compare_and_swap(&shared.disks[id].key, 0, key);
		if (!was || was == key)
			return id;
	}
	return -1;
}

/* ------------------------------------------------------------- the walk */

/* The position in a bio, in memory and on the disk, and what was met so far.
 * Steps go over chunks that lie in one page of memory and one page of disk. */
struct walk {
	__u64 vec;
	__u64 seg_page; /* struct page of the segment's rest */
	__u64 pos;
	__u64 time;
	__u64 disk; /* pe_page(disk, 0) */
	__u32 seg_off;
	__u32 seg_left;
	__u32 skip; /* bytes of the next segment to leave out */
	__u32 left;
	__u32 cover; /* bytes of the disk page met in earlier chunks */
	__u32 vm;
	__u32 write;
	__u32 fills, evictions, frameless, partials, events, other;
	__u32 sampled;
};

static __always_inline bool walk__load_segment(struct walk *w)
{
	struct bio_vec seg;

	if (bpf_probe_read_kernel(&seg, sizeof(seg), (void *)w->vec))
		return false;
	w->vec += sizeof(seg);
	w->seg_off = seg.bv_offset + w->skip;
	w->seg_left = seg.bv_len - w->skip;
	w->seg_page = (__u64)seg.bv_page +
		      (__u64)(w->seg_off >> PAGE_SHIFT_4K) * bpf_core_type_size(struct page);
	w->seg_off &= PAGE_BYTES - 1;
	w->skip = 0;
	return w->seg_left;
}

static __always_inline __u64 walk__now(struct walk *w)
{
	if (!w->time)
		w->time = bpf_ktime_get_ns();
	return w->time;
}

static __always_inline __u64 frame_key(__u32 vm, __u64 frame)
{
	return (__u64)vm << 48 | (frame & HV_FRAME_MASK);
}

/* The frame holds `value` (1 + page, or 0) from now on. True, with the event to
 * send, if a sampled page is evicted by that. */
static __always_inline bool walk__hold(struct walk *w, __u64 frame, __u64 value,
				       struct page_event *evicted)
{
	__u64 old = frame__swap(frame_key(w->vm, frame), value);

	if (!old || old == value || !sampled(old - 1, SPACE_DISK))
		return false;
	w->evictions++;
	w->events++;
	*evicted = (struct page_event){
		.time = walk__now(w),
		.page = old - 1,
		.frame = frame,
		.count = 1,
		.vm = w->vm,
		.kind = PAGE_EVICT,
	};
	return true;
}

/* One disk page is done: count it and, if sampled, tell of it. */
static __always_inline void walk__page(struct walk *w, __u64 page, __u64 frame, __u8 flags)
{
	bool take = sampled(page, SPACE_DISK), evicts = false;
	struct page_event evicted, done;

	w->fills++;
	w->frameless += frame == PE_FRAME_NONE;
	w->partials += !!(flags & PE_PARTIAL);
	if (frame != PE_FRAME_NONE)
		evicts = walk__hold(w, frame, take ? page + 1 : 0, &evicted);
	if (!take) {
		if (evicts)
			event__send(&evicted, NULL);
		return;
	}
	w->sampled++;
	w->events++;
	done = (struct page_event){
		.time = walk__now(w),
		.page = page,
		.frame = frame,
		.count = 1,
		.vm = w->vm,
		.kind = w->write ? PAGE_WRITEBACK : PAGE_FILL,
		.flags = flags,
	};
	if (evicts)
		event__send(&evicted, &done);
	else
		event__send(&done, NULL);
}

/* A chunk that is less than a page: the page has no frame of its own, and a
 * frame that is partly read into no longer holds what it held. */
static __always_inline void walk__part(struct walk *w, __u64 page, __u64 frame, __u32 chunk,
				       bool page_ends)
{
	struct page_event evicted;

	w->cover += chunk;
	if (!w->write && frame != PE_FRAME_NONE && walk__hold(w, frame, 0, &evicted))
		event__send(&evicted, NULL);
	if (!page_ends && w->left != chunk)
		return;
	walk__page(w, page, PE_FRAME_NONE, w->cover == PAGE_BYTES ? 0 : PE_PARTIAL);
	w->cover = 0;
}

static __always_inline __u32 min32(__u32 a, __u32 b)
{
	return a < b ? a : b;
}

/* One chunk. 1 when the bio is done. */
static __always_inline int walk__step(struct walk *w)
{
	__u32 chunk, in_page;
	__u64 page, frame;
	bool other;

	if (!w->left || (!w->seg_left && !walk__load_segment(w)))
		return 1;
	in_page = PAGE_BYTES - (w->pos & (PAGE_BYTES - 1));
	chunk = min32(min32(in_page, PAGE_BYTES - w->seg_off), min32(w->seg_left, w->left));
	page = w->disk | (w->pos >> PAGE_SHIFT_4K & HV_FRAME_MASK);
	frame = page__frame(w->vm, w->seg_page, &other);
	if (other) {
		w->other++;
		w->cover = 0;
	} else if (chunk == PAGE_BYTES) {
		walk__page(w, page, frame, 0);
	} else {
		walk__part(w, page, frame, chunk, chunk == in_page);
	}
	w->pos += chunk;
	w->left -= chunk;
	w->seg_left -= chunk;
	w->seg_off += chunk;
	if (w->seg_off == PAGE_BYTES) {
		w->seg_off = 0;
		w->seg_page += bpf_core_type_size(struct page);
	}
	return !w->left;
}

__global int walk__next(struct walk *w)
{
	return w ? walk__step(w) : 1;
}

static long walk__loop(__u32 i, void *ctx)
{
	return walk__next(ctx) != 0;
}

/* -------------------------------------------------------------- latency */

static __always_inline __u32 inflight_set(__u64 bio)
{
	return hv_hash32(bio) % HV_INFLIGHT;
}

static __always_inline __u64 *inflight_waiting(__u32 set)
{
	return &shared.waiting[set % HV_WAITING].bios;
}

/* Remember a bio until it completes: for its latency, and its pages if it fails. */
static __always_inline void inflight__enter(const struct bio_view *b, struct walk *w, __u64 page,
					    __u32 count, bool timed)
{
	struct hv_inflight *set, *f, *oldest, *into = NULL;
	__u64 bio = 0;
	__u32 at;

	bpf_probe_read_kernel(&bio, sizeof(bio), b->ctx);
	at = inflight_set(bio);
	set = shared.inflight[at];
	oldest = set;
	for (int i = 0; i < HV_INFLIGHT_WAY; i++) {
		f = &set[i];
		/* The same address again: its last completion was not seen. */
		if (!f->bio || f->bio == bio)
			into = f;
		if (f->bio == bio)
			break;
		if (f->start < oldest->start)
			oldest = f;
	}
	if (!into || into->bio)
		lost(lost_latency);
	else
		__sync_fetch_and_add(inflight_waiting(at), 1);
	f = into ? into : oldest;
	f->bio = bio;
	f->start = walk__now(w);
	f->page = page;
	f->count = count;
	f->vm = w->vm;
	f->write = w->write;
	f->timed = timed;
}

static __always_inline __u32 log2_u64(__u64 v)
{
	__u32 r, shift;

	r = (v > 0xffffffffULL) << 5;
	v >>= r;
	shift = (v > 0xffff) << 4;
	v >>= shift;
	r |= shift;
	shift = (v > 0xff) << 3;
	v >>= shift;
	r |= shift;
	shift = (v > 0xf) << 2;
	v >>= shift;
	r |= shift;
	shift = (v > 0x3) << 1;
	v >>= shift;
	r |= shift;
	return r | v >> 1;
}

/* The inverse of pe_latency_low(). */
static __always_inline __u32 latency_bucket(__u64 ns)
{
	__u32 bucket, l;

	if (ns < 1ULL << PE_LATENCY_MIN_SHIFT)
		return 0;
	l = log2_u64(ns);
	bucket = (l - PE_LATENCY_MIN_SHIFT) * 4 + (ns >> (l - 2) & 3);
	return bucket < PE_LATENCY_BUCKETS ? bucket : PE_LATENCY_BUCKETS - 1;
}

static __always_inline void inflight__finish(const struct hv_inflight *f, bool failed)
{
	struct vm_counters *c = vm_counters__of(f->vm);
	__u64 now = bpf_ktime_get_ns();

	if (!c)
		return;
	if (failed) {
		c->io_errors++;
		c->events++;
		event__send(
			&(struct page_event){
				.time = now,
				.page = f->page,
				.frame = PE_FRAME_NONE,
				.count = f->count,
				.vm = f->vm,
				.kind = PAGE_DISCARD,
			},
			NULL);
	}
	if (f->timed)
		c->latency[f->write & 1][latency_bucket(now - f->start)]++;
}

static __always_inline void inflight__complete(__u64 bio, bool failed)
{
	__u32 set = inflight_set(bio);

	if (!*(volatile __u64 *)inflight_waiting(set))
		return;
	for (int i = 0; i < HV_INFLIGHT_WAY; i++) {
		struct hv_inflight *f = &shared.inflight[set][i];
		struct hv_inflight done;

		if (f->bio != bio)
			continue;
		done = *f;
		f->bio = 0;
		__sync_fetch_and_sub(inflight_waiting(set), 1);
		inflight__finish(&done, failed);
		return;
	}
}

/* Devices without requests (zram, dm): bio_endio() tells. */
static __always_inline int block__complete(__u64 bio)
{
	inflight__complete(bio, BPF_CORE_READ((struct bio *)bio, bi_status));
	return 0;
}

struct rq_walk {
	__u64 bio;
	__u32 left; /* bytes completed of this and later bios */
	bool failed;
};

static long rq__bio(__u32 i, void *ctx)
{
	struct rq_walk *w = ctx;
	struct bio *bio = (struct bio *)w->bio;
	__u32 size;

	if (!bio)
		return 1;
	size = BPF_CORE_READ(bio, bi_iter.bi_size);
	if (size > w->left)
		return 1;
	w->left -= size;
	w->bio = (__u64)BPF_CORE_READ(bio, bi_next);
	inflight__complete((__u64)bio, w->failed);
	return 0;
}

/* Devices with requests: blk_update_request() tells of the request, ahead of its
 * bios, and clears their BIO_TRACE_COMPLETION: they get no block_bio_complete. */
static __always_inline int block__complete_rq(struct request *rq, bool failed, __u32 bytes)
{
	struct rq_walk w = {.left = bytes, .failed = failed};

	w.bio = (__u64)BPF_CORE_READ(rq, bio);
	if (!rq__bio(0, &w) && w.bio)
		bpf_loop(MAX_CHUNKS, rq__bio, &w, 0);
	return 0;
}

/* ------------------------------------------------------------- the bios */

static __always_inline int block__discard(struct bio_view *b, __u32 vm, __u64 disk)
{
	struct vm_counters *c = vm_counters__of(vm);
	/* Whole pages only: the ends of an unaligned discard keep what they hold. */
	__u64 first, last;

	if (!c)
		return 0;
	first = (b->pos + PAGE_BYTES - 1) >> PAGE_SHIFT_4K;
	last = (b->pos + b->size) >> PAGE_SHIFT_4K;
	c->ios++;
	if (last <= first)
		return 0;
	c->discards += last - first;
	c->events++;
	event__send(
		&(struct page_event){
			.time = bpf_ktime_get_ns(),
			.page = pe_page(disk, first & HV_FRAME_MASK),
			.frame = PE_FRAME_NONE,
			.count = last - first,
			.vm = vm,
			.kind = PAGE_DISCARD,
		},
		NULL);
	return 0;
}

static __always_inline void walk__count(const struct walk *w, struct vm_counters *c)
{
	if (w->write)
		c->writebacks += w->fills;
	else
		c->fills += w->fills;
	c->ios++;
	c->evictions += w->evictions;
	c->frameless += w->frameless;
	c->partials += w->partials;
	c->events += w->events;
}

static __always_inline int block__transfer(struct bio_view *b, __u32 vm, __u64 disk)
{
	struct walk w = {
		.vec = b->vec,
		.skip = b->done,
		.pos = b->pos,
		.left = b->size,
		.disk = pe_page(disk, 0),
		.vm = vm,
		.write = (b->opf & OP_MASK) == OP_WRITE,
	};
	struct vm_counters *c = vm_counters__of(vm);
	__u64 first = w.disk | (b->pos >> PAGE_SHIFT_4K & HV_FRAME_MASK);
	__u32 count = (b->pos % PAGE_BYTES + b->size + PAGE_BYTES - 1) >> PAGE_SHIFT_4K;
	bool timed;

	/* A bio of one page, the usual one of a random load, needs no loop. */
	if (!walk__step(&w))
		bpf_loop(MAX_CHUNKS, walk__loop, &w, 0);
	if (w.left)
		lost(truncated);
	if (w.other && !w.fills)
		return 0; /* page cache or swap: not the VM's own I/O */
	if (c)
		walk__count(&w, c);
	/* A bio is timed for its first page, so that long ones are not timed more often. */
	timed = w.fills == 1 ? w.sampled : sampled(first, SPACE_DISK);
	if (timed || w.sampled)
		inflight__enter(b, &w, first, count, timed);
	return 0;
}

static __always_inline int block__queue(struct bio_view *b, __u32 vm)
{
	__u32 op = b->opf & OP_MASK;
	int disk;

	if (!b->size || opf__is_swap(b->opf))
		return 0;
	disk = disk__id(b->dev);
	if (disk < 0)
		return 0;
	if (op == OP_READ || op == OP_WRITE)
		return block__transfer(b, vm, disk);
	if (op == OP_DISCARD || op == OP_SECURE_ERASE || op == OP_WRITE_ZEROES)
		return block__discard(b, vm, disk);
	return 0;
}

/* The VM that submits from outside the block layer, or negative. Bios that
 * stacked devices (dm, md) make of a bio come while current->bio_list is set. */
static __always_inline int block__submitter(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	int vm = vm__current(task);

	return vm >= 0 && task->bio_list ? -1 : vm;
}

/* By BTF pointer: plain loads. */
static __always_inline int block__queue_btf(void *ctx, struct bio *bio)
{
	struct bio_view b = {};
	int vm = block__submitter();

	if (vm < 0)
		return 0;
	b.ctx = ctx;
	b.vec = (__u64)bio->bi_io_vec + (__u64)bio->bi_iter.bi_idx * sizeof(struct bio_vec);
	b.pos = bio->bi_iter.bi_sector << SECTOR_SHIFT;
	b.size = bio->bi_iter.bi_size;
	b.done = bio->bi_iter.bi_bvec_done;
	b.opf = bio->bi_opf;
	b.dev = dev__make(bio->bi_bdev->bd_disk->major, bio->bi_bdev->bd_disk->first_minor);
	return block__queue(&b, vm);
}

/* By address: for raw tracepoints and tests. */
static __always_inline int block__queue_raw(void *ctx, struct bio *bio)
{
	struct bio_view b = {};
	struct gendisk *disk;
	int vm = block__submitter();

	if (vm < 0)
		return 0;
	disk = BPF_CORE_READ(bio, bi_bdev, bd_disk);
	b.ctx = ctx;
	b.vec = (__u64)BPF_CORE_READ(bio, bi_io_vec) +
		(__u64)BPF_CORE_READ(bio, bi_iter.bi_idx) * sizeof(struct bio_vec);
	b.pos = BPF_CORE_READ(bio, bi_iter.bi_sector) << SECTOR_SHIFT;
	b.size = BPF_CORE_READ(bio, bi_iter.bi_size);
	b.done = BPF_CORE_READ(bio, bi_iter.bi_bvec_done);
	b.opf = BPF_CORE_READ(bio, bi_opf);
	b.dev = dev__make(BPF_CORE_READ(disk, major), BPF_CORE_READ(disk, first_minor));
	return block__queue(&b, vm);
}

#endif
