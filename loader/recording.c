// SPDX-License-Identifier: GPL-2.0
/*
 * Recordings, written and read.
 *
 *   file   = header block...
 *   header = "hvtrace\n" version:4 crc:4 threshold:8
 *   block  = type:4 raw:4 stored:4 crc:4 payload[stored]
 *
 * All numbers are little-endian. A block's crc is the CRC-32 of its type, both
 * lengths and the payload, the header's that of all its other fields, so no
 * byte of a file is outside a checksum. The payload is deflated (zlib) when that
 * makes it smaller, else stored == raw. The end block counts the blocks and
 * events before it: whole blocks that are missing are noticed, too.
 */
#include "recording.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static const char magic[8] = "hvtrace\n";

#define VERSION 2
#define HEADER_BYTES 24
#define BLOCK_HEADER_BYTES 16
#define BLOCK_EVENTS 16384
#define BLOCK_MAX (1U << 20)
#define NAME_MAX_BYTES 4095
/* Head byte, vm, flags, time, page, frame, count at their longest. */
#define EVENT_MAX_BYTES (1 + 3 + 1 + 10 + 10 + 10 + 5)
/* Deflate's fastest level: events are packed already, and the writer must keep up. */
#define DEFLATE_LEVEL 1

_Static_assert(BLOCK_EVENTS *EVENT_MAX_BYTES <= BLOCK_MAX, "a block of events must fit");

enum block_type {
	BLOCK_EVENT = 1,
	BLOCK_VM,
	BLOCK_DISK,
	BLOCK_COUNTERS,
	BLOCK_THRESHOLD,
	BLOCK_LOSS,
	BLOCK_END
};

/* --- bytes --- */

static void put32(unsigned char *p, __u32 v)
{
	for (int i = 0; i < 4; i++)
		p[i] = v >> (8 * i);
}

static __u32 get32(const unsigned char *p)
{
	return p[0] | p[1] << 8 | p[2] << 16 | (__u32)p[3] << 24;
}

static void put64(unsigned char *p, __u64 v)
{
	put32(p, v);
	put32(p + 4, v >> 32);
}

static __u64 get64(const unsigned char *p)
{
	return get32(p) | (__u64)get32(p + 4) << 32;
}

static __u64 zigzag(__u64 delta)
{
	return delta << 1 ^ -(delta >> 63);
}

static __u64 unzigzag(__u64 v)
{
	return v >> 1 ^ -(v & 1);
}

static unsigned char *put_varint(unsigned char *p, __u64 v)
{
	while (v >= 0x80) {
		*p++ = v | 0x80;
		v >>= 7;
	}
	*p++ = v;
	return p;
}

/* A payload being read; bad once anything ran past its end or out of range. */
struct cursor {
	const unsigned char *p, *end;
	bool bad;
};

static __u64 get_varint(struct cursor *c)
{
	__u64 v = 0;

	for (int shift = 0; shift < 70 && c->p < c->end; shift += 7) {
		unsigned char byte = *c->p++;

		/* The tenth byte holds bit 63 and nothing else. */
		if (shift == 63 && byte > 1)
			break;
		v |= (__u64)(byte & 0x7f) << shift;
		if (byte < 0x80)
			return v;
	}
	c->bad = true;
	return 0;
}

static __u64 get_bounded(struct cursor *c, __u64 max)
{
	__u64 v = get_varint(c);

	if (v > max) {
		c->bad = true;
		return 0;
	}
	return v;
}

static unsigned char *put_string(unsigned char *p, const char *s, size_t max)
{
	size_t n = strnlen(s, max);

	p = put_varint(p, n);
	memcpy(p, s, n);
	return p + n;
}

/* out has room for max + 1 bytes. */
static void get_string(struct cursor *c, char *out, size_t max)
{
	size_t n = get_bounded(c, max);

	if ((size_t)(c->end - c->p) < n) {
		c->bad = true;
		n = 0;
	}
	memcpy(out, c->p, n);
	out[n] = 0;
	c->p += n;
}

static __u32 block_crc(const unsigned char *header, const unsigned char *payload, size_t n)
{
	return crc32(crc32(crc32(0, NULL, 0), header, BLOCK_HEADER_BYTES - 4), payload, n);
}

static __u32 header_crc(const unsigned char *h)
{
	return crc32(crc32(crc32(0, NULL, 0), h, 12), h + 16, 8);
}

/* --- one event --- */

/* An event is packed as
 *
 *   head    kind:2 space:1 and a bit for each of what follows
 *   vm      if not the last event's
 *   flags   if any
 *   time    since the last event
 *   page    since the last page of that kind and space
 *   frame   since the last frame, if there is one
 *   count   if not 1
 *
 * Deltas are zigzag-coded: neighbours in time are neighbours on disk and in memory. */
