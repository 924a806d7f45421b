/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Chains of descriptors as no driver would make them. They are written to the upper half of the
 * descriptors, which requests that are made in the usual way do not get to while few are in flight.
 */
#ifndef TESTS_VHOST_RAW_H
#define TESTS_VHOST_RAW_H

#include "frontend.h"

#define RAW_DESCS 32

struct raw {
	struct frontend *f;
	struct driver_ring *r;
	__u16 first;  /* descriptor */
	unsigned nr;  /* so far */
	__u64 header; /* guest addresses: of a request header, */
	__u64 status; /* of a status byte, */
	__u64 data;   /* of 16 pages to read to and write from, */
	__u64 table;  /* and of one for descriptors */
};

/* Memory for it; once for a front end. Asserts. */
void raw__init(struct raw *c, struct frontend *f, unsigned q);
/* A new request. */
void raw__begin(struct raw *c, __u32 type, __u64 sector);
/* Next piece; the descriptor, to be spoilt. The last one must not go on: see raw__submit(). */
struct vring_desc *raw__add(struct raw *c, __u64 gpa, __u32 bytes, bool write);
/* The usual request: header, data, status. */
void raw__request(struct raw *c, __u32 type, __u64 sector, __u64 gpa, __u32 bytes);
/* Offer the chain, ended as it should be, or as it is. */
void raw__submit(struct raw *c);
void raw__submit_as_is(struct raw *c);
/* Until it is answered: bytes written as the used ring says, or -ETIMEDOUT after so long. Asserts
 * that it is this chain's. */
int raw__wait(struct raw *c, int milliseconds);
/* Of the last request. */
__u8 raw__status(const struct raw *c);

#endif
