/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Messages of the vhost-user protocol (QEMU's docs/interop/vhost-user.rst) on a socket that does
 * not block: a header, a payload of the length it names, and file descriptors beside.
 */
#ifndef HVTRACE_VHOST_MESSAGE_H
#define HVTRACE_VHOST_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

#include "closer.h"

enum vhost_request {
	VHOST_GET_FEATURES = 1,
	VHOST_SET_FEATURES = 2,
	VHOST_SET_OWNER = 3,
	VHOST_RESET_OWNER = 4,
	VHOST_SET_MEM_TABLE = 5,
	VHOST_SET_VRING_NUM = 8,
	VHOST_SET_VRING_ADDR = 9,
	VHOST_SET_VRING_BASE = 10,
	VHOST_GET_VRING_BASE = 11,
	VHOST_SET_VRING_KICK = 12,
	VHOST_SET_VRING_CALL = 13,
	VHOST_SET_VRING_ERR = 14,
	VHOST_GET_PROTOCOL_FEATURES = 15,
	VHOST_SET_PROTOCOL_FEATURES = 16,
	VHOST_GET_QUEUE_NUM = 17,
	VHOST_SET_VRING_ENABLE = 18,
	VHOST_GET_CONFIG = 24,
	VHOST_SET_CONFIG = 25,
	VHOST_GET_INFLIGHT_FD = 31,
	VHOST_SET_INFLIGHT_FD = 32,
	VHOST_RESET_DEVICE = 34,
	VHOST_GET_MAX_MEM_SLOTS = 36,
	VHOST_ADD_MEM_REG = 37,
	VHOST_REM_MEM_REG = 38,
	VHOST_REQUESTS
};

/* Of the virtio features, the bit that says there are protocol features. */
#define VHOST_F_PROTOCOL_FEATURES (1ULL << 30)

#define VHOST_PROTOCOL_MQ (1ULL << 0)
#define VHOST_PROTOCOL_REPLY_ACK (1ULL << 3)
#define VHOST_PROTOCOL_CONFIG (1ULL << 9)
#define VHOST_PROTOCOL_INFLIGHT_SHMFD (1ULL << 12)
#define VHOST_PROTOCOL_RESET_DEVICE (1ULL << 13)
#define VHOST_PROTOCOL_MEM_SLOTS (1ULL << 15)

/* header.flags */
#define VHOST_VERSION 1
#define VHOST_VERSION_MASK 3
#define VHOST_REPLY (1U << 2)
#define VHOST_NEED_REPLY (1U << 3)

/* Of SET_VRING_KICK and its like: a ring's number, and that there is no fd. */
#define VHOST_VRING_INDEX 0xff
#define VHOST_VRING_NO_FD 0x100

#define VHOST_TABLE_REGIONS 8
#define VHOST_CONFIG_BYTES 256
#define VHOST_FDS 8
/* That can come at once (SCM_MAX_FD). All are taken out of the socket: the kernel would close what
 * is left, here and now. */
#define VHOST_FDS_CAME 253

struct vhost_header {
	__u32 request, flags, size;
};

struct vhost_region {
	__u64 gpa, bytes, hva, offset;
};

struct vhost_table {
	__u32 nr, padding;
	struct vhost_region region[VHOST_TABLE_REGIONS];
};

struct vhost_slot {
	__u64 padding;
	struct vhost_region region;
};

struct vhost_state {
	__u32 index, num;
};

struct vhost_addr {
	__u32 index, flags;
	__u64 desc, used, avail, log;
};

struct vhost_config {
	__u32 offset, size, flags;
	__u8 bytes[VHOST_CONFIG_BYTES];
};

/* Some send the padding of C, some do not. */
struct vhost_inflight {
	__u64 bytes, offset;
	__u16 queues, size;
	__u32 padding;
};

#define VHOST_INFLIGHT_BYTES offsetof(struct vhost_inflight, padding)
#define VHOST_CONFIG_HEADER offsetof(struct vhost_config, bytes)

struct vhost_msg {
	struct vhost_header header;
	union {
		__u64 u64;
		struct vhost_table table;
		struct vhost_slot slot;
		struct vhost_state state;
		struct vhost_addr addr;
		struct vhost_config config;
		struct vhost_inflight inflight;
	};
	int fd[VHOST_FDS + VHOST_FDS_CAME]; /* -1: was taken */
	unsigned nr_fds;
	size_t got; /* bytes by now, while it is being read */
};

/* Go on reading a message, at first one of zeroes. 1: it is there. 0: what came is not all of it.
 * -errno with a reason: the connection is of no use any more (-EPIPE: it ended). */
int vhost_msg__read(struct vhost_msg *m, int socket, const char **reason);
/* Close what was not taken (c NULL: in this thread), be ready for the next. */
void vhost_msg__clear(struct vhost_msg *m, struct closer *c);
/* It is the caller's from here on; -1: there is none. */
int vhost_msg__take_fd(struct vhost_msg *m, unsigned i);

/* Answer: header and payload, and an fd if >= 0. -errno; -EAGAIN: the front end does not read. */
int vhost_msg__reply(const struct vhost_msg *m, const void *payload, __u32 bytes, int socket,
		     int fd);

#endif