#define HEAD_KIND 0x03
#define HEAD_SPACE 0x04
#define HEAD_VM 0x08
#define HEAD_FLAGS 0x10
#define HEAD_FRAME 0x20
#define HEAD_COUNT 0x40
#define HEAD_UNUSED 0x80

/* What deltas count from; begins at zero in every block, so that each block
 * can be read alone. */
struct event_state {
	__u64 time, frame;
	__u64 page[PAGE_EVENT_KINDS][PAGE_SPACES];
	__u16 vm;
};

static unsigned char event_head(const struct event_state *s, const struct page_event *e)
{
	unsigned char head = e->kind;

	head |= e->space ? HEAD_SPACE : 0;
	head |= e->vm != s->vm ? HEAD_VM : 0;
	head |= e->flags ? HEAD_FLAGS : 0;
	head |= e->frame != PE_FRAME_NONE ? HEAD_FRAME : 0;
	head |= e->count != 1 ? HEAD_COUNT : 0;
	return head;
}

static unsigned char *put_event(unsigned char *p, struct event_state *s, const struct page_event *e)
{
	__u64 *page = &s->page[e->kind][e->space];
	unsigned char head = event_head(s, e);

	*p++ = head;
	if (head & HEAD_VM)
		p = put_varint(p, e->vm);
	if (head & HEAD_FLAGS)
		*p++ = e->flags;
	p = put_varint(p, zigzag(e->time - s->time));
	p = put_varint(p, zigzag(e->page - *page));
	if (head & HEAD_FRAME) {
		p = put_varint(p, zigzag(e->frame - s->frame));
		s->frame = e->frame;
	}
	if (head & HEAD_COUNT)
		p = put_varint(p, e->count);
	s->time = e->time;
	s->vm = e->vm;
	*page = e->page;
	return p;
}

static void get_event(struct cursor *c, struct event_state *s, struct page_event *e)
{
	unsigned char head = *c->p++;
	__u64 *page;

	memset(e, 0, sizeof(*e));
	c->bad |= head & HEAD_UNUSED;
	e->kind = head & HEAD_KIND;
	e->space = !!(head & HEAD_SPACE);
	page = &s->page[e->kind][e->space];
	e->vm = head & HEAD_VM ? get_bounded(c, PE_MAX_VMS - 1) : s->vm;
	e->flags = head & HEAD_FLAGS ? get_bounded(c, 0x7f) : 0;
	e->time = s->time += unzigzag(get_varint(c));
	e->page = *page += unzigzag(get_varint(c));
	e->frame = PE_FRAME_NONE;
	if (head & HEAD_FRAME)
		e->frame = s->frame += unzigzag(get_varint(c));
	e->count = head & HEAD_COUNT ? get_bounded(c, ~0U) : 1;
	s->vm = e->vm;
}

/* --- writing --- */

struct recording_writer {
	FILE *out;
	int err; /* the first one sticks */
	__u64 bytes, blocks, events;
	unsigned char *raw;    /* BLOCK_MAX */
	unsigned char *tail;   /* where the next event goes in raw */
	size_t held;	       /* events in raw */
	unsigned char *packed; /* BLOCK_HEADER_BYTES + BLOCK_MAX */
	struct event_state state;
};

static int write_out(struct recording_writer *w, const void *data, size_t n)
{
	errno = 0;
	/* Flushed at once: a full disk shows now, and a reader finds whole blocks. */
	if (fwrite(data, 1, n, w->out) != n || fflush(w->out))
		w->err = errno ? -errno : -EIO;
	else
		w->bytes += n;
	return w->err;
}

static int write_header(struct recording_writer *w, __u64 threshold)
{
	unsigned char h[HEADER_BYTES];

	memcpy(h, magic, sizeof(magic));
	put32(h + 8, VERSION);
	put64(h + 16, threshold);
	put32(h + 12, header_crc(h));
	return write_out(w, h, sizeof(h));
}

static int write_block(struct recording_writer *w, enum block_type type, const unsigned char *raw,
		       size_t n)
{
	unsigned char *payload = w->packed + BLOCK_HEADER_BYTES;
	uLongf stored = n;

	/* Room for less than n only: what does not shrink is stored as it is. */
	if (compress2(payload, &stored, raw, n, DEFLATE_LEVEL) != Z_OK || stored >= n) {
		memcpy(payload, raw, n);
		stored = n;
	}
	put32(w->packed, type);
	put32(w->packed + 4, n);
	put32(w->packed + 8, stored);
	put32(w->packed + 12, block_crc(w->packed, payload, stored));
	w->blocks++;
	return write_out(w, w->packed, BLOCK_HEADER_BYTES + stored);
}

