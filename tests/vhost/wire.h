/* SPDX-License-Identifier: GPL-2.0 */
/*
 * vhost-user messages as they are on the wire (QEMU, docs/interop/vhost-user.rst), told anew here:
 * a mistake in the server's own idea of them should show.
 */
#ifndef TESTS_VHOST_WIRE_H
#define TESTS_VHOST_WIRE_H

#include <linux/types.h>

enum vu_request {
	VU_GET_FEATURES = 1,
	VU_SET_FEATURES = 2,
	VU_SET_OWNER = 3,
	VU_RESET_OWNER = 4,
	VU_SET_MEM_TABLE = 5,
	VU_SET_LOG_BASE = 6,
	VU_SET_LOG_FD = 7,
	VU_SET_VRING_NUM = 8,
	VU_SET_VRING_ADDR = 9,
	VU_SET_VRING_BASE = 10,
	VU_GET_VRING_BASE = 11,
	VU_SET_VRING_KICK = 12,
	VU_SET_VRING_CALL = 13,
	VU_SET_VRING_ERR = 14,
	VU_GET_PROTOCOL_FEATURES = 15,
	VU_SET_PROTOCOL_FEATURES = 16,
	VU_GET_QUEUE_NUM = 17,
	VU_SET_VRING_ENABLE = 18,
	VU_SEND_RARP = 19,
	VU_NET_SET_MTU = 20,
	VU_SET_BACKEND_REQ_FD = 21,
	VU_IOTLB_MSG = 22,
	VU_SET_VRING_ENDIAN = 23,
	VU_GET_CONFIG = 24,
	VU_SET_CONFIG = 25,
	VU_GET_INFLIGHT_FD = 31,
	VU_SET_INFLIGHT_FD = 32,
	VU_RESET_DEVICE = 34,
	VU_GET_MAX_MEM_SLOTS = 36,
	VU_ADD_MEM_REG = 37,
	VU_REM_MEM_REG = 38,
	VU_SET_STATUS = 39,
	VU_GET_STATUS = 40,
	VU_LAST = 44,
};

#define VU_VERSION 1u
#define VU_REPLY (1u << 2)
#define VU_NEED_REPLY (1u << 3)

#define VU_F_PROTOCOL_FEATURES (1ULL << 30)
#define VU_F_LOG_ALL (1ULL << 26)

#define VU_P_MQ (1ULL << 0)
#define VU_P_LOG_SHMFD (1ULL << 1)
#define VU_P_REPLY_ACK (1ULL << 3)
#define VU_P_CONFIG (1ULL << 9)
#define VU_P_INFLIGHT_SHMFD (1ULL << 12)
#define VU_P_RESET_DEVICE (1ULL << 13)
#define VU_P_CONFIGURE_MEM_SLOTS (1ULL << 15)
#define VU_P_STATUS (1ULL << 16)

/* Of SET_VRING_KICK, CALL and ERR: no file descriptor comes with it. */
#define VU_NOFD (1u << 8)

struct vu_state {
	__u32 index, num;
};

struct vu_addr {
	__u32 index, flags;
	__u64 desc, used, avail, log;
};

struct vu_region {
	__u64 gpa, bytes, hva, offset;
};

#define VU_TABLE_REGIONS 8

struct vu_table {
	__u32 nr, padding;
	struct vu_region region[VU_TABLE_REGIONS];
};

struct vu_slot {
	__u64 padding;
	struct vu_region region;
};

struct vu_config {
	__u32 offset, bytes, flags;
	__u8 data[256];
};

struct vu_inflight {
	__u64 bytes, offset;
	__u16 queues, size;
};

#define VU_PAYLOAD 4096
#define VU_FDS 8

struct vu_header {
	__u32 request, flags, bytes;
};

/* A message beside its file descriptors, and those. */
struct vu_msg {
	struct vu_header header;
	union {
		__u64 u64;
		struct vu_state state;
		struct vu_addr addr;
		struct vu_table table;
		struct vu_slot slot;
		struct vu_config config;
		struct vu_inflight inflight;
		__u8 bytes[VU_PAYLOAD];
	};
	int fd[VU_FDS];
	unsigned nr_fds;
};

#endif
