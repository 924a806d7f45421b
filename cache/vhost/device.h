/* SPDX-License-Identifier: GPL-2.0 */
/* A vhost-user device from within: vhost_dev.c has its life, request*.c what a front end asks. */
#ifndef HVTRACE_VHOST_DEVICE_H
#define HVTRACE_VHOST_DEVICE_H

#include "../unix_socket.h"
#include "closer.h"
#include "inflight.h"
#include "message.h"
#include "vhost_dev.h"
#include "vring_setup.h"

struct vhost_ring {
	struct vhost_dev *dev;
	struct vring *vring;
	/* Wanted by the front end. */
	bool kicked, enabled, addressed;
	/* Not to be started again until it is set up anew; could not be with this memory. */
	bool dead, misplaced;
	bool running, stopping;
	struct loop_msg died;
	const char *reason; /* why it died */
};

struct vhost_dev {
	struct loop *loop;
	const struct vhost_dev_ops *ops;
	void *ctx;
	struct listener listener;
	struct loop_fd accept; /* the listener's; fd -1: none */
	struct loop_fd retry;  /* a timer: front ends may be accepted again */
	struct loop_fd socket; /* the front end's; fd -1: none */
	bool watched;	       /* socket is */
	bool accepting;	       /* accept is watched */
	bool deaf;	       /* it waits for the timer */
	struct closer *closer;
	pid_t pid;

	__u64 offered; /* virtio features */
	__u8 config[VHOST_CONFIG_BYTES];
	unsigned nr_rings;

	/* Of this front end. */
	struct vhost_msg msg;
	__u64 features, protocol;
	struct guest_memory memory;
	struct inflight_map inflight;
	struct vhost_ring ring[VHOST_MAX_QUEUES];

	/* What is to be done when all rings that were asked to have stopped; NULL: nothing. */
	void (*then)(struct vhost_dev *d);
	unsigned waiting;     /* for so many */
	bool lost, freeing;   /* to be done after that */
	bool quiet;	      /* rings may be without memory for a while */
	_Atomic bool gave_up; /* memory was taken away: told by this message */
	struct loop_msg broken, begin, end;
	int given_fd;
	int spare; /* given up when no more files can be opened */
	void (*freed)(void *ctx);
	void *freed_ctx;
};

/* One line, about the front end. */
void vhost_dev__warn(struct vhost_dev *d, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Which rings a request concerns. */
#define VHOST_ALL_RINGS VHOST_MAX_QUEUES
#define VHOST_NO_RING (VHOST_MAX_QUEUES + 1)

/* Stop a ring, all or none, go on with `then`, and when that is done with what comes next. */
void vhost_dev__quiesce(struct vhost_dev *d, unsigned ring, void (*then)(struct vhost_dev *d));
/* After `then`: end, lose the front end, or start rings and listen to it. */
void vhost_dev__resume(struct vhost_dev *d);
/* The connection is to be closed; resume does it. */
void vhost_dev__lose(struct vhost_dev *d);
/* What went wrong with it is over. */
void vhost_ring__set_up_anew(struct vhost_ring *r);
/* As it was before a front end came. */
void vhost_ring__reset(struct vhost_ring *r);
/* The front end took away memory; from a signal handler, too. */
void vhost_dev__broken(void *dev);

/* A message is there: d->msg. */
void vhost_dev__request(struct vhost_dev *d);

/* Carries out a request. -errno, with the reason. */
typedef int vhost_handler(struct vhost_dev *d, struct vhost_msg *m, const char **why);
vhost_handler vhost_request__get_features, vhost_request__set_features,
	vhost_request__get_protocol_features, vhost_request__set_protocol_features,
	vhost_request__nothing, vhost_request__get_queue_num, vhost_request__get_config,
	vhost_request__set_config, vhost_request__reset_device;
vhost_handler vhost_request__set_mem_table, vhost_request__get_max_mem_slots,
	vhost_request__add_mem_reg, vhost_request__rem_mem_reg, vhost_request__get_inflight_fd,
	vhost_request__set_inflight_fd;
vhost_handler vhost_request__set_vring_num, vhost_request__set_vring_addr,
	vhost_request__set_vring_base, vhost_request__get_vring_base, vhost_request__set_vring_kick,
	vhost_request__set_vring_call, vhost_request__set_vring_err,
	vhost_request__set_vring_enable;

/* For handlers. */
int vhost_dev__reply(struct vhost_dev *d, const void *payload, __u32 bytes, int fd,
		     const char **why);
int vhost_dev__reply_u64(struct vhost_dev *d, __u64 value, const char **why);

#endif
