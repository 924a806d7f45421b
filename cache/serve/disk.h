/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A served disk: its data loops, the shards of its cache, and what is on its way through them.
 *
 *	ring -> request (home: the loop of the ring) -> parts (each at the loop that owns the shard)
 *
 * Internal to cache/serve/. What belongs to whom:
 *   - a data loop's fields, rings and requests: its thread;
 *   - a shard: the thread of its owner, which changes only while the disk is paused: no request is
 *     in flight then, and no message between its loops;
 *   - the disk's and the server's own fields: the control loop.
 */
#ifndef HVTRACE_SERVE_DISK_H
#define HVTRACE_SERVE_DISK_H

#include "../../bpf/page_event.h"
#include "../storage/storage.h"
#include "../store/exclusive_cache.h"
#include "../vhost/blk.h"
#include "../vhost/vhost_dev.h"
#include "bounce.h"
#include "event_ring.h"
#include "server.h"

#define MAX_SHARDS 16
/* Pages of a shard's extents: these lie on the disk in turns. */
#define EXTENT_SHIFT 8
/* A part of a request is of at most so many pages: a quarter of an extent, one bounce run. */
#define PART_PAGES BOUNCE_RUN
/* Parts of one request at once. */
#define REQUEST_PARTS 16
/* Parts of a data loop's requests. */
#define LOOP_PARTS 160
#define REQUEST_SEGS 8
/* Requests of a ring at once: what a guest sees of a longer ring is only that it waits. */
#define RING_REQUESTS 1024
#define STAGES 128

struct disk;
struct data_loop;
struct part;
struct request;

/* --- the cache --- */

struct shard {
	struct disk *disk;
	struct data_loop *owner;
	unsigned index;
	struct exclusive_cache *cache;
	struct memory memory; /* its metadata */
	bool hungry;	      /* asked for room; until the answer */
	_Atomic bool asking;  /* the message that asks is on its way */
	struct loop_msg hungry_msg;
	_Atomic bool clearing; /* on its way to be cleared */
	struct loop_msg clear_msg;
	_Atomic bool forgetting; /* on its way to forget residents, all but so many */
	_Atomic __u64 frames;
	struct loop_msg forget_msg;
	struct exclusive_cache_counts published; /* the owner's words, read by all */

	/* The control loop's. */
	__u64 chunks, target;		    /* has; is to have */
	bool moving;			    /* a chunk is on its way from or to it */
	bool wants;			    /* asked for room, and was not given any */
	__u64 evicted;			    /* when last looked */
	struct loop_msg *held, **held_last; /* see shard__post() */
};

/* Work to be done with a shard, by its owner, then told back to another loop. */
struct shard_call {
	struct loop_msg msg;
	struct shard *shard;
	struct loop *back;
	void (*run)(struct shard_call *c);  /* at the owner's */
	void (*done)(struct shard_call *c); /* at `back` */
};

void shard_call__post(struct shard_call *c);
/* To its owner: from the control loop, or from a data loop with requests in flight. While shards
 * are being dealt out the owner is about to change: what comes then is held back for the new one,
 * or both would be at work on the shard. */
void shard__post(struct shard *s, struct loop_msg *m);
/* It has an owner that stays. */
void shard__post_held(struct shard *s);
/* Tell the world what the shard's cache holds. */
void shard__publish(struct shard *s);
/* Ask for another chunk, if there are few free slots. */
void shard__feel(struct shard *s);

/* --- requests --- */

/* A page that a part is about. */
struct page_op {
	char *at; /* guest memory, if all of the page goes to or from one whole frame; else NULL */
	void *slot; /* a hit that is audited */
	_Atomic __u64 *hint;
	__u64 frame;
	cache_token token;
	struct page_digest digest;
	bool whole;   /* all of the page */
	bool missing; /* to be read from storage */
};

struct part_io {
	struct storage_io io;
	struct part *part;
};

/* Where in the pieces of guest memory. */
struct seg_pos {
	unsigned seg;
	__u32 off;
};

struct part {
	struct loop_msg msg;
	struct part *next; /* free, or waiting for a bounce buffer */
	struct request *req;
	struct shard *shard;
	struct data_loop *at; /* where it is carried out */
	__u64 offset, page;   /* on the disk, bytes; first page */
	__u32 bytes;
	unsigned pages, ios;
	struct seg_pos pos;
	void (*go)(struct part *p); /* begin, or go on with a bounce buffer */
	char *bounce;
	unsigned bounce_first, bounce_pages; /* which of its pages are there */
	int err;
	bool missed;
	struct page_op op[PART_PAGES];
	struct part_io io[PART_PAGES / 2 + 1];
};

struct request {
	struct request *next; /* free, starved, or waiting for the wide lane */
	struct data_loop *home;
	struct served_ring *ring;
	__u16 head;
	int status; /* not to be begun at all: what to answer instead */
	bool issuing, missed, starved;
	unsigned parts;
	int err;
	__u64 start;  /* ns */
	__u64 issued; /* bytes */
	struct seg_pos pos;
	struct blk_request blk;
	struct vring_seg *segs, inline_segs[REQUEST_SEGS];
};

