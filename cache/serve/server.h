/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The server: disks served through one exclusive cache.
 *
 * All of this is called from the control loop's thread. Each disk's cache is cut into shards, by
 * extents of 1 MiB, as many as queues= says (fewer if it is not sure of a chunk for each); each is
 * owned by one of the disk's data loops (threads). There are as many of these as queues that the
 * guest uses, but no more than queues= says: queues share loops then. What a request needs of
 * another's shard is done there, by message. So nothing on the way of a request is locked.
 */
#ifndef HVTRACE_SERVER_H
#define HVTRACE_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <linux/types.h>

#include "../../bpf/page_event.h"
#include "../loop.h"
#include "../store/arena.h"
#include "../store/exclusive_cache.h"

struct server;

struct server_ops {
	/* Page events of all disks, nearly in the order of their time; page_event.vm is the disk's
	 * id, pages are of disk 0. Each eviction comes before the fill it belongs to. */
	void (*events)(void *ctx, const struct page_event *events, size_t n);
	/* A disk's id is not used any more: forget its events. */
	void (*gone)(void *ctx, __u16 id);
	/* One line for the administrator, with the disk's name ahead where it is about one. */
	void (*log)(void *ctx, const char *line);
};

struct server_opts {
	size_t sz; /* sizeof(struct server_opts) */
	struct arena_opts arena;
	const char *policy; /* NULL: lru */
	__u64 audit;	    /* compare one hit in so many with storage; 0: none */
	const struct server_ops *ops;
	void *ctx;
};

/* -errno, with a sentence in why, here and below. The loop is the caller's and lives longer. */
int server__new(struct server **out, struct loop *control, const struct server_opts *o, char *why,
		size_t size);
/* Stops everything: in-flight requests end, front ends are disconnected (they come back when there
 * is a server again). Then fn. Sockets are unlinked. */
void server__free(struct server *s, void (*fn)(void *ctx), void *ctx);

struct server_disk_opts {
	size_t sz;	    /* sizeof(struct server_disk_opts) */
	const char *name;   /* unique; all strings are copied */
	const char *path;   /* image or block device */
	const char *socket; /* of vhost-user */
	const char *id;	    /* what GET_ID tells, up to 20 bytes; NULL: the name */
	bool read_only;
	__u64 min, max;		   /* of the cache, bytes; max 0 = no bound */
	__u64 share;		   /* relative to others', 0 = 100 */
	unsigned queues;	   /* 0 = as many as CPUs, at most 4 */
	double patience;	   /* seconds to wait for the image's lock */
	bool shared;		   /* see storage_opts */
	bool (*told_to_end)(void); /* asked while it waits: true ends that, -EINTR. NULL: never */
};
int server__add_disk(struct server *s, const struct server_disk_opts *o, char *why, size_t size);
/* -ENOENT. Ends like server__free(), for one disk; fn (may be NULL) when it is gone. */
int server__remove_disk(struct server *s, const char *name, void (*fn)(void *ctx), void *ctx);
/* Change bounds and share. -ENOENT, -EINVAL. */
int server__set_disk(struct server *s, const char *name, __u64 min, __u64 max, __u64 share);

/* The cache's capacity, bytes; what is above goes as fast as chunks can be emptied. */
int server__resize(struct server *s, size_t bytes, char *why, size_t size);
/* Empty the cache of one disk, or of all (name NULL), and forget what frames hold. -ENOENT. */
int server__drain(struct server *s, const char *name);
/* Pages of an image changed by others: count pages from page on. They are not cached any more, nor
 * known to be in any frame. -ENOENT. */
int server__invalidate(struct server *s, __u16 id, __u64 page, __u64 count);
/* The VMM gave up what backs these of its addresses (hva, bytes): frames hold nothing any more. */
void server__unmapped(struct server *s, pid_t vmm, __u64 hva, __u64 bytes);

/* Latency histogram: buckets as those of vm_counters (page_event.h), and what all took together. */
struct served_latency {
	__u64 bucket[PE_LATENCY_BUCKETS];
	__u64 sum_ns;
};

/* All since the disk was added. A request's pages are those whole pages it covers. */
struct served_counts {
	__u64 reads, writes, flushes, discards, other; /* requests that were answered */
	__u64 read_bytes, written_bytes;
	__u64 errors;	    /* answered with an error of the storage */
	__u64 refused;	    /* bad requests */
	__u64 hits, misses; /* pages */
	__u64 bypassed;	    /* reads of a part of a page, or to a part of a frame: not looked up */
	__u64 capture[CAPTURES]; /* pages captured, and not captured, by reason */
	__u64 zeroed; /* of those whose contents changed: all zeroes now. A guest that zeroes pages
			 as it allocates them (Linux's init_on_alloc=1) leaves nothing to capture */
	__u64 gone;   /* evicted pages whose frame was overwritten before anyone could copy */
	__u64 invalidated; /* cached pages dropped for writes, discards, others' writes */
	__u64 evicted;	   /* cached pages dropped for want of room */
	/* Hits compared with storage; in vain, as a write came meanwhile; and that differed. */
	__u64 audited, audit_overlapped, audit_failed;
	__u64 storage_reads, storage_writes; /* requests issued */
	__u64 storage_read_bytes, storage_written_bytes;
	__u64 events, dropped_events; /* page events sent; for which there was no room */
	__u64 busy;		      /* requests that waited for a bounce buffer */
};

struct server_disk {
	__u16 id; /* page_event.vm */
	const char *name, *path, *socket;
	const char *engine;			   /* "io_uring" or "threads" */
	bool read_only, connected, direct, locked; /* see storage_info */
	pid_t vmm;				   /* 0: not known */
	unsigned queues, running;
	unsigned shards; /* that its pages are in: as many as queues, if it has a chunk for each */
	__u64 min, max, share; /* bytes, bytes, relative */
	__u64 bytes;	       /* of the image */
	__u64 memory_pages;    /* the guest's */
	dev_t dev;	       /* see storage_info */
	ino_t ino;
	int fd;
	struct served_counts counts;
	struct exclusive_cache_counts cache;
	__u64 target_slots;		 /* what it is to have of the cache */
	struct served_latency hit, miss; /* of reads: all from the cache, not all */
};

size_t server__nr_disks(const struct server *s);
/* A snapshot of disk i, in the order they were added; strings live as long as the disk. -ENOENT.*/
int server__disk(const struct server *s, size_t i, struct server_disk *out);

/* The pages of a disk that are cached, ascending, for fn: later, from the control loop. -ENOENT,
 * -ENOMEM. */
int server__pages(struct server *s, const char *name,
		  void (*fn)(void *ctx, const __u64 *pages, size_t n), void *ctx);

struct server_cache {
	const char *policy, *backing; /* "hugetlb", "THP", "4K pages" */
	__u64 capacity, taken;	      /* bytes */
	__u64 excess;		      /* bytes above capacity still to be emptied after a resize */
	size_t backed[BACKINGS];
	size_t metadata; /* bytes, beside the pages */
};
void server__cache(const struct server *s, struct server_cache *out);

#endif