int recording_writer__flush(struct recording_writer *w)
{
	size_t n = w->tail - w->raw;

	if (w->err || !w->held)
		return w->err;
	w->events += w->held;
	w->held = 0;
	w->tail = w->raw;
	memset(&w->state, 0, sizeof(w->state));
	return write_block(w, BLOCK_EVENT, w->raw, n);
}

/* A block of another kind: events before it go out first, so that order is kept. */
static int write_record(struct recording_writer *w, enum block_type type, const unsigned char *raw,
			const unsigned char *end)
{
	int err = recording_writer__flush(w);

	return err ?: write_block(w, type, raw, end - raw);
}

struct recording_writer *recording_writer__new(FILE *out, __u64 threshold, int *err)
{
	struct recording_writer *w = calloc(1, sizeof(*w));

	*err = -ENOMEM;
	if (!w)
		return NULL;
	w->raw = w->tail = malloc(BLOCK_MAX);
	w->packed = malloc(BLOCK_HEADER_BYTES + BLOCK_MAX);
	if (!w->raw || !w->packed)
		goto cleanup;
	w->out = out;
	*err = write_header(w, threshold);
	if (!*err)
		return w;
cleanup:
	recording_writer__free(w);
	return NULL;
}

void recording_writer__free(struct recording_writer *w)
{
	if (!w)
		return;
	free(w->raw);
	free(w->packed);
	free(w);
}

__u64 recording_writer__bytes(const struct recording_writer *w)
{
	return w->bytes;
}

int recording_writer__events(struct recording_writer *w, const struct page_event *events, size_t n)
{
	for (size_t i = 0; i < n && !w->err; i++) {
		if (events[i].kind >= PAGE_EVENT_KINDS || events[i].vm >= PE_MAX_VMS)
			return -EINVAL;
		w->tail = put_event(w->tail, &w->state, &events[i]);
		if (++w->held == BLOCK_EVENTS)
			recording_writer__flush(w);
	}
	return w->err;
}

int recording_writer__vm(struct recording_writer *w, const struct recording_vm *vm)
{
	unsigned char raw[64 + sizeof(*vm)], *p = raw;

	if (vm->id >= PE_MAX_VMS)
		return -EINVAL;
	p = put_varint(p, vm->id);
	p = put_varint(p, vm->pid);
	p = put_varint(p, vm->generation);
	p = put_varint(p, vm->mem_pages);
	p = put_string(p, vm->name, sizeof(vm->name) - 1);
	p = put_string(p, vm->vmm, sizeof(vm->vmm) - 1);
	return write_record(w, BLOCK_VM, raw, p);
}

int recording_writer__disk(struct recording_writer *w, __u16 disk, const char *name)
{
	unsigned char raw[16 + NAME_MAX_BYTES], *p = raw;

	p = put_varint(p, disk);
	p = put_string(p, name, NAME_MAX_BYTES);
	return write_record(w, BLOCK_DISK, raw, p);
}

/* Counters are an array of 64-bit numbers to the file. */
#define NR_COUNTERS (sizeof(struct vm_counters) / sizeof(__u64))

int recording_writer__counters(struct recording_writer *w, __u16 vm, const struct vm_counters *c)
{
	unsigned char raw[16 + 10 * NR_COUNTERS], *p = raw;
	__u64 values[NR_COUNTERS];

	if (vm >= PE_MAX_VMS)
		return -EINVAL;
	memcpy(values, c, sizeof(values));
	p = put_varint(p, vm);
	p = put_varint(p, NR_COUNTERS);
	for (size_t i = 0; i < NR_COUNTERS; i++)
		p = put_varint(p, values[i]);
	return write_record(w, BLOCK_COUNTERS, raw, p);
}

int recording_writer__threshold(struct recording_writer *w, __u64 threshold)
{
	unsigned char raw[16];

	return write_record(w, BLOCK_THRESHOLD, raw, put_varint(raw, threshold));
}

int recording_writer__finish(struct recording_writer *w, const struct recording_loss *loss)
{
	unsigned char raw[6 * 10], *p = raw;
	int err;

	p = put_varint(p, loss->events);
	p = put_varint(p, loss->dropped);
	p = put_varint(p, loss->frames);
	p = put_varint(p, loss->latency);
	p = put_varint(p, loss->vms);
	p = put_varint(p, loss->truncated);
	err = write_record(w, BLOCK_LOSS, raw, p);
	if (err)
		return err;
	p = put_varint(raw, w->blocks);
	p = put_varint(p, w->events);
	return write_record(w, BLOCK_END, raw, p);
}

