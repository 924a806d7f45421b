/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A guest, its disk and an exclusive cache between them, with plain lists that say what the cache
 * must hold. Contents are numbers here; where the cache sees them they are pages made of them.
 *
 * Anything that is not as it must be ends the program, with a line that says what.
 */
#ifndef TESTS_UNIT_STORE_MODEL_H
#define TESTS_UNIT_STORE_MODEL_H

#include <stdbool.h>

#include "../../cache/store/arena.h"
#include "../../cache/store/exclusive_cache.h"
#include "../../cache/region.h"

#define MODEL_PAGES 2600
#define MODEL_FRAMES 700
#define MODEL_CHUNKS 5
#define MODEL_REQUESTS 24
#define MODEL_HELD 8

struct model_page {
	__u64 content; /* on the disk */
	bool resident, cached;
	unsigned standing; /* see store_policy.h; 0 if it is neither */
	__u32 frame;
	__u64 known; /* content of the frame when it was remembered */
	__u32 writers, readers;
	unsigned request_standing;
};

struct model_frame {
	__u64 content;
	__u32 hint; /* page + 1 */
};

struct model_request {
	bool used, write, done, known;
	__u32 page, frame;
	cache_token token;
	__u64 content; /* that was read, or is to be written */
};

/* Pages, newest first. */
struct model_list {
	__u32 page[MODEL_CHUNKS * ARENA_SLOTS];
	__u32 n;
};

struct model_opts {
	bool s3fifo;
	__u64 max_resident, max_ghosts;
};

struct store_model {
	struct model_opts opts;
	struct memory memory;
	struct cache_secret secret;
	struct exclusive_cache *cache;
	void *chunk[MODEL_CHUNKS];
	bool given[MODEL_CHUNKS]; /* the cache has it */
	void *held[MODEL_HELD];
	struct model_page page[MODEL_PAGES];
	struct model_frame frame[MODEL_FRAMES];
	struct model_request request[MODEL_REQUESTS];
	struct model_list small, main, ghosts; /* LRU: small only */
	__u64 contents, evicted, ghost_hits, hits, misses, captured;
};

/* Numbers may be any: they are taken modulo what there is. */
struct model_op {
	__u8 kind, how;
	__u32 page, frame, n;
};

struct store_model *store_model__new(const struct model_opts *o);
void store_model__free(struct store_model *m);
void store_model__do(struct store_model *m, struct model_op op);
/* Compare all of it. */
void store_model__check(const struct store_model *m);

/* A whole read, with nothing else in flight; true: a hit. */
bool store_model__read(struct store_model *m, __u32 page, __u32 frame);
bool store_model__add_chunk(struct store_model *m, __u32 n);

#endif