struct served_ring {
	struct vring *ring;
	struct data_loop *loop;
	struct loop_fd kick;
	int timer; /* in place of kicks that never come; else -1 */
	bool watched, dead, dirty;
	struct request *requests, *free;

	/* The control loop's. */
	bool wanted, stopping, leaving;
};

/* Requests to ranges (discard, write zeroes), one at a time: they concern all shards. */
struct wide {
	struct request *req, *first, **last; /* the one, and those that wait */
	struct shard_call call[MAX_SHARDS];
	struct storage_io io;
	unsigned left, range;
	bool after; /* the storage's part is done */
};

/* A captured page on its way to another loop's shard. */
struct stage {
	struct loop_msg msg;
	struct stage *next;
	struct data_loop *from;
	struct shard *shard;
	__u64 page, frame;
	struct page_digest digest;
	void *data;
	bool forget; /* no data: allocated, the receiver frees it */
};

struct data_loop {
	struct disk *disk;
	unsigned index;
	struct loop *loop;
	struct loop_poll poll;
	struct loop_fd io_fd;
	struct storage_queue *io;
	struct bounce bounce;
	struct event_ring *events;
	struct served_ring *ring[VHOST_MAX_QUEUES];
	struct shard *shard[MAX_SHARDS];
	unsigned nr_rings, nr_shards, requests; /* requests: in flight */
	struct part *part_pool, *free_parts;
	unsigned nr_free_parts;
	struct part *bounce_first, **bounce_last; /* waiting for a bounce buffer */
	struct request *starved, **starved_last;  /* waiting for parts */
	struct wide wide;
	struct stage *stages, *free_stages;
	struct region stage_region;
	__u64 audit_left, published;
	__u64 now; /* when it last looked at the clock: events' times */
	bool paused, pausing, armed, to_submit;
	struct vring_chain chain[2]; /* the one popped last, and the one before */
	struct served_counts counts;
	struct served_latency hit, miss;

	/* Steps of a pause, told to it and told back: see disk_pause.c. */
	struct loop_msg step_msg;
	struct served_ring *next_ring[VHOST_MAX_QUEUES];
	struct shard *next_shard[MAX_SHARDS];
	unsigned next_rings, next_shards;
	struct loop_msg urgent_msg; /* events wait */
	_Atomic bool urgent;
};

/* Counters have one writer, and readers in other threads. */
#define COUNT_N(l, field, n)                                                                       \
	__atomic_store_n(&(l)->counts.field, (l)->counts.field + (n), __ATOMIC_RELAXED)
#define COUNT(l, field) COUNT_N(l, field, 1)

/* request.c */
bool served_ring__poll(struct served_ring *r);
void request__issue(struct request *req);
/* So many bytes further on in its pieces of guest memory. */
void request__advance(const struct request *req, struct seg_pos *pos, __u32 bytes);
/* One of its parts ended: at home. */
void request__part_done(struct request *req, struct part *p);
void request__finish(struct request *req);

/* ahead.c: pages that a batch of requests is about to read, in the order of the requests. */
#define AHEAD_PAGES 64
struct ahead {
	unsigned pages, looked, fetched; /* added; of them, those that took the later steps */
	struct ahead_page {
		__u64 page, held; /* by the frame it goes to, */
		bool captured;	  /* if it holds any */
		char *at;
		_Atomic __u64 *hint;
		struct exclusive_cache *cache, *held_by; /* NULL: none, or another loop's */
	} page[AHEAD_PAGES];
};
void ahead__add(struct ahead *a, const struct request *req);
/* All requests were added, and so many of the pages were begun. */
void ahead__go(struct ahead *a, struct data_loop *l, unsigned pages);

/* part.c */
struct part *part__new(struct data_loop *home);
void part__route(struct part *p);
void part__done(struct part *p);
/* A bounce buffer for some of its pages. false: it waits for one, then goes on with resume. */
bool part__get_bounce(struct part *p, unsigned first, unsigned pages,
		      void (*resume)(struct part *p));
/* Know for each page where in guest memory it is. */
void part__lay_out(struct part *p);
/* Bytes of the disk that the part is about within its page i. */
void part__span(const struct part *p, unsigned i, __u64 *offset, __u32 *bytes);
/* Copy bytes of the part, at an offset on the disk, between guest memory and buf. */
void part__copy(const struct part *p, __u64 offset, char *buf, __u32 bytes, bool to_guest);
void part__start_io(struct part *p, enum storage_op op, unsigned first, unsigned pages);
void part__event(struct part *p, enum page_event_kind kind, unsigned i);
/* Bounce buffers came free. */
void data_loop__retry(struct data_loop *l);