/* --- reading --- */

struct reader {
	FILE *in;
	const struct recording_handlers *h;
	void *ctx;
	struct recording_fault *fault;
	__u64 offset; /* bytes read */
	__u64 block;  /* where the block being read begins */
	__u64 blocks, nr_events;
	bool ended;
	unsigned char *stored, *raw; /* BLOCK_MAX each */
	struct page_event *events;   /* BLOCK_EVENTS */
};

static __attribute__((format(printf, 4, 5))) int fault_at(struct reader *r, __u64 offset, int err,
							  const char *fmt, ...)
{
	va_list args;

	r->fault->offset = offset;
	va_start(args, fmt);
	vsnprintf(r->fault->reason, sizeof(r->fault->reason), fmt, args);
	va_end(args);
	return err;
}

#define damaged(r, ...) fault_at(r, (r)->block, -EBADMSG, __VA_ARGS__)

/* Returns the bytes read, fewer than n at the end of the file, or -errno. */
static ssize_t read_in(struct reader *r, void *data, size_t n)
{
	size_t got;

	errno = 0;
	got = fread(data, 1, n, r->in);
	r->offset += got;
	if (got < n && ferror(r->in)) {
		int err = errno ? -errno : -EIO;

		return fault_at(r, r->offset, err, "cannot be read: %s", strerror(-err));
	}
	return got;
}

static int truncated(struct reader *r, const char *what)
{
	r->fault->truncated = true;
	return fault_at(r, r->offset, -EBADMSG, "truncated: the file ends %s", what);
}

static int read_header(struct reader *r)
{
	unsigned char h[HEADER_BYTES];
	ssize_t n = read_in(r, h, sizeof(h));

	if (n < 0)
		return n;
	if (n < (ssize_t)sizeof(magic) || memcmp(h, magic, sizeof(magic)))
		return fault_at(r, 0, -EINVAL, "not an hvtrace recording");
	if (n < (ssize_t)sizeof(h))
		return truncated(r, "within its header");
	if (get32(h + 12) != header_crc(h))
		return damaged(r, "checksum of the header is wrong");
	if (get32(h + 8) != VERSION)
		return fault_at(r, 0, -EINVAL, "recording of version %u, this hvtrace reads %u",
				get32(h + 8), VERSION);
	return r->h->threshold ? r->h->threshold(r->ctx, get64(h + 16)) : 0;
}

static int read_events(struct reader *r, struct cursor *c)
{
	struct event_state state = {0};
	size_t n = 0;

	while (c->p < c->end && n < BLOCK_EVENTS && !c->bad)
		get_event(c, &state, &r->events[n++]);
	if (c->bad || c->p < c->end)
		return damaged(r, "malformed events");
	r->nr_events += n;
	return r->h->events ? r->h->events(r->ctx, r->events, n) : 0;
}

static int read_vm(struct reader *r, struct cursor *c)
{
	struct recording_vm vm = {0};

	vm.id = get_bounded(c, PE_MAX_VMS - 1);
	vm.pid = get_bounded(c, ~0U);
	vm.generation = get_varint(c);
	vm.mem_pages = get_varint(c);
	get_string(c, vm.name, sizeof(vm.name) - 1);
	get_string(c, vm.vmm, sizeof(vm.vmm) - 1);
	if (c->bad)
		return damaged(r, "malformed VM record");
	return r->h->vm ? r->h->vm(r->ctx, &vm) : 0;
}

static int read_disk(struct reader *r, struct cursor *c)
{
	char name[NAME_MAX_BYTES + 1];
	__u16 disk = get_bounded(c, 0xffff);

	get_string(c, name, NAME_MAX_BYTES);
	if (c->bad)
		return damaged(r, "malformed disk record");
	return r->h->disk ? r->h->disk(r->ctx, disk, name) : 0;
}

static int read_counters(struct reader *r, struct cursor *c)
{
	__u16 vm = get_bounded(c, PE_MAX_VMS - 1);
	__u64 n = get_varint(c), values[NR_COUNTERS];
	struct vm_counters counters;

	if (n != NR_COUNTERS)
		return damaged(r, "malformed counters");
	for (size_t i = 0; i < NR_COUNTERS; i++)
		values[i] = get_varint(c);
	if (c->bad)
		return damaged(r, "malformed counters");
	memcpy(&counters, values, sizeof(counters));
	return r->h->counters ? r->h->counters(r->ctx, vm, &counters) : 0;
}

