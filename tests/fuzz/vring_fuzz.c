// SPDX-License-Identifier: GPL-2.0
/*
 * A ring whose guest means no good. The input is a script: the guest writes descriptors, tables and
 * request headers, or any bytes anywhere, and offers them; the device takes requests, understands
 * them as a disk's, answers them in any order, is killed and starts again from its in-flight log.
 *
 * What must hold: what is handed out lies in guest memory; only what was taken is given back; a
 * ring that died stays dead; the log has what is in flight.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../cache/vhost/blk.h"
#include "../../cache/vhost/vring_setup.h"
#include "script.h"

/* Guest memory: two regions, one after the other in the guest, not here. Its first pages are the
 * descriptor table, the available ring and the used ring. */
#define GPA 0x100000ULL
#define HVA 0x7f0000000000ULL
#define PAGES 12
#define MORE 4
#define MAX_SIZE 64
#define DISK_BYTES (1ULL << 20)

#define INDIRECT_DESC (1ULL << 28)
#define EVENT_IDX (1ULL << 29)

struct desc {
	__u64 gpa;
	__u32 bytes;
	__u16 flags, next;
};

/* The in-flight log as vhost-user.rst has it. */
struct log {
	__u64 features;
	__u16 version, size, last_batch_head, used_idx;
	struct {
		__u8 in_flight, padding[5];
		__u16 next;
		__u64 counter;
	} entry[MAX_SIZE];
};

static struct guest_memory memory;
static struct inflight_map inflight;
static struct vring_chain chain;

/* What the device should know of the ring. */
struct model {
	struct vring *ring;
	__u16 taken[MAX_SIZE]; /* heads in flight, in the order they were taken */
	unsigned nr_taken;
	__u16 used_idx;
	int deaths;
	bool dead;
	bool log_spoilt; /* by the front end */
};

/* --- guest memory --- */

static char *at(__u64 gpa)
{
	__u64 bytes = 1;

	return guest_memory__at(&memory, gpa, &bytes);
}

static __u16 *avail(void)
{
	return (__u16 *)at(GPA + GUEST_PAGE);
}

static __u16 *used(void)
{
	return (__u16 *)at(GPA + 2 * GUEST_PAGE);
}

static void add_region(__u64 gpa, unsigned pages)
{
	int fd = memfd_create("guest", MFD_CLOEXEC);

	check(!ftruncate(fd, (off_t)pages * GUEST_PAGE));
	check(!guest_memory__add(&memory, gpa, pages * GUEST_PAGE, HVA + (gpa - GPA), 0, fd));
	close(fd);
}

static void on_log_lost(void *ctx)
{
	abort();
}

/* Once; each run begins with zeroes. */
static void make_memory(void)
{
	if (!memory.nr) {
		int log = inflight__create(1, MAX_SIZE);

		add_region(GPA, PAGES);
		add_region(GPA + PAGES * GUEST_PAGE, MORE);
		check(!inflight_map__open(&inflight, 1, MAX_SIZE, 0, log, on_log_lost, NULL));
		close(log);
	}
	memset(memory.region[0].base, 0, PAGES * GUEST_PAGE);
	memset(memory.region[1].base, 0, MORE * GUEST_PAGE);
	memset(inflight.map, 0, inflight.map_bytes);
}

/* Near or at the borders of regions, and of the address space. */
static __u64 some_address(struct script *s)
{
	__u8 page = script__u8(s);
	__u64 offset = script__u8(s) * 16;

	if (page == 0xff)
		return -offset;
	return page == 0xfe ? offset << 32 : GPA + page % (PAGES + MORE + 2) * GUEST_PAGE + offset;
}

static bool is_in_memory(const void *base, __u64 gpa, __u64 bytes)
{
	__u64 there = bytes;

	return guest_memory__at(&memory, gpa, &there) == base && there == bytes;
}

/* --- the device --- */

static void on_death(struct vring *r, void *ctx, const char *reason)
{
	struct model *m = ctx;

	check(reason && !m->dead);
	m->deaths++;
}

static struct log *log_of(const struct model *m)
{
	return (struct log *)m->ring->log.region;
}

static bool is_taken(const struct model *m, __u16 head)
{
	for (unsigned i = 0; i < m->nr_taken; i++)
		if (m->taken[i] == head)
			return true;
	return false;
}

static void check_log(const struct model *m)
{
	struct log *log = log_of(m);

	if (!log || m->log_spoilt || m->ring->resubmitted < m->ring->nr_resubmit)
		return;
	for (unsigned i = 0; i < MAX_SIZE; i++)
		check(log->entry[i].in_flight == is_taken(m, i));
	/* In the order they are to be done again. */
	for (unsigned i = 1; i < m->nr_taken; i++)
		check(log->entry[m->taken[i - 1]].counter < log->entry[m->taken[i]].counter);
}