/* part_read.c, part_write.c */
void part__read(struct part *p);
void part__write(struct part *p);
void part__read_done(struct part *p);
void part__write_done(struct part *p);

/* capture.c */
/* The frame at this guest address is about to hold something else than what it did: page `incoming`
 * of the disk (~0: none). copy: its bytes are still there. */
void data_loop__evict(struct data_loop *l, __u64 gpa, const char *at, __u64 incoming, bool copy);
/* The guest asks for a page that it was last seen to hold in that frame, of one of the loop's own
 * shards: so it holds it no more, but the frame may. Whether the page is in the cache now. */
bool data_loop__find(struct data_loop *l, struct shard *shard, __u64 page, __u64 frame);
int data_loop__init_stages(struct data_loop *l, struct memory *m);

/* wide.c */
void wide__init(struct data_loop *l);
void wide__start(struct request *req);

/* data_loop.c */
struct data_loop *data_loop__new(struct disk *d, unsigned index, char *why, size_t size);
/* Its thread. */
int data_loop__start(struct data_loop *l, char *why, size_t size);
/* The shard is its from the start, or the end of the pause, on. */
void data_loop__own(struct data_loop *l, struct shard *s);
void data_loop__free(struct data_loop *l); /* its thread must have ended */
void data_loop__send_event(struct data_loop *l, const struct page_event *e);
void data_loop__latency(struct data_loop *l, struct served_latency *h, __u64 ns);
__u64 data_loop__clock(void);
__u64 data_loop__look_at_clock(struct data_loop *l); /* sets and tells l->now */
/* Nothing of its requests is in flight. */
bool data_loop__idle(const struct data_loop *l);

/* --- the disk, at the control loop --- */

struct disk {
	struct server *server;
	struct disk *next;
	__u16 id;
	char *name, *path, *socket;
	struct storage *storage;
	struct blk_disk blk;
	struct vhost_dev *dev;
	struct cache_secret secret;
	struct memory memory;  /* the data loops' */
	__u64 min, max, share; /* bytes, bytes, relative */
	pid_t vmm;
	bool connected, removing;
	unsigned nr_shards, nr_loops;
	unsigned in_use, next_in_use; /* shards that pages are in: the first ones */
	bool served;		      /* a ring was started, ever */
	struct shard shard[MAX_SHARDS];
	struct data_loop *loop[MAX_SHARDS];
	struct served_ring ring[VHOST_MAX_QUEUES];

	/* Pause: see disk_pause.c. */
	int step;
	unsigned acks;
	bool again, ending;
	bool dealing;		    /* owners of shards are about to change */
	struct served_counts gone;  /* unmapped frames, counted by the control loop */
	void (*removed)(void *ctx); /* called when it is gone */
	void *removed_ctx;
};

static inline struct shard *disk__shard(struct disk *d, __u64 page)
{
	return &d->shard[(page >> EXTENT_SHIFT) % d->in_use];
}

int disk__new(struct disk **out, struct server *s, const struct server_disk_opts *o, __u16 id,
	      char *why, size_t size);
/* Ends it, later; calls server__disk_gone() then. */
void disk__remove(struct disk *d);
void disk__log(struct disk *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Run fn on each shard by its owner; no answer. */
int disk__each_shard(struct disk *d, void (*fn)(struct shard *s, __u64 a, __u64 b), __u64 a,
		     __u64 b);
void disk__clear(struct disk *d);
/* Have its pages in so many of its shards; soon, if it is served. */
void disk__use_shards(struct disk *d, unsigned n);
/* The same, while it is paused. */
void disk__deal_pages(struct disk *d);
/* disk_pause.c: rings came or go. */
void disk__reconfigure(struct disk *d);
void disk__ring_start(struct disk *d, struct vring *ring);
void disk__ring_stop(struct disk *d, struct vring *ring);
/* disk.c: no ring is served, no message on its way. */
void disk__end(struct disk *d);
/* unmapped.c: the VMM gave up what was at its addresses from hva to end. */
void disk__unmapped(struct disk *d, __u64 hva, __u64 end);
/* All counters of its loops, and latencies. */
void disk__snapshot(const struct disk *d, struct server_disk *out);

/* server.c */
struct loop *server__loop(struct server *s);
void server__log(struct server *s, const char *line); /* any thread */
void server__drain_events(struct server *s);
__u64 server__audit(const struct server *s);
const char *server__policy(const struct server *s);
struct disk *server__find(const struct server *s, const char *name); /* NULL: none */
void server__disk_gone(struct disk *d);
/* After it is gone. */
void server__go_on(struct server *s);
void server__events(struct server *s, const struct page_event *e, size_t n);
/* room.c: a shard wants room, a disk came or changed, the capacity is another. */
struct arena *server__arena(struct server *s);
struct disk *server__first_disk(struct server *s);
void server__balance(struct server *s);
/* With the clock: have chunks in hand. */
void server__prepare(struct server *s);

#endif