static int read_threshold(struct reader *r, struct cursor *c)
{
	__u64 threshold = get_varint(c);

	if (c->bad)
		return damaged(r, "malformed threshold");
	return r->h->threshold ? r->h->threshold(r->ctx, threshold) : 0;
}

static int read_loss(struct reader *r, struct cursor *c)
{
	struct recording_loss loss = {0};

	loss.events = get_varint(c);
	loss.dropped = get_varint(c);
	loss.frames = get_varint(c);
	loss.latency = get_varint(c);
	loss.vms = get_varint(c);
	loss.truncated = get_varint(c);
	if (c->bad)
		return damaged(r, "malformed loss record");
	return r->h->loss ? r->h->loss(r->ctx, &loss) : 0;
}

static int read_end(struct reader *r, struct cursor *c)
{
	__u64 blocks = get_varint(c), events = get_varint(c);

	if (c->bad)
		return damaged(r, "malformed end mark");
	if (blocks != r->blocks || events != r->nr_events)
		return damaged(r, "blocks are missing: the end mark counts %llu events, not %llu",
			       events, r->nr_events);
	r->ended = true;
	return 0;
}

typedef int (*read_block_fn)(struct reader *r, struct cursor *c);

static const read_block_fn block_readers[] = {
	[BLOCK_EVENT] = read_events,
	[BLOCK_VM] = read_vm,
	[BLOCK_DISK] = read_disk,
	[BLOCK_COUNTERS] = read_counters,
	[BLOCK_THRESHOLD] = read_threshold,
	[BLOCK_LOSS] = read_loss,
	[BLOCK_END] = read_end,
};

/* Points the cursor at the payload's raw bytes. */
static int unpack(struct reader *r, __u32 stored, __u32 raw, struct cursor *c)
{
	uLongf n = raw;

	c->bad = false;
	c->p = r->stored;
	if (stored != raw) {
		if (uncompress(r->raw, &n, r->stored, stored) != Z_OK || n != raw)
			return damaged(r, "block does not unpack");
		c->p = r->raw;
	}
	c->end = c->p + raw;
	return 0;
}

/* The lengths are checked before the checksum can be: it lies behind them. */
static int read_payload(struct reader *r, const unsigned char *header, struct cursor *c)
{
	__u32 raw = get32(header + 4), stored = get32(header + 8);
	ssize_t n;

	if (!raw || raw > BLOCK_MAX || !stored || stored > raw)
		return damaged(r, "block length is impossible");
	n = read_in(r, r->stored, stored);
	if (n < 0)
		return n;
	if (n < stored)
		return truncated(r, "within a block");
	if (get32(header + 12) != block_crc(header, r->stored, stored))
		return damaged(r, "checksum of a block is wrong");
	return unpack(r, stored, raw, c);
}

static int read_block(struct reader *r, const unsigned char *header)
{
	__u32 type = get32(header);
	struct cursor c;
	int err = read_payload(r, header, &c);

	if (err)
		return err;
	if (!type || type > BLOCK_END)
		return damaged(r, "unknown block type %u", type);
	err = block_readers[type](r, &c);
	if (!err && c.p < c.end)
		return damaged(r, "block is longer than its record");
	r->blocks++;
	return err;
}

static int read_blocks(struct reader *r)
{
	unsigned char header[BLOCK_HEADER_BYTES];
	int err = 0;

	while (!err) {
		ssize_t n;

		r->block = r->offset;
		n = read_in(r, header, sizeof(header));
		if (n < 0)
			return n;
		if (r->ended)
			return n ? damaged(r, "data after the end mark") : 0;
		if (!n)
			return truncated(r, "before its end mark");
		if (n < (ssize_t)sizeof(header))
			return truncated(r, "within a block");
		err = read_block(r, header);
	}
	return err;
}

int recording__read(FILE *in, const struct recording_handlers *h, void *ctx,
		    struct recording_fault *fault)
{
	struct reader r = {.in = in, .h = h, .ctx = ctx, .fault = fault};
	int err = -ENOMEM;

	memset(fault, 0, sizeof(*fault));
	r.stored = malloc(BLOCK_MAX);
	r.raw = malloc(BLOCK_MAX);
	r.events = malloc(BLOCK_EVENTS * sizeof(*r.events));
	if (!r.stored || !r.raw || !r.events) {
		fault_at(&r, 0, err, "out of memory");
		goto cleanup;
	}
	err = read_header(&r);
	if (!err)
		err = read_blocks(&r);
cleanup:
	free(r.stored);
	free(r.raw);
	free(r.events);
	return err;
}