static void check_segs(const struct vring_seg *seg, unsigned nr)
{
	for (unsigned i = 0; i < nr; i++)
		check(seg[i].bytes && is_in_memory(seg[i].base, seg[i].gpa, seg[i].bytes));
}

/* As storage does: all of what is to be read is read, all of the rest written. */
static __u32 carry_out(const struct blk_disk *disk, const struct blk_request *r)
{
	static char taken[DISK_BYTES];
	__u32 done = 0;

	if (r->op == BLK_ID)
		return blk_request__put_id(r, disk);
	for (unsigned i = 0; i < r->nr_data; i++) {
		if (r->op == BLK_READ)
			memset(r->data[i].base, 0xa5, r->data[i].bytes);
		else
			memcpy(taken + done, r->data[i].base, r->data[i].bytes);
		done += r->data[i].bytes;
	}
	return r->op == BLK_READ ? done : 0;
}

static void check_request(const struct blk_disk *disk, const struct blk_request *r)
{
	check_segs(r->data, r->nr_data);
	check(r->nr_ranges <= BLK_RANGES);
	check(r->op == BLK_ID || (r->offset <= disk->bytes && r->bytes <= disk->bytes - r->offset));
	for (unsigned i = 0; i < r->nr_ranges; i++)
		check(r->range[i].offset <= disk->bytes &&
		      r->range[i].bytes <= disk->bytes - r->range[i].offset);
	check(!disk->read_only || r->op == BLK_READ || r->op == BLK_FLUSH || r->op == BLK_ID);
}

static __u32 serve(void)
{
	static struct blk_request r;
	struct blk_disk disk = {.bytes = DISK_BYTES,
				.block_bytes = 512,
				.physical_bytes = 4096,
				.queues = 1,
				.read_only = chain.head & 1,
				.discard = true,
				.write_zeroes = true,
				.id = "fuzz"};
	int status = blk_request__parse(&disk, &chain, &r);
	__u32 data = 0;

	if (status == -EBADMSG)
		return 0;
	check(r.status && status >= 0);
	if (!status) {
		check_request(&disk, &r);
		data = carry_out(&disk, &r);
	}
	return blk_request__finish(&r, status, data);
}

static void note_death(struct model *m)
{
	const char *reason;

	m->dead = true;
	check(m->deaths == 1);
	check(vring__pop(m->ring, &chain, &reason) == -EPROTO && m->deaths == 1);
	check(!vring__arm(m->ring));
}

static void pop(struct model *m)
{
	const char *reason = NULL;
	int got = vring__pop(m->ring, &chain, &reason);

	check(!m->dead || got == -EPROTO);
	if (got == -EPROTO) {
		/* A chain without an end was taken, and is in the log. */
		if (!m->dead && vring__in_flight(m->ring) > m->nr_taken)
			m->taken[m->nr_taken++] = chain.head;
		if (!m->dead)
			note_death(m);
		return;
	}
	if (!got)
		return;
	check(chain.head < m->ring->size && !is_taken(m, chain.head));
	m->taken[m->nr_taken++] = chain.head;
	if (got == -EBADMSG)
		return;
	check(got == 1 && chain.nr_out <= VRING_SEGS && chain.nr_in <= VRING_SEGS - chain.nr_out);
	check_segs(chain.seg, chain.nr_out + chain.nr_in);
	serve();
}

static void push(struct model *m, unsigned which, __u32 written)
{
	__u16 head, *entry = used() + 2 + 4 * (m->used_idx % m->ring->size);

	if (!m->nr_taken)
		return;
	which %= m->nr_taken;
	head = m->taken[which];
	vring__push(m->ring, head, written);
	m->nr_taken--;
	memmove(&m->taken[which], &m->taken[which + 1],
		(m->nr_taken - which) * sizeof(m->taken[0]));
	check(entry[0] == head && !entry[1] && (entry[2] | (__u32)entry[3] << 16) == written);
	check(used()[1] == ++m->used_idx);
}

/* Of what was not taken, nothing. */
static void push_unknown(struct model *m, __u16 head)
{
	__u16 before = used()[1];

	if (is_taken(m, head))
		return;
	vring__push(m->ring, head, 1);
	check(used()[1] == before);
}

/* --- a new server --- */

/* What the log should say: what the last server had not come to yet, then what it had taken. */
static unsigned in_flight(const struct model *m, __u16 *heads)
{
	const struct vring *r = m->ring;
	unsigned n = r->nr_resubmit - r->resubmitted;

	memcpy(heads, r->resubmit + r->resubmitted, n * sizeof(*heads));
	memcpy(heads + n, m->taken, m->nr_taken * sizeof(*heads));
	return n + m->nr_taken;
}

/* A used index that is the guest's own ends requests, but makes none. */
static void check_resubmit(const struct model *m, const __u16 *heads, unsigned n, bool same_index)
{
	const struct vring *r = m->ring;
	unsigned at = 0;

	check(r->nr_resubmit <= r->size);
	for (unsigned i = 0; i < r->nr_resubmit; i++) {
		check(r->resubmit[i] < r->size);
		while (!m->log_spoilt && heads[at++] != r->resubmit[i])
			check(at < n);
	}
	check(!r->log.region || m->log_spoilt || !same_index || r->nr_resubmit == n);
}

static void kill_and_start(struct model *m)
{
	bool same_index = used()[1] == m->used_idx;
	__u16 heads[MAX_SIZE];
	unsigned n = in_flight(m, heads);
	const char *reason = NULL;

	if (vring__start(m->ring, &reason)) {
		/* Only a log can be in the way; then it is done without. */
		check(reason && m->log_spoilt);
		m->ring->log = (struct inflight_log){0};
		check(!vring__start(m->ring, &reason));
	}
	check_resubmit(m, heads, n, same_index);
	m->used_idx = used()[1];
	m->nr_taken = m->deaths = 0;
	m->dead = false;
}

/* --- the guest --- */

static void write_desc(struct script *s, struct model *m)
{
	__u8 where = script__u8(s), flags = script__u8(s);
	struct desc *table = (struct desc *)at(GPA + (where & 0x80 ? 3 * GUEST_PAGE : 0));
	struct desc d = {.gpa = some_address(s), .flags = flags & 7, .next = script__u8(s)};

	d.bytes = script__u16(s);
	/* Long ones: beyond all memory. */
	if (flags & 0x80)
		d.bytes <<= 16;
	table[where % 128] = d;
}

static void write_header(struct script *s)
{
	__u8 slot = script__u8(s);
	struct {
		__u32 type, reserved;
		__u64 sector;
	} h = {.type = script__u8(s) % 16, .sector = script__u16(s)};

	memcpy(at(GPA + 4 * GUEST_PAGE + slot * 16), &h, sizeof(h));
}

static void write_bytes(struct script *s, char *to, size_t room)
{
	size_t offset = script__u16(s) % room, n = script__u8(s);

	script__bytes(s, to + offset, n < room - offset ? n : room - offset);
}

static void offer(struct model *m, __u16 head, int jump)
{
	__u16 *a = avail();

	a[2 + a[1] % m->ring->size] = head;
	a[1] += jump;
}

static void set_up(struct model *m, struct script *s)
{
	__u8 how = script__u8(s);
	__u16 base = script__u8(s) * 257;
	const char *reason;

	*m = (struct model){.ring = vring__new(0, &memory), .used_idx = base};
	check(m->ring);
	m->ring->size = 1U << (how & 7) % 7;
	m->ring->features = (how & 8 ? INDIRECT_DESC : 0) | (how & 16 ? EVENT_IDX : 0);
	m->ring->desc_at = HVA;
	m->ring->avail_at = HVA + GUEST_PAGE;
	m->ring->used_at = HVA + 2 * GUEST_PAGE;
	m->ring->died = on_death;
	m->ring->died_ctx = m;
	if (how & 32)
		m->ring->log = inflight_map__log(&inflight, 0);
	avail()[1] = used()[1] = base;
	vring__set_base(m->ring, base);
	check(!vring__start(m->ring, &reason));
}

enum { DESC, HEADER, BYTES, OFFER, JUMP, POP, PUSH, UNKNOWN, NOTIFY, SLEEP, LOG, START, STEPS };

static void step(struct model *m, struct script *s)
{
	switch (script__u8(s) % STEPS) {
	case DESC:
		write_desc(s, m);
		break;
	case HEADER:
		write_header(s);
		break;
	case BYTES:
		write_bytes(s, memory.region[0].base, PAGES * GUEST_PAGE);
		break;
	case OFFER:
		offer(m, script__u8(s), 1);
		break;
	case JUMP:
		offer(m, script__u8(s), script__u16(s));
		break;
	case POP:
		pop(m);
		break;
	case PUSH:
		push(m, script__u8(s), script__u16(s));
		break;
	case UNKNOWN:
		push_unknown(m, script__u16(s));
		break;
	case NOTIFY:
		vring__notify(m->ring);
		break;
	case SLEEP:
		vring__disarm(m->ring);
		vring__arm(m->ring);
		break;
	case LOG:
		write_bytes(s, inflight.map, inflight.map_bytes);
		m->log_spoilt = true;
		break;
	case START:
		kill_and_start(m);
		break;
	}
	check(vring__in_flight(m->ring) == m->nr_taken);
	check_log(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct script s = {data, size};
	struct model m;

	make_memory();
	set_up(&m, &s);
	while (s.left)
		step(&m, &s);
	/* What is in flight can be given back, also of a ring that is dead. */
	while (m.nr_taken)
		push(&m, 0, 0);
	check(!vring__in_flight(m.ring));
	vring__free(m.ring);
	return 0;
}
